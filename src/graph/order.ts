import { assert } from '../base/error.ts'
import { chains } from './chains.ts'
import type { Body, Node } from './graph.ts'
import { placesOf } from './parts.ts'
import { references } from './template.ts'

/** The order that a plan asks for, and its lanes. Nothing here recurses: a chain may be 10,000 nodes long. */

/** The nodes that must have settled before `node` can begin: those it refers to, and those it names in `after`. */
export function dependencies(node: Node): string[] {
  const ids = new Set(node.after ?? [])
  for (const { template, orders } of placesOf(node)) if (orders) for (const id of references(template)) ids.add(id)
  return [...ids]
}

/** By node id, the nodes that wait for it. A dependency on a node that is not in the graph is left out. */
export function dependents(graph: Body): Map<string, string[]> {
  const waiting = new Map<string, string[]>(graph.nodes.map(({ id }) => [id, []]))
  for (const node of graph.nodes) for (const id of dependencies(node)) waiting.get(id)?.push(node.id)
  return waiting
}

/** Node ids, each after all that it depends on; nodes in a cycle, or behind one, are left over (Kahn 1962). */
function sort(graph: Body): { order: string[]; left: Map<string, number> } {
  const waiting = dependents(graph)
  const left = new Map<string, number>(graph.nodes.map(({ id }) => [id, 0]))
  for (const ids of waiting.values()) for (const id of ids) left.set(id, (left.get(id) ?? 0) + 1)
  const order = [...left].filter(([, count]) => count === 0).map(([id]) => id)
  for (const done of order) {
    left.delete(done)
    for (const id of waiting.get(done) ?? []) {
      const count = (left.get(id) ?? 0) - 1
      left.set(id, count)
      if (count === 0) order.push(id)
    }
  }
  return { order, left }
}

/** Node ids, each after all that it depends on. The graph must have been checked: it has no cycle. */
export function topologicalOrder(graph: Body): string[] {
  const { order, left } = sort(graph)
  assert(left.size === 0, 'a graph with a cycle has no order; check it first')
  return order
}

/** A cycle as node ids, each of which waits for the one before, the first again at the end; undefined if none. */
export function findCycle(graph: Body): string[] | undefined {
  const { left } = sort(graph)
  if (left.size === 0) return undefined
  const needs = new Map(graph.nodes.map((node) => [node.id, dependencies(node)]))
  const places = new Map<string, number>()
  const path: string[] = []
  let [at] = left.keys()
  // Whatever was left over waits for something left over, so going that way comes round.
  while (at !== undefined && !places.has(at)) {
    places.set(at, path.length)
    path.push(at)
    at = needs.get(at)?.find((id) => left.has(id))
  }
  return at === undefined ? undefined : [...path.slice(places.get(at)), at].reverse()
}

/** A node, or a bundle: calls without a condition that wait for the same nodes and so begin together. */
export interface Step {
  nodes: string[]
}

/** Steps in a row, each of which depends on every node of the step before it. */
export interface Lane {
  /** `lane1`, `lane2` … */
  id: string
  steps: Step[]
}

/**
 * Splits a plan into lanes: every node once, and no order that the plan did not have.
 *
 * There are as few lanes as the plan is wide, counting a bundle as one: a machine has a region for each lane, and the
 * cost of an event grows with the regions. The graph must have been checked.
 */
export function lanes(graph: Body): Lane[] {
  const ids = new Set(graph.nodes.map(({ id }) => id))
  // What an earlier plan of the job has settled is no part of this one.
  const needs = new Map(graph.nodes.map((node) => [node.id, dependencies(node).filter((id) => ids.has(id))]))
  const { twins, joined } = bundle(graph, needs)
  const ofTwins = cover(twins, needs)
  if (joined.length === twins.length) return ofTwins
  const ofJoined = cover(joined, needs)
  return ofJoined.length < ofTwins.length ? ofJoined : ofTwins
}

/** The fewest lanes that some steps can be put into. */
function cover(steps: readonly Step[], needs: ReadonlyMap<string, string[]>): Lane[] {
  const stepOf = new Map<string, number>()
  for (const [index, step] of steps.entries()) for (const id of step.nodes) stepOf.set(id, index)
  const before = steps.map((step) => {
    const count = new Map<number, number>()
    // All nodes of a bundle have the same needs, so the first one speaks for it.
    for (const id of needs.get(step.nodes[0] as string) ?? []) {
      const index = stepOf.get(id) as number
      count.set(index, (count.get(index) ?? 0) + 1)
    }
    return [...count].map(([index, nodes]) => ({ step: index, whole: nodes === (steps[index] as Step).nodes.length }))
  })
  return chains(before).map((chain, index) => ({
    id: `lane${index + 1}`,
    steps: chain.map((at) => steps[at] as Step),
  }))
}

/**
 * The steps of a plan, in the order of their first nodes, in two ways. Twins also have the same nodes waiting for
 * them, so that bundling them never costs a lane. Joined are, beyond that, all that wait for the same nodes where this
 * promises fewer lanes.
 */
function bundle(graph: Body, needs: ReadonlyMap<string, string[]>): { twins: Step[]; joined: Step[] } {
  const waiting = dependents(graph)
  const places = new Map(graph.nodes.map(({ id }, index) => [id, index]))
  const key = (ids: readonly string[] = []) =>
    ids
      .map((id) => places.get(id) as number)
      .sort((a, b) => a - b)
      .join()
  const groups = groupBy(
    graph.nodes.filter((node) => node.kind === 'call' && node.when === undefined).map(({ id }) => id),
    (id) => key(needs.get(id)),
  )
  const twins = new Map<string, string[]>()
  const joined = new Map<string, string[]>()
  for (const group of groups.values()) {
    const sets = [...groupBy(group, (id) => key(waiting.get(id))).values()]
    const isWorth = worthOne(group, sets.length, waiting)
    for (const set of sets) {
      for (const id of set) {
        twins.set(id, set)
        joined.set(id, isWorth ? group : set)
      }
    }
  }
  const stepsOf = (bundles: ReadonlyMap<string, string[]>) =>
    graph.nodes
      .map(({ id }) => bundles.get(id) ?? [id])
      .filter((ids, index) => ids[0] === graph.nodes[index]?.id)
      .map((nodes) => ({ nodes }))
  return { twins: stepsOf(twins), joined: stepsOf(joined) }
}

/**
 * Whether calls with the same dependencies promise fewer lanes as one bundle than as several, one for each set of nodes
 * that wait for them. In one bundle, a node that waits for some of them only begins a lane of its own.
 */
function worthOne(group: readonly string[], sets: number, waiting: ReadonlyMap<string, string[]>): boolean {
  const counts = new Map<string, number>()
  for (const id of group) for (const each of waiting.get(id) ?? []) counts.set(each, (counts.get(each) ?? 0) + 1)
  const partly = [...counts.values()].filter((count) => count < group.length).length
  return 1 + Math.min(sets, partly) < sets
}

function groupBy(ids: readonly string[], key: (id: string) => string): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const id of ids) {
    const name = key(id)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [id])
    else group.push(id)
  }
  return groups
}
