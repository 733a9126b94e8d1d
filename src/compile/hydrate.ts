import { type AnyStateMachine, assign, enqueueActions, setup } from 'xstate'
import { type LoopContext, type LoopInput, loopOf } from '../../machines/loop.ts'
import { type MapInput, mapMachine } from '../../machines/map.ts'
import type { Halt, PlanOutcome } from '../../machines/outcome.ts'
import { AetherisError, toErrorData } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { holds } from '../graph/condition.ts'
import type { Body, Node, NodeOf, TaskGraph } from '../graph/graph.ts'
import { dependencies } from '../graph/order.ts'
import { type NodeResult, resultIn } from '../graph/result.ts'
import { resolve, type Scope } from '../graph/template.ts'
import { compile, isPart, type MachineDefinition, sourceOf } from './compile.ts'
import {
  type Asked,
  hasSettled,
  type PlanContext,
  type PlanInput,
  type PlanState,
  planContextOf,
  scopeIn,
  scopeOf,
  withSettled,
} from './plan-state.ts'
import { compensationsOf, resultOf } from './settle.ts'

/** What a call asks for. */
export interface CallRequest {
  tool: string
  input: Json
  retry?: NodeOf<'call'>['retry']
  timeoutMs?: number
  deadlineMs?: number
  approval?: NodeOf<'call'>['approval']
}

/** What a spawn asks for. */
export interface SpawnRequest {
  agent: string
  input: Json
  detach: boolean
  onParentEnd: 'cancel' | 'terminate' | 'abandon'
  deadlineMs?: number
}

type NodeParams = { node: string }
type NodesParams = { nodes: string[] }

/** Turns a definition into the machine that runs: binds the fixed set of names that a definition may use. */
export function hydrate(definition: MachineDefinition, graph: Body | TaskGraph): AnyStateMachine {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]))
  const needs = new Map(graph.nodes.map((node) => [node.id, dependencies(node)]))
  const isReady = (context: PlanState, node: string) =>
    (needs.get(node) ?? []).every((need) => hasSettled(context, need))
  /** Parts with a machine of their own have to be told when the plan is halted. */
  const parts = graph.nodes.filter(isPart).map(({ id }) => id)
  const machine = setup({
    types: { context: {} as PlanState, input: {} as PlanInput, output: {} as PlanOutcome, events: {} as Halt },
    actors: { map: mapMachine, ...(loopsOf(graph) as Record<never, never>) },
    guards: {
      halted: ({ context }) => context.halted !== undefined,
      ready: ({ context }, { node }: NodeParams) => isReady(context, node),
      unwanted: ({ context }, { node }: NodeParams) =>
        isReady(context, node) && isUnwanted(nodes.get(node) as Node, scopeIn(context)),
      /** Whether the plan begins more once the node has settled as the event says. */
      goesOn: ({ context, event }, { node }: NodeParams) => {
        const found = nodes.get(node) as Node
        return context.halted === undefined && !fails(found, resultOf(found, event, scopeIn(context)).result)
      },
      // The last most often settles last, so it is looked at first.
      settled: ({ context }, { nodes }: NodesParams) =>
        nodes.findLast((node) => !hasSettled(context, node)) === undefined,
    },
    actions: {
      ask: assign(({ context }, { nodes: ids }: NodesParams) => ({
        asked: [...context.asked, ...ids.map((id) => askedBy(nodes.get(id) as Node, scopeIn(context)))],
      })),
      skip: assign(({ context }, { node }: NodeParams) =>
        withSettled(context, node, { result: { status: 'skipped' } }),
      ),
      passOver: assign(({ context }, { node }: NodeParams) =>
        hasSettled(context, node) ? {} : withSettled(context, node, { result: { status: 'cancelled' } }),
      ),
      choose: assign(({ context }, { node }: NodeParams) => {
        const output = chosen(nodes.get(node) as NodeOf<'choose'>, scopeIn(context)) as string
        return withSettled(context, node, { result: { status: 'completed', output } })
      }),
      settle: assign(({ context, event }, { node }: NodeParams) =>
        withSettled(context, node, resultOf(nodes.get(node) as Node, event, scopeIn(context))),
      ),
      /** After it, where the node may have failed. */
      haltIfFailed: enqueueActions(({ context, enqueue, self }, { node }: NodeParams) => {
        const result = resultIn(context.results, node) as NodeResult
        if (context.halted !== undefined || !fails(nodes.get(node) as Node, result)) return
        enqueue.assign({ halted: 'failed', failure: { node, error: result.error } })
        for (const part of running(self, parts))
          if (part !== node) enqueue.sendTo(part, { type: 'plan.halt', why: 'failed' })
      }),
      halt: enqueueActions(({ context, event, enqueue, self }) => {
        if (context.halted !== undefined) return
        enqueue.assign({ halted: event.why })
        for (const part of running(self, parts)) enqueue.sendTo(part, event)
      }),
    },
  })
  const config = withInputs(definition.config, nodes) as Parameters<typeof machine.createMachine>[0]
  return machine.createMachine({
    ...config,
    context: ({ input: { results, ...input } }: { input: PlanInput }) => ({
      ...input,
      results: [results],
      asked: [],
      undo: {},
    }),
    output: ({ context }: { context: PlanState }) => planOutcome(graph, planContextOf(context)),
  } as typeof config)
}

