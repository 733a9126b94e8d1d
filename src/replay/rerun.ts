import { canonical, digest, type Json } from '../base/json.ts'
import type { JobActor } from '../compile/actor.ts'
import { type PlanContext, scopeOf } from '../compile/plan-state.ts'
import { compensationsOf } from '../compile/settle.ts'
import type { TaskGraph } from '../graph/graph.ts'
import { dependents } from '../graph/order.ts'
import type { Compensation, Results } from '../graph/result.ts'

/** What a plan that begins anew, or is exchanged for another, keeps of what it has come to. */

export interface Kept {
  results: Results
  undo: readonly Compensation[]
}

type Source = Pick<JobActor, 'context' | 'kept'>

/** Everything that has settled. */
export function keptForRevision(graph: TaskGraph, actor: Source): Kept {
  const context = actor.context as PlanContext
  const own = compensationsOf(graph, context, scopeOf(context))
  return { results: context.nodes, undo: withoutRepeats([...own, ...actor.kept.undo]) }
}

/** Everything that has settled, but `node` and what comes after it. */
export function keptAfter(graph: TaskGraph, actor: Source, node: string): Kept {
  const { results, undo } = keptForRevision(graph, actor)
  const gone = downstream(graph, node)
  const stays = (id: string) => !gone.has(id.split('/')[0] as string)
  return {
    // What was passed over when the plan came to its end has its turn now.
    results: Object.fromEntries(
      Object.entries(results).filter(([id, { status }]) => stays(id) && status !== 'cancelled'),
    ),
    undo: undo.filter(({ id }) => stays(id)),
  }
}

/** A node with everything that waits for it, directly or not. */
export function downstream(graph: TaskGraph, node: string): Set<string> {
  const waiting = dependents(graph)
  const found = new Set([node])
  for (const id of found) for (const next of waiting.get(id) ?? []) found.add(next)
  return found
}

/** The part of a plan that has not settled. `hash` is that of the whole plan, where it is known. */
export function remaining(graph: TaskGraph, results: Results, hash?: string): { graph: TaskGraph; hash: string } {
  const nodes = graph.nodes.filter(({ id }) => !(id in results))
  if (nodes.length === graph.nodes.length && hash !== undefined) return { graph, hash }
  const rest = { ...graph, nodes }
  return { graph: rest, hash: digest(rest as unknown as Json) }
}

/** Tells nodes that are the same in two plans. */
export function sameIn(one: TaskGraph, other: TaskGraph): (node: string) => boolean {
  const textOf = (graph: TaskGraph, node: string) =>
    canonical((graph.nodes.find(({ id }) => id === node) ?? null) as unknown as Json)
  return (node) => textOf(one, node) === textOf(other, node)
}

function withoutRepeats(list: readonly Compensation[]): Compensation[] {
  return [...new Map(list.toReversed().map((each) => [each.id, each])).values()].toReversed()
}
