import type { MapOutcome } from '../../machines/map.ts'
import type { EndedError, PartOutcome } from '../../machines/outcome.ts'
import { toErrorData } from '../base/error.ts'
import { isObject, type Json } from '../base/json.ts'
import type { Body, Node, NodeOf } from '../graph/graph.ts'
import type { Compensation, NodeResult, Results } from '../graph/result.ts'
import { resolve, type Scope } from '../graph/template.ts'

/** What it means for a node that what it asked for has an outcome, and what can be undone of it. */

/** What the runtime answers a wait. */
export type WaitAnswer = { payload: Json } | { timedOut: true }

/** What a plan has come to so far. */
export interface Outcomes {
  /** By node id, in the order in which they settled. */
  nodes: Results
  /** What parts of the plan have left to be undone, by node. */
  undo: Readonly<Record<string, Compensation[]>>
}

export interface Settled {
  result: NodeResult
  /** What a node of several parts has left to be undone, latest first. */
  undo?: Compensation[]
}

/** The result of a node from the event that tells its outcome, or with which its machine ended. */
export function resultOf(node: Node, event: unknown, scope: Scope): Settled {
  const { output, error } = event as { output: unknown; error?: EndedError }
  if (error !== undefined) return { result: failed(error) }
  switch (node.kind) {
    case 'wait': {
      const answer = output as WaitAnswer
      return { result: 'timedOut' in answer ? { status: 'timedOut' } : { status: 'completed', output: answer.payload } }
    }
    case 'map':
      return { result: partResult(output as MapOutcome), undo: itemsToUndo(node, output as MapOutcome, scope) }
    case 'loop':
      return { result: partResult(output as PartOutcome), undo: (output as PartOutcome).undo }
    default:
      return { result: { status: 'completed', output: output as Json } }
  }
}

function failed({ ended, isUncertain, ...error }: EndedError): NodeResult {
  if (ended !== undefined) return { status: ended }
  return { status: 'failed', error: toErrorData(error), ...(isUncertain && { isUncertain }) }
}

function partResult({ output, stopped, error }: Pick<PartOutcome, 'output' | 'stopped' | 'error'>): NodeResult {
  if (stopped === undefined) return { status: 'completed', output }
  return error === undefined ? { status: 'cancelled' } : { status: 'failed', error }
}

function itemsToUndo(node: NodeOf<'map'>, { output, order }: MapOutcome, scope: Scope): Compensation[] {
  const { compensate } = node
  if (compensate === undefined) return []
  const items = resolve(node.over, scope) as Json[]
  // Of what only may have happened there is no result.
  const gave = (result: Json) => (isObject(result) && node.onItemFailure === 'collect' ? result['output'] : result)
  return order.toReversed().map((index) => {
    const undoing = gave(output[index] as Json)
    const input = resolve(compensate.input, { ...scope, item: items[index] as Json, index, undoing }) ?? null
    return { id: `${node.id}/${index}`, tool: compensate.tool, input }
  })
}

/**
 * The calls that undo what a plan has done, latest first. What may have happened is undone as well: compensations are
 * harmless where there is nothing to undo.
 */
export function compensationsOf(graph: Body, outcomes: Outcomes, scope: Scope): Compensation[] {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]))
  return Object.keys(outcomes.nodes)
    .toReversed()
    .flatMap((id) => {
      const parts = outcomes.undo[id]
      const node = nodes.get(id)
      if (parts !== undefined) return prefixed(node, parts)
      const result = outcomes.nodes[id]
      if (!mayHaveHappened(result) || node === undefined || node.kind === 'map') return []
      if (!('compensate' in node) || node.compensate === undefined) return []
      const undoing = result.status === 'completed' ? result.output : undefined
      const input = resolve(node.compensate.input, { ...scope, undoing }) ?? null
      return [{ id, tool: node.compensate.tool, input }]
    })
}

function mayHaveHappened(result: NodeResult | undefined): result is NodeResult {
  if (result === undefined) return false
  if (result.status === 'failed') return result.isUncertain === true
  return result.status === 'completed' || result.status === 'unknown'
}

/** What a loop has left is named by its iteration already; the loop's own name goes before. */
function prefixed(node: Node | undefined, parts: Compensation[]): Compensation[] {
  return node?.kind === 'loop' ? parts.map((part) => ({ ...part, id: `${node.id}/${part.id}` })) : parts
}
