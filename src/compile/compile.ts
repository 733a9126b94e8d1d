import { digest, type Json } from '../base/json.ts'
import type { Node, NodeKind, TaskGraph } from '../graph/graph.ts'
import { dependencies, type Lane, lanes, type Step } from '../graph/order.ts'

/**
 * TaskGraph to MachineDefinition: a chain cover of the graph, each chain (lane) a sequence of states.
 *
 * One region per node would cost seconds to start at 400 nodes; lanes need as many regions as the plan is wide and
 * read as swim lanes. Edges between lanes are guards. Pure: the same graph gives the same bytes.
 */

/** A compiled plan as plain JSON: an XState config whose guards, actions and actors are names that hydrate knows. */
export interface MachineDefinition {
  /** Grows when the meaning of a config changes. */
  format: 1
  /** Digest of the TaskGraph. */
  graph: string
  config: { [key: string]: Json }
}

/** What a node does while it is under way, as the name of its state. */
export const activeState: Record<NodeKind, string> = {
  call: 'running',
  map: 'running',
  wait: 'waiting',
  sleep: 'sleeping',
}

export function compile(graph: TaskGraph): MachineDefinition {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]))
  const cover = lanes(graph)
  const [only, ...others] = cover
  const config: Json =
    only !== undefined && others.length === 0
      ? { id: 'plan', ...lane(only, '#plan', nodes) }
      : {
          id: 'plan',
          type: 'parallel',
          states: Object.fromEntries(cover.map((each) => [each.id, lane(each, `#plan.${each.id}`, nodes)])),
        }
  const empty: Json = { id: 'plan', initial: 'done', states: { done: { type: 'final' } } }
  return { format: 1, graph: digest(graph as unknown as Json), config: only === undefined ? empty : config }
}

function lane(cover: Lane, path: string, nodes: ReadonlyMap<string, Node>): { [key: string]: Json } {
  const names = cover.steps.map(stepName)
  const states: { [key: string]: Json } = {}
  const before = new Set<string>()
  for (const [index, step] of cover.steps.entries()) {
    const next = `${path}.${names[index + 1] ?? 'done'}`
    const first = nodes.get(step.nodes[0] as string) as Node
    // All that the lane has passed has settled, so only what is in other lanes needs waiting for.
    const isFree = first.when === undefined && dependencies(first).every((id) => before.has(id))
    states[names[index] as string] = step.nodes.length === 1 ? single(first, next, isFree) : bundle(step, next, isFree)
    for (const id of step.nodes) before.add(id)
  }
  return { initial: names[0] ?? 'done', states: { ...states, done: { type: 'final' } } }
}

/** A bundle is named after its first node; `+` is in no node id, so no node can have the same name. */
function stepName(step: Step): string {
  return step.nodes.length === 1 ? (step.nodes[0] as string) : `${step.nodes[0]}+${step.nodes.length - 1}`
}

/** One node: wait for what it depends on, then skip it or perform it. A failure is not handled: it fails the plan. */
function single(node: Node, next: string, isFree: boolean): { [key: string]: Json } {
  const params = { node: node.id }
  const skip: Json = {
    guard: { type: 'unwanted', params },
    target: next,
    actions: [{ type: 'skip', params }],
  }
  const active = activeState[node.kind]
  const invoke: Json = {
    id: node.id,
    src: node.kind,
    onDone: { target: next, actions: [{ type: 'complete', params }] },
  }
  const always = [...(node.when === undefined ? [] : [skip]), { guard: { type: 'ready', params }, target: active }]
  return step(active, { invoke }, isFree ? undefined : always)
}

/** Calls that wait for the same nodes, in one state that is left when all have settled. */
function bundle({ nodes }: Step, next: string, isFree: boolean): { [key: string]: Json } {
  const invoke: Json[] = nodes.map((id) => ({
    id,
    src: 'call',
    onDone: { actions: [{ type: 'complete', params: { node: id } }] },
  }))
  const settled: Json = { guard: { type: 'settled', params: { nodes } }, target: next }
  const exit: Json = { type: 'release', params: { nodes } }
  const ready: Json = { guard: { type: 'ready', params: { node: nodes[0] as string } }, target: 'running' }
  return step('running', { invoke, always: [settled], exit }, isFree ? undefined : [ready])
}

/** A step of a lane: `active`, with `blocked` before it where there is something to wait for. */
function step(name: string, active: Json, leaveBlocked: Json[] | undefined): { [key: string]: Json } {
  if (leaveBlocked === undefined) return { initial: name, states: { [name]: active } }
  return { initial: 'blocked', states: { blocked: { always: leaveBlocked }, [name]: active } }
}
