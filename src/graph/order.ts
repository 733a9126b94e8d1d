import { conditionReferences } from './condition.ts'
import type { Node, TaskGraph } from './graph.ts'
import { references } from './template.ts'

/** The nodes that must have settled before `node` can begin: those it refers to, and those it names in `after`. */
export function dependencies(node: Node): string[] {
  const found = new Set(node.after ?? [])
  const templates = node.kind === 'call' ? [node.input] : node.kind === 'map' ? [node.over, node.input] : []
  for (const template of templates) for (const id of references(template)) found.add(id)
  if (node.when !== undefined) for (const id of conditionReferences(node.when)) found.add(id)
  return [...found]
}

/**
 * Node ids, each after what it depends on (Kahn 1962), and those left over, which are in or behind a cycle.
 * Dependencies on unknown nodes are ignored.
 */
export function topologicalOrder(needs: ReadonlyMap<string, readonly string[]>): { order: string[]; rest: string[] } {
  const open = new Map<string, number>()
  const dependents = new Map<string, string[]>()
  for (const [id, list] of needs) {
    const known = list.filter((need) => needs.has(need))
    open.set(id, known.length)
    for (const need of known) dependents.set(need, [...(dependents.get(need) ?? []), id])
  }
  const order = [...needs.keys()].filter((id) => open.get(id) === 0)
  for (let at = 0; at < order.length; at += 1) {
    for (const id of dependents.get(order[at] as string) ?? []) {
      const left = (open.get(id) as number) - 1
      open.set(id, left)
      if (left === 0) order.push(id)
    }
  }
  const done = new Set(order)
  return { order, rest: [...needs.keys()].filter((id) => !done.has(id)) }
}

/** Nodes that are entered together: one, or several calls without condition that wait for the same nodes. */
export interface Step {
  nodes: string[]
}

/** A chain of steps, each of which depends on every node of the one before. */
export interface Lane {
  id: string
  steps: Step[]
}

/**
 * A chain cover of the graph: every node once, in as few chains as a matching over direct edges gives (Fulkerson
 * 1956; the matching by augmenting paths, Kuhn 1955). A chain adds no order that the plan did not have.
 */
export function lanes(graph: TaskGraph): Lane[] {
  const needs = new Map(graph.nodes.map((node) => [node.id, dependencies(node)]))
  const steps = bundles(graph, needs)
  const next = matchSteps(steps, needs)
  const followers = new Set(next.values())
  const { order } = topologicalOrder(needs)
  const stepOf = new Map(steps.flatMap((step) => step.nodes.map((id) => [id, step] as const)))
  const sorted = [...new Set(order.map((id) => stepOf.get(id) as Step))]
  const heads = sorted.filter((step) => !followers.has(step))
  return heads.map((head, index) => {
    const chain: Step[] = []
    for (let step: Step | undefined = head; step !== undefined; step = next.get(step)) chain.push(step)
    return { id: `lane${index + 1}`, steps: chain }
  })
}

function bundles(graph: TaskGraph, needs: ReadonlyMap<string, string[]>): Step[] {
  const steps: Step[] = []
  const open = new Map<string, Step>()
  for (const node of graph.nodes) {
    const key = JSON.stringify([...(needs.get(node.id) as string[])].sort())
    const known = node.kind === 'call' && node.when === undefined ? open.get(key) : undefined
    if (known !== undefined) {
      known.nodes.push(node.id)
      continue
    }
    const step = { nodes: [node.id] }
    steps.push(step)
    if (node.kind === 'call' && node.when === undefined) open.set(key, step)
  }
  return steps
}

/** For each step the one that follows it in its lane: a maximum matching of steps to direct successors. */
function matchSteps(steps: readonly Step[], needs: ReadonlyMap<string, readonly string[]>): Map<Step, Step> {
  const stepOf = new Map(steps.flatMap((step) => step.nodes.map((id) => [id, step] as const)))
  const before = new Map<Step, Step[]>()
  for (const step of steps) {
    // A bundle's nodes all have the same needs, so the first one speaks for it.
    const needed = new Set(needs.get(step.nodes[0] as string))
    const candidates = new Set([...needed].map((id) => stepOf.get(id) as Step))
    before.set(step, [...candidates].filter((each) => each.nodes.every((id) => needed.has(id))))
  }
  const matching: Matching = { next: new Map(), previous: new Map() }
  for (const step of steps) augment(step, before, matching)
  return matching.next
}

interface Matching {
  next: Map<Step, Step>
  previous: Map<Step, Step>
}

/** Finds a predecessor for `step`, moving others to another one where that helps; breadth first, without recursion. */
function augment(step: Step, before: ReadonlyMap<Step, Step[]>, matching: Matching): void {
  const cameFrom = new Map<Step, Step>()
  const queue = [step]
  for (let at = 0; at < queue.length && at < searchMax; at += 1) {
    const follower = queue[at] as Step
    for (const candidate of before.get(follower) as Step[]) {
      if (cameFrom.has(candidate)) continue
      cameFrom.set(candidate, follower)
      const taken = matching.next.get(candidate)
      if (taken !== undefined) {
        queue.push(taken)
        continue
      }
      reassign(candidate, step, cameFrom, matching)
      return
    }
  }
}

function reassign(free: Step, step: Step, cameFrom: ReadonlyMap<Step, Step>, { next, previous }: Matching): void {
  let candidate = free
  for (;;) {
    const follower = cameFrom.get(candidate) as Step
    const freed = previous.get(follower)
    next.set(candidate, follower)
    previous.set(follower, candidate)
    if (follower === step || freed === undefined) return
    candidate = freed
  }
}

/** Steps that one search looks at; past it a lane more is cheaper than looking on. */
const searchMax = 200
