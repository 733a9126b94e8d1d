import { digest, type Json } from '../base/json.ts'
import type { Node, NodeKind, TaskGraph } from '../graph/graph.ts'
import { type Lane, lanes, type Step } from '../graph/order.ts'

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
  for (const [index, step] of cover.steps.entries()) {
    const next = `${path}.${names[index + 1] ?? 'done'}`
    const [first, ...rest] = step.nodes.map((id) => nodes.get(id) as Node)
    states[names[index] as string] = rest.length === 0 ? single(first as Node, next) : bundle(step, next)
  }
  return { initial: names[0] ?? 'done', states: { ...states, done: { type: 'final' } } }
}

/** A bundle is named after its first node; `+` is in no node id, so no node can have the same name. */
function stepName(step: Step): string {
  return step.nodes.length === 1 ? (step.nodes[0] as string) : `${step.nodes[0]}+${step.nodes.length - 1}`
}

/** One node: wait for what it depends on, then skip it or perform it. A failure is not handled: it fails the plan. */
function single(node: Node, next: string): { [key: string]: Json } {
  const params = { node: node.id }
  const skip: Json = {
    guard: { type: 'unwanted', params },
    target: next,
    actions: [{ type: 'skip', params }],
  }
  const active = activeState[node.kind]
  return {
    initial: 'blocked',
    states: {
      blocked: {
        always: [...(node.when === undefined ? [] : [skip]), { guard: { type: 'ready', params }, target: active }],
      },
      [active]: {
        invoke: { id: node.id, src: node.kind, onDone: { target: next, actions: [{ type: 'complete', params }] } },
      },
    },
  }
}

/** Calls that wait for the same nodes, in one state that is left when all have settled. */
function bundle(step: Step, next: string): { [key: string]: Json } {
  const invoke: Json[] = step.nodes.map((id) => ({
    id,
    src: 'call',
    onDone: {
      actions: [
        { type: 'complete', params: { node: id } },
        { type: 'release', params: { node: id } },
      ],
    },
  }))
  return {
    initial: 'blocked',
    states: {
      blocked: { always: [{ guard: { type: 'ready', params: { node: step.nodes[0] as string } }, target: 'running' }] },
      running: { invoke, always: [{ guard: { type: 'settled', params: { nodes: step.nodes } }, target: next }] },
    },
  }
}