function askedBy(node: Node, scope: Scope): Asked {
  const { id } = node
  const kind = node.kind as Asked['kind']
  return isPart(node) ? { node: id, kind } : { node: id, kind, input: requestOf(node, scope) }
}

/** Whether a node that has settled fails its plan. */
function fails(node: Node, result: NodeResult): result is Extract<NodeResult, { status: 'failed' }> {
  return result.status === 'failed' && !('onFailure' in node && node.onFailure === 'continue')
}

/** Those of some children that are there now. */
function running(self: { getSnapshot(): unknown }, ids: readonly string[]): string[] {
  const { children } = self.getSnapshot() as { children?: Record<string, { getSnapshot(): { status: string } }> }
  return ids.filter((id) => children?.[id]?.getSnapshot().status === 'active')
}

function isUnwanted(node: Node, scope: Scope): boolean {
  if (node.when !== undefined && !holds(node.when, scope)) return true
  return node.kind === 'choose' && chosen(node, scope) === undefined
}

function chosen({ cases, otherwise }: NodeOf<'choose'>, scope: Scope): string | undefined {
  return cases.find(({ when }) => holds(when, scope))?.name ?? otherwise
}

/** What a plan comes to as it stands. */
export function planOutcome(graph: Body | TaskGraph, context: PlanContext): PlanOutcome {
  const { halted, failure, nodes } = context
  const revise = 'revise' in graph ? graph.revise : undefined
  const failed = graph.nodes.find(({ id }) => id === failure?.node)
  const undoes = halted !== undefined && !(failed !== undefined && 'onFailure' in failed && failed.onFailure === 'fail')
  const asksAgain = (halted === undefined ? revise?.onSettled : halted === 'failed' && revise?.onFailure) ?? false
  const isInside = 'iteration' in context
  return {
    output: halted === undefined ? (resolve(graph.output, scopeOf(context)) ?? null) : null,
    results: nodes,
    asksAgain,
    // A part of a plan tells in any case, for it may be undone later.
    undo: undoes || asksAgain || isInside ? compensationsOf(graph, context, scopeOf(context)) : [],
    ...(halted === undefined ? {} : { stopped: halted }),
    ...(failure === undefined ? {} : { error: failure.error }),
  }
}

function loopsOf(graph: Body): Record<string, AnyStateMachine> {
  const loops = graph.nodes.filter((node) => node.kind === 'loop')
  return Object.fromEntries(
    loops.map((node) => {
      const isOver = ({ input, state, iteration }: LoopContext) =>
        holds(node.until, { input, state, iteration, output: () => undefined })
      return [sourceOf(node), loopOf({ body: hydrate(compile(node.body), node.body), isOver })]
    }),
  )
}

/** Gives each part that a definition invokes the function that fills in its input. */
function withInputs(part: Json, nodes: ReadonlyMap<string, Node>): unknown {
  if (Array.isArray(part)) return part.map((each) => withInputs(each, nodes))
  if (typeof part !== 'object' || part === null) return part
  const copy: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(part)) copy[key] = withInputs(value, nodes)
  const node = nodes.get(String(part['id']))
  if ('src' in part && node !== undefined) {
    copy['input'] = ({ context }: { context: PlanState }) => requestOf(node, scopeIn(context))
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
    case 'spawn':
      return spawnRequest(node, scope)
    case 'loop':
      return loopRequest(node, scope)
    case 'choose':
      return undefined
  }
}

function callRequest(node: NodeOf<'call' | 'map'>, scope: Scope): CallRequest {
  const { tool, input, retry, timeoutMs, deadlineMs, approval } = node
  return {
    tool,
    input: resolve(input, scope) ?? null,
    ...(retry === undefined ? {} : { retry }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(approval === undefined ? {} : { approval }),
  }
}

function spawnRequest(
  { agent, input, detach = false, onParentEnd, deadlineMs }: NodeOf<'spawn'>,
  scope: Scope,
): SpawnRequest {
  return {
    agent,
    input: resolve(input, scope) ?? null,
    detach,
    onParentEnd: onParentEnd ?? (detach ? 'abandon' : 'cancel'),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  }
}

function loopRequest({ start, max, onMax }: NodeOf<'loop'>, scope: Scope): LoopInput {
  return { input: scope.input, state: resolve(start, scope) ?? null, max, stopsAtMax: onMax === 'stop' }
}

function mapRequest(node: NodeOf<'map'>, scope: Scope): MapInput {
  const { concurrency = 10, onItemFailure, compensate } = node
  const options = { concurrency, collect: onItemFailure === 'collect', undoable: compensate !== undefined }
  const items = resolve(node.over, scope)
  const error = listError(node.id, items)
  if (error !== undefined) return { ...options, items: [], error: toErrorData(error) }
  return { ...options, items: (items as Json[]).map((item, index) => callRequest(node, { ...scope, item, index })) }
}

/** Why there is nothing to go over; thrown, it would end the whole plan where it is. */
function listError(id: string, items: Json | undefined): AetherisError | undefined {
  if (!Array.isArray(items)) {
    const gave = items === undefined ? 'nothing' : items === null ? 'null' : `this ${typeof items}`
    const message = `The map node "${id}" needs a list to go over; its "over" gave ${gave}.`
    return new AetherisError('INPUT_INVALID', message)
  }
  if (items.length <= limits.mapItemsMax) return undefined
  const message = `The map node "${id}" has ${items.length} items; ${limits.mapItemsMax} are allowed.`
  return new AetherisError('LIMIT_EXCEEDED', message)
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
