import { digest, type Json } from '../base/json.ts'
import type { Body, Node, NodeKind } from '../graph/graph.ts'
import { dependencies, type Lane, lanes, type Step } from '../graph/order.ts'

/**
 * TaskGraph to MachineDefinition: a chain cover of the graph, each chain (lane) a sequence of states.
 *
 * One region per node would cost seconds to start at 400 nodes; lanes need as many regions as the plan is wide and
 * read as swim lanes. Edges between lanes are guards. Pure: the same graph gives the same bytes.
 *
 * A plan that is halted, since a node has failed or the job is being cancelled, begins nothing more: what has not begun
 * is passed over, waits and sleeps are left, and calls under way are waited for.
 */

/** A compiled plan as plain JSON: an XState config whose guards, actions and actors are names that hydrate knows. */
export interface MachineDefinition {
  /** Grows when the meaning of a config changes. */
  format: 4
  /** Digest of the TaskGraph. */
  graph: string
  config: { [key: string]: Json }
}

/** What a node does while it is under way, as the name of its state. A choice takes no time. */
export const activeState: Record<Exclude<NodeKind, 'choose'>, string> = {
  call: 'running',
  map: 'running',
  loop: 'running',
  spawn: 'running',
  wait: 'waiting',
  sleep: 'sleeping',
}

/** Where a lane ends. No node can have the name. */
const end = '(done)'

/** Nodes whose wait is of no use once the plan is halted. */
const idle: ReadonlySet<NodeKind> = new Set<NodeKind>(['wait', 'sleep'])

export function compile(graph: Body): MachineDefinition {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]))
  const cover = lanes(graph)
  const [only, ...others] = cover
  const config: Json =
    only !== undefined && others.length === 0
      ? lane(only, '#plan', nodes)
      : {
          type: 'parallel',
          states: Object.fromEntries(cover.map((each) => [each.id, lane(each, `#plan.${each.id}`, nodes)])),
        }
  const empty: Json = { initial: end, states: { [end]: { type: 'final' } } }
  const on: Json = { 'plan.halt': { actions: [{ type: 'halt' }] } }
  return {
    format: 4,
    graph: digest(graph as unknown as Json),
    config: { id: 'plan', ...(only === undefined ? empty : config), on },
  }
}

function lane(cover: Lane, path: string, nodes: ReadonlyMap<string, Node>): { [key: string]: Json } {
  const names = cover.steps.map(stepName)
  const states: { [key: string]: Json } = {}
  const before = new Set<string>()
  for (const [index, step] of cover.steps.entries()) {
    const next = `${path}.${names[index + 1] ?? end}`
    const [first, ...rest] = step.nodes.map((id) => nodes.get(id) as Node)
    for (const id of step.nodes) before.add(id)
    const begun = begunAfter(cover.steps[index + 1], before, nodes)
    const begins = begun === undefined ? undefined : `${next}.${begun}`
    states[names[index] as string] = rest.length === 0 ? single(first as Node, next, begins) : bundle(step, next)
  }
  return { initial: names[0] ?? end, states: { ...states, [end]: { type: 'final' } } }
}

/** The state in which a step begins at once when those `before` it in its lane have settled; undefined where it may not. */
function begunAfter(
  step: Step | undefined,
  before: ReadonlySet<string>,
  nodes: ReadonlyMap<string, Node>,
): string | undefined {
  const node = nodes.get(step?.nodes[0] ?? '')
  if (node === undefined || node.kind === 'choose' || node.when !== undefined) return undefined
  return dependencies(node).every((id) => before.has(id)) ? activeState[node.kind] : undefined
}

/** A bundle is named after its first node; `+` is in no node id, so no node can have the same name. */
function stepName(step: Step): string {
  return step.nodes.length === 1 ? (step.nodes[0] as string) : `${step.nodes[0]}+${step.nodes.length - 1}`
}

/** One node: wait for what it depends on, then skip it or perform it. `begins`: where the next step needs no more than it. */
function single(node: Node, next: string, begins: string | undefined): { [key: string]: Json } {
  const params = { node: node.id }
  const halted: Json = { guard: 'halted', target: next, actions: [{ type: 'passOver', params }] }
  const skip: Json = { guard: { type: 'unwanted', params }, target: next, actions: [{ type: 'skip', params }] }
  const mayBeSkipped = node.when !== undefined || node.kind === 'choose'
  const ready = { type: 'ready', params }
  if (node.kind === 'choose') {
    const choose: Json = { guard: ready, target: next, actions: [{ type: 'choose', params }] }
    return { initial: 'blocked', states: { blocked: { always: [halted, skip, choose] } } }
  }
  const active = activeState[node.kind]
  const settle: Json = [
    ...(begins === undefined
      ? []
      : [{ guard: { type: 'goesOn', params }, target: begins, actions: [{ type: 'settle', params }] }]),
    { target: next, actions: settling(node.id) },
  ]
  return {
    initial: 'blocked',
    states: {
      blocked: { always: [halted, ...(mayBeSkipped ? [skip] : []), { guard: ready, target: active }] },
      [active]: {
        entry: { type: 'ask', params: { nodes: [node.id] } },
        ...(isPart(node)
          ? { invoke: { id: node.id, src: sourceOf(node), onDone: settle, onError: settle } }
          : { on: { [settledType(node.id)]: settle } }),
        ...(idle.has(node.kind) ? { always: [halted] } : {}),
      },
    },
  }
}

function settling(node: string): Json[] {
  const params = { node }
  return [
    { type: 'settle', params },
    { type: 'haltIfFailed', params },
  ]
}

/** Whether a node has a machine of its own. */
export function isPart(node: Node): boolean {
  return node.kind === 'map' || node.kind === 'loop'
}

/** Every loop has another machine. */
export function sourceOf(node: Node): string {
  return node.kind === 'loop' ? `loop ${node.id}` : node.kind
}

/** The event that tells a plan the outcome of what a node has asked for. */
export function settledType(node: string): string {
  return `settled.${node}`
}

/** Calls that wait for the same nodes, in one state that is left when all have settled. */
function bundle(step: Step, next: string): { [key: string]: Json } {
  const on = step.nodes.map((id): [string, Json] => [settledType(id), { actions: settling(id) }])
  const passOver: Json[] = step.nodes.map((id) => ({ type: 'passOver', params: { node: id } }))
  return {
    initial: 'blocked',
    states: {
      blocked: {
        always: [
          { guard: 'halted', target: next, actions: passOver },
          { guard: { type: 'ready', params: { node: step.nodes[0] as string } }, target: 'running' },
        ],
      },
      running: {
        entry: { type: 'ask', params: { nodes: step.nodes } },
        on: Object.fromEntries(on),
        always: [{ guard: { type: 'settled', params: { nodes: step.nodes } }, target: next }],
      },
    },
  }
}
