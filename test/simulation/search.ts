import fc from 'fast-check'
import { type Case, cases } from './case.ts'
import { type Outcome, run } from './run.ts'

/** Run after run, each from a number of its own, until one fails. */

export interface Found {
  /** Number of the run: `npm run sim -- --seed N --runs 1` makes the same one. */
  seed: number
  /** What fails, made as small as could be found. */
  given: Case
  outcome: Outcome
}

export interface Totals {
  runs: number
  steps: number
  events: number
  /** What was done to the system on purpose, by kind. */
  injected: Map<string, number>
}

export interface Search {
  firstSeed: number
  /** Asked before each run. */
  isOver: (totals: Totals) => boolean
  /** For how long a failure is made smaller, in milliseconds; 0 leaves it as it is. Default 60 s. */
  shrinkMs?: number
}

export async function search({ firstSeed, isOver, shrinkMs = 60_000 }: Search): Promise<Totals & { found?: Found }> {
  const totals: Totals = { runs: 0, steps: 0, events: 0, injected: new Map() }
  for (let seed = firstSeed; !isOver(totals); seed += 1) {
    const given = await failing(seed, shrinkMs, (outcome) => count(totals, outcome))
    if (given !== undefined) return { ...totals, found: { seed, given, outcome: await run(given) } }
  }
  return totals
}

/** The case of a number, if it fails; fast-check makes it smaller. */
async function failing(seed: number, shrinkMs: number, ran: (outcome: Outcome) => void): Promise<Case | undefined> {
  let isFirst = true
  const property = fc.asyncProperty(cases, async (given) => {
    const outcome = await run(given)
    if (isFirst) ran(outcome)
    isFirst = false
    return outcome.failure === undefined
  })
  const effort = shrinkMs === 0 ? { endOnFailure: true } : { interruptAfterTimeLimit: shrinkMs }
  const { counterexample } = await fc.check(property, { ...one(seed), ...effort })
  return counterexample?.[0]
}

/** The case of a number. */
export async function caseOf(seed: number): Promise<Case> {
  const given: Case[] = []
  await fc.check(
    fc.asyncProperty(cases, async (each) => void given.push(each)),
    one(seed),
  )
  return given[0] as Case
}

/** Neighbouring seeds would begin alike. */
function one(seed: number): { seed: number; numRuns: number } {
  return { seed: Math.imul(seed, 0x9e3779b1), numRuns: 1 }
}

function count(totals: Totals, { steps, events, injected }: Outcome): void {
  totals.runs += 1
  totals.steps += steps
  totals.events += events
  for (const [kind, times] of injected) totals.injected.set(kind, (totals.injected.get(kind) ?? 0) + times)
}

export function faultsOf({ injected }: Totals): number {
  return [...injected.values()].reduce((sum, times) => sum + times, 0)
}

const linesShown = 80

/** A failure as somebody reads it who has never seen the case before. */
export function told({ seed, given, outcome: { failure, timeline } }: Found): string {
  return [
    `Run ${seed} fails: ${failure}`,
    'What happened, in virtual milliseconds:',
    ...timeline.slice(-linesShown),
    'The case, as small as could be found (npm run sim -- --case FILE runs it again):',
    JSON.stringify(given),
  ].join('\n')
}
