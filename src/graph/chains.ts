import { Flow } from './flow.ts'

/**
 * Chain covers: a partial order split into as few chains as it is wide (Dilworth 1950).
 *
 * A chain may leap: in a → b → c it may go from a to c while b is in another chain. Such leaps are found as a flow
 * through the order (Fulkerson 1956) rather than in its transitive closure, which has 50 million pairs for a chain of
 * 10,000.
 */

/** A step that comes before another. */
export interface Before {
  step: number
  /** Whether all of its nodes do, so that the other may follow it in a chain. */
  whole: boolean
}

/**
 * Puts each step into one chain such that each comes before the next. `before[i]` says what comes directly before
 * step i; there are no cycles. Chains are in order of their first steps; the same input gives the same chains.
 */
export function chains(before: readonly (readonly Before[])[]): number[][] {
  const next = followers(before)
  const follows = new Set(next.values())
  const heads = before.map((_, step) => step).filter((step) => !follows.has(step))
  return heads.map((head) => {
    const chain: number[] = []
    for (let at: number | undefined = head; at !== undefined; at = next.get(at)) chain.push(at)
    return chain
  })
}

/**
 * The step after each step, for as many steps as can have one.
 *
 * Each step has three vertices. Units of flow leave its `end` to look for a follower and arrive at a `begin`; one of
 * them may stop there, the others go `through` to what comes after that step.
 */
function followers(before: readonly (readonly Before[])[]): Map<number, number> {
  const count = before.length
  const end = (step: number) => step
  const begin = (step: number) => count + step
  const through = (step: number) => 2 * count + step
  const source = 3 * count
  const sink = source + 1
  const flow = new Flow(3 * count + 2)
  const starts = before.map((_, step) => flow.edge(source, end(step), 1))
  for (let step = 0; step < count; step += 1) {
    // The edge to the sink is the first out of `begin`: a follower that is near goes before one that is far.
    flow.edge(begin(step), sink, 1)
    flow.edge(begin(step), through(step), count)
    flow.edge(through(step), end(step), count)
  }
  for (const [step, list] of before.entries()) {
    for (const { step: earlier, whole } of list) flow.edge((whole ? end : through)(earlier), begin(step), count)
  }
  flow.fill(source, sink)
  const next = new Map<number, number>()
  for (const [step, start] of starts.entries()) {
    const last = flow.follow(start, sink).at(-1)
    if (last !== undefined) next.set(step, last - count)
  }
  return next
}
