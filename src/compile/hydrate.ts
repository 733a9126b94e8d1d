import { type AnyStateMachine, assign, enqueueActions, setup } from 'xstate'
import { inert } from '../../machines/inert.ts'
import { type MapInput, mapMachine } from '../../machines/map.ts'
import { AetherisError } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { holds } from '../graph/condition.ts'
import type { Node, Scope, TaskGraph } from '../graph/graph.ts'
import { dependencies } from '../graph/order.ts'
import { resolve } from '../graph/template.ts'
import { compile, type MachineDefinition } from './compile.ts'

/** How a node of a plan ended. */
export type NodeResult = { status: 'completed'; output: Json } | { status: 'skipped' } | { status: 'timedOut' }

export interface PlanContext {
  input: Json
  /** By node id; only nodes that have settled. */
  nodes: Readonly<Record<string, NodeResult>>
}

/** What the inert actor of a call is given. */
export interface CallRequest {
  tool: string
  input: Json
  retry?: Extract<Node, { kind: 'call' }>['retry']
  timeoutMs?: number
}

/** What the runtime answers the inert actor of a wait. */
export type WaitAnswer = { payload: Json } | { timedOut: true }

type NodeParams = { node: string }
type NodesParams = { nodes: string[] }

/** Turns a definition into the machine that runs: binds the fixed set of names that a definition may use. */
export function hydrate(definition: MachineDefinition, graph: TaskGraph): AnyStateMachine {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]))
  const needs = new Map(graph.nodes.map((node) => [node.id, dependencies(node)]))
  const isReady = (context: PlanContext, node: string) => (needs.get(node) ?? []).every((need) => need in context.nodes)
  const machine = setup({
    types: { context: {} as PlanContext, input: {} as Json, output: {} as Json },
    actors: { call: inert('call'), wait: inert('wait'), sleep: inert('sleep'), map: mapMachine },
    guards: {
      ready: ({ context }, { node }: NodeParams) => isReady(context, node),
      unwanted: ({ context }, { node }: NodeParams) => {
        const when = nodes.get(node)?.when
        return when !== undefined && isReady(context, node) && !holds(when, scopeOf(context))
      },
      // The last most often settles last, so it is looked at first.
      settled: ({ context }, { nodes }: NodesParams) =>
        nodes.findLast((node) => !(node in context.nodes)) === undefined,
    },
    actions: {
      skip: assign(({ context }, { node }: NodeParams) => settle(context, node, { status: 'skipped' })),
      complete: assign(({ context, event }, { node }: NodeParams) =>
        settle(context, node, resultOf(nodes.get(node) as Node, (event as unknown as { output: Json }).output)),
      ),
      // XState would stop them first to last, copying those that are left each time, which V8 does slowly that way round.
      release: enqueueActions(({ enqueue }, { nodes }: NodesParams) => {
        for (const node of nodes.toReversed()) enqueue.stopChild(node)
      }),
    },
  })
  const config = withInputs(definition.config, nodes) as Parameters<typeof machine.createMachine>[0]
  return machine.createMachine({
    ...config,
    context: ({ input }: { input: Json }) => ({ input, nodes: {} }),
    output: ({ context }: { context: PlanContext }) => resolve(graph.output, scopeOf(context)) ?? null,
  } as typeof config)
}

function settle(context: PlanContext, node: string, result: NodeResult): Partial<PlanContext> {
  return { nodes: { ...context.nodes, [node]: result } }
}

function resultOf(node: Node, output: Json): NodeResult {
  if (node.kind !== 'wait') return { status: 'completed', output }
  const answer = output as unknown as WaitAnswer
  return 'timedOut' in answer ? { status: 'timedOut' } : { status: 'completed', output: answer.payload }
}

/** Outputs by node; a skipped or timed-out node has none. */
export function scopeOf(context: PlanContext): Scope {
  return {
    input: context.input,
    output(node) {
      const result = context.nodes[node]
      return result?.status === 'completed' ? result.output : undefined
    },
  }
}

/** Gives each invoke of a definition the function that fills in its node's input. */
function withInputs(part: Json, nodes: ReadonlyMap<string, Node>): unknown {
  if (Array.isArray(part)) return part.map((each) => withInputs(each, nodes))
  if (typeof part !== 'object' || part === null) return part
  const copy: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(part)) copy[key] = withInputs(value, nodes)
  const node = nodes.get(String(part['id']))
  if ('src' in part && node !== undefined) {
    copy['input'] = ({ context }: { context: PlanContext }) => requestOf(node, scopeOf(context))
  }
  return copy
}

function requestOf(node: Node, scope: Scope): unknown {
  switch (node.kind) {
    case 'call':
      return callRequest(node, scope)
    case 'map':
      return mapRequest(node, scope)
    case 'wait':
      return { signal: node.signal, ...(node.timeoutMs === undefined ? {} : { timeoutMs: node.timeoutMs }) }
    case 'sleep':
      return { ms: node.ms }
  }
}

type Call = Extract<Node, { kind: 'call' | 'map' }>

function callRequest(node: Call, scope: Scope): CallRequest {
  return {
    tool: node.tool,
    input: resolve(node.input, scope) ?? null,
    ...(node.retry === undefined ? {} : { retry: node.retry }),
    ...(node.timeoutMs === undefined ? {} : { timeoutMs: node.timeoutMs }),
  }
}

function mapRequest(node: Extract<Node, { kind: 'map' }>, scope: Scope): MapInput {
  const items = resolve(node.over, scope)
  if (!Array.isArray(items)) {
    throw new AetherisError(
      'INPUT_INVALID',
      `The map node "${node.id}" needs a list to go over; its "over" gave ${items === undefined ? 'nothing' : `a ${typeof items}`}.`,
    )
  }
  if (items.length > limits.mapItemsMax) {
    throw new AetherisError(
      'LIMIT_EXCEEDED',
      `The map node "${node.id}" has ${items.length} items; ${limits.mapItemsMax} are allowed.`,
    )
  }
  return {
    concurrency: node.concurrency ?? 10,
    items: items.map((item, index) => callRequest(node, { ...scope, item, index })),
  }
}

const cacheMax = 200
const cache = new Map<string, AnyStateMachine>()

/** The machine of a plan, shared by all jobs with the same plan. */
export function machineOf(graph: TaskGraph, hash: string): AnyStateMachine {
  const known = cache.get(hash)
  if (known !== undefined) return known
  const machine = hydrate(compile(graph), graph)
  if (cache.size >= cacheMax) cache.delete(cache.keys().next().value as string)
  cache.set(hash, machine)
  return machine
}
