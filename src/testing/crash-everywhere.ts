import type { AnyAgent } from '../agent/agent.ts'
import { named, pure } from '../compile/purity.ts'
import { checkCalls, differences } from './crash-checks.ts'
import { CrashPoints, chosen } from './crash-points.ts'
import { type Finding, FindingsError } from './findings.ts'
import { asText, messageOf, type Played, play, type Run, resolveUnknown, type Scenario } from './play.ts'
import { Stage } from './stage.ts'
import type { Answer, CallRecord } from './world.ts'
import { familyOf } from './wrap-agent.ts'

export interface CrashOptions {
  /** How many places are tried, drawn with `seed` (default 1) where there are more. Default 1,000. */
  points?: { max?: number; seed?: number }
  /** Seed of the runs: ids and jitter. Default 1. */
  seed?: number
  /** Looks at a run; throws where something is wrong with it. Also called for the run without a crash. */
  check?(run: Run): void | Promise<void>
  /**
   * Says how a `once` call ended whose outcome is unknown. Default, also where this gives undefined: after a crash what
   * really became of it; else nothing, and the job goes on waiting.
   */
  resolve?(call: Pick<CallRecord, 'jobId' | 'effect'>): Answer | undefined
}

export interface CrashReport {
  /** Places at which the process of this scenario may die. */
  points: number
  /** How many of them were tried. */
  tried: number
}

/**
 * Plays a scenario once for every place at which its process may die (each write to the store: before it is stored, when
 * it is stored and nobody was told, when it is acknowledged; each call of a tool or planner: before it, in it, after it),
 * lets it die there, and holds what comes of it after recovery against the run without a crash:
 *
 * every job has come to the same, and the scenario returned the same; no `once` call was made twice; each call had one
 * idempotency key; every history replays to the state of its job. Also, once: plans are functions of the job's input.
 *
 * In memory and in virtual time. What a tool was doing at a crash goes on outside; give it tools that need no real time.
 *
 * @param agents the agent, or all that the scenario starts jobs of.
 * @throws FindingsError with everything that is wrong; what the scenario throws without a crash.
 */
export async function crashEverywhere(
  agents: AnyAgent | readonly AnyAgent[],
  scenario: Scenario,
  options: CrashOptions = {},
): Promise<CrashReport> {
  const all = 'name' in agents ? [agents] : agents
  const first = new CrashPoints()
  const base = await run(all, scenario, first, options)
  if (base.thrown !== undefined) throw base.thrown.error
  const findings = [...impurePlans(all, base), ...(await examine(base, base, options))]
  if (findings.length > 0) throw new FindingsError(findings, 1)
  const again = { ...(await run(all, scenario, new CrashPoints(), options)), where: 'twice without a crash' }
  findings.push(...found(again, differences(again, base, 'the first time')))
  if (findings.length > 0) throw new FindingsError(findings, 2)
  const places = chosen(first.names.length, options.points)
  for (const place of places) {
    const points = new CrashPoints(place)
    const where = first.names[place] as string
    const crashed = { ...(await run(all, scenario, points, options)), where: `crash at the ${where}` }
    const there = points.names[place] ?? 'end'
    if (there === where) findings.push(...(await examine(crashed, base, options)))
    else findings.push(...found(crashed, [`The run did not come there again, but to the ${there}.`]))
  }
  if (findings.length > 0) throw new FindingsError(findings, places.length + 2)
  return { points: first.names.length, tried: places.length }
}

async function run(
  agents: readonly AnyAgent[],
  scenario: Scenario,
  points: CrashPoints,
  { seed = 1, resolve }: CrashOptions,
): Promise<Played> {
  const stage = await Stage.open({
    ...{ agents, seed },
    around: (life, { world }) => points.around(life, world),
    fate: points.fate,
    onRest: (at) => resolveUnknown(at, (call) => resolve?.(call) ?? at.world.truth(call.jobId, call.effect)),
  })
  return play(stage, scenario, agents)
}

async function examine(run: Played, base: Played, { check }: CrashOptions): Promise<Finding[]> {
  const problems = [...run.problems, ...checkCalls(run, base)]
  if (run.thrown !== undefined) problems.push(`The scenario threw: ${messageOf(run.thrown.error)}`)
  else if (run !== base) problems.push(...differences(run, base, 'without the crash'))
  try {
    await check?.(run)
  } catch (error) {
    problems.push(`The check says: ${messageOf(error)}`)
  }
  return found(run, problems)
}

function found({ where = 'without a crash', timeline }: Run, problems: readonly string[]): Finding[] {
  return problems.map((problem) => ({ where, problem, timeline }))
}

/** Plans that look at more than the input: a job that is started again after a crash might get another one. */
function impurePlans(agents: readonly AnyAgent[], base: Played): Finding[] {
  const family = familyOf(agents)
  return [...base.histories.values()].flatMap((events) => {
    const created = events[0]
    if (created?.type !== 'job.created') return []
    const { agent: name, input } = created.data
    const plan = family.get(name)?.plan
    const adopted = events.find(({ type }) => type === 'plan.adopted')
    return plan === undefined || adopted?.type !== 'plan.adopted'
      ? []
      : found(
          base,
          impurity(name, () => plan(input), adopted.data.graph),
        )
  })
}

function impurity(name: string, plan: () => unknown, before: unknown): string[] {
  const { impurity: used } = pure(name, () => {
    try {
      named('it', plan)
    } catch {
      // Also where the plan does not mind, it is noted that it reached for the world.
    }
  })
  const why = used ?? (asText(plan()) === asText(before) ? undefined : 'asked again with the same input, it is another')
  if (why === undefined) return []
  return [`The plan of agent "${name}" is no function of its input: ${why}. Let a tool find out what it needs to know.`]
}
