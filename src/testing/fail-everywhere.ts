import type { AnyAgent } from '../agent/agent.ts'
import { checkEnds, checkUndone, undoneIn } from './fail-checks.ts'
import { type Fault, faults } from './faults.ts'
import { type Finding, FindingsError } from './findings.ts'
import { messageOf, type Played, play, type Run, type Scenario } from './play.ts'
import { Stage, type StageOptions } from './stage.ts'
import { tableOf } from './table.ts'
import type { CallRecord } from './world.ts'

export interface FailureOptions {
  /** The ways to fail that are tried. Default: all. */
  faults?: readonly Fault[]
  /** Seed of the runs: ids and jitter. Default 1. */
  seed?: number
  /** Looks at a run; throws where something is wrong with it. Also called for the run in which nothing fails. */
  check?(run: Run): void | Promise<void>
}

/** What the jobs of a scenario have come to when one call went wrong. */
export interface FailureRow {
  /** The node or effect that the call was for; with the job in front where it was not the first one. */
  call: string
  fault: Fault
  /** `completed`, `failed: …`, `cancelled` or `waits: …`, of the first job. */
  end: string
  /** The calls that were undone, in that order. */
  undone: readonly string[]
}

export interface FailureReport {
  rows: readonly FailureRow[]
  /** The rows as a table, for a snapshot test. */
  text: string
}

interface Target {
  jobId: string
  effect: string
}

/**
 * Plays a scenario once for each call that its jobs make and each way in which a call can go wrong, and tells what came
 * of it. Of the items of a map and the rounds of a loop the first is taken.
 *
 * In every run, each job has to end or to wait for somebody, with a reason; what is undone has to be undone latest
 * first; and every history has to replay. What the scenario asks of jobs that have gone another way is refused, and the
 * refusal passed over; what it throws ends it. Where a call is to hang past a cancel, its job is cancelled.
 *
 * @param agents the agent, or all that the scenario starts jobs of.
 * @throws FindingsError with everything that is wrong; what the scenario throws when nothing fails.
 */
export async function failEverywhere(
  agents: AnyAgent | readonly AnyAgent[],
  scenario: Scenario,
  options: FailureOptions = {},
): Promise<FailureReport> {
  const all = 'name' in agents ? [agents] : agents
  const base = await run(all, scenario, options)
  if (base.thrown !== undefined) throw base.thrown.error
  const findings: Finding[] = await examine(base, options)
  const rows: FailureRow[] = []
  const [first = ''] = base.histories.keys()
  for (const target of targetsOf(base.calls)) {
    for (const fault of options.faults ?? (Object.keys(faults) as Fault[])) {
      const call = target.jobId === first ? target.effect : `${target.jobId} ${target.effect}`
      const played = { ...(await run(all, scenario, options, target, fault)), where: `${call} ${fault}` }
      rows.push({ call, fault, ...outcomeOf(played, first) })
      findings.push(...(await examine(played, options)))
    }
  }
  if (findings.length > 0) throw new FindingsError(findings, rows.length + 1)
  return { rows, text: textOf(rows) }
}

/** The calls to try: each node once. */
function targetsOf(calls: readonly CallRecord[]): Target[] {
  const targets = new Map<string, Target>()
  for (const { jobId, effect } of calls) {
    const place = `${jobId} ${effect.replaceAll(/#\d+/g, '').replaceAll(/\/\d+(?=\/|$)/g, '/n')}`
    if (!targets.has(place)) targets.set(place, { jobId, effect })
  }
  return [...targets.values()]
}

async function run(
  agents: readonly AnyAgent[],
  scenario: Scenario,
  { seed = 1 }: FailureOptions,
  target?: Target,
  fault?: Fault,
): Promise<Played> {
  const stage = await Stage.open({
    ...{ agents, seed, isForgiving: target !== undefined },
    ...(target === undefined || fault === undefined ? unharmed : harming(target, fault)),
  })
  return play(stage, scenario, agents)
}

type Harm = Pick<StageOptions, 'around' | 'onRest'>

const unharmed: Harm = { around: (_, { world }) => world.observed }

/** Lets the calls for `target` go wrong; where they are to hang past a cancel, also cancels their job. */
function harming(target: Target, fault: Fault): Harm {
  let attempts = 0
  let isCancelled = fault !== 'hangs past cancel'
  return {
    around(_, { world }) {
      return (call, perform, abortSignal) => {
        if (call.jobId !== target.jobId || call.effect !== target.effect)
          return world.observed(call, perform, abortSignal)
        attempts += 1
        const nth = attempts
        return world.observed(call, () => faults[fault](nth, perform, abortSignal), abortSignal)
      }
    },
    async onRest(stage) {
      if (isCancelled || attempts === 0) return false
      isCancelled = true
      await (await stage.job(target.jobId)).cancel({ by: 'the test' })
      return true
    },
  }
}

async function examine(run: Played, { check }: FailureOptions): Promise<Finding[]> {
  const problems = [...run.problems, ...checkEnds(run), ...checkUndone(run)]
  try {
    await check?.(run)
  } catch (error) {
    problems.push(`The check says: ${messageOf(error)}`)
  }
  const { where = 'when nothing fails', timeline } = run
  return problems.map((problem) => ({ where, problem, timeline }))
}

function outcomeOf({ ends, reasons, histories }: Played, jobId: string): Pick<FailureRow, 'end' | 'undone'> {
  const { phase: reached = 'not begun', error = '' } = ends[jobId] ?? {}
  const waits = reasons.get(jobId)?.map(({ what }) => what)
  const [phase, because] = waits === undefined ? [reached, error] : ['waits', waits.join(' ')]
  const end = because === '' ? phase : `${phase}: ${because}`
  return { end: end.replaceAll(/\s+/g, ' '), undone: undoneIn(histories.get(jobId) ?? []) }
}

function textOf(rows: readonly FailureRow[]): string {
  const lines = rows.map(({ call, fault, end, undone }) => [call, fault, end, undone.join(', ')])
  return tableOf(['call', 'goes wrong', 'the job', 'undone'], lines)
}
