import type { AnyAgent } from '../agent/agent.ts'
import { toErrorData } from '../base/error.ts'
import { canonical, type Json } from '../base/json.ts'
import type { JobEvent } from '../event/event.ts'
import { replay } from '../replay/replay.ts'
import type { Reason } from '../replay/why.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import type { Stage } from './stage.ts'
import type { Answer, CallRecord } from './world.ts'
import { familyOf } from './wrap-agent.ts'

/** One run of a scenario, and what it came to. */

/**
 * What users do: they start jobs, signal, approve, let time pass. Called anew for each run, so it begins by making the
 * world outside as it was. What it returns counts as a part of what the run has come to: give the state of that world.
 */
export type Scenario = (stage: Stage) => Promise<unknown>

/** What a job has come to. */
export interface JobEnd {
  phase: string
  output?: Json
  error?: string
  /** How each node of its plan has ended, or where it stands. */
  nodes: Readonly<Record<string, string>>
  /** What it still waits for: `pay unknown`. */
  pending: readonly string[]
}

export interface Run {
  /** What was done to it; undefined where nothing was. */
  where: string | undefined
  /** What the scenario returned. */
  returned: unknown
  /** What each job has come to, by id. */
  ends: Readonly<Record<string, JobEnd>>
  /** The history of each job, by id. */
  histories: ReadonlyMap<string, readonly JobEvent[]>
  /** Each call of a tool or a planner, in order. */
  calls: readonly CallRecord[]
  /** What happened, for people. */
  timeline: readonly string[]
}

/** A run with what is known of it beside. */
export interface Played extends Run {
  /** What the scenario threw. */
  thrown: { error: unknown } | undefined
  /** Why those jobs that have not ended do not move, by id. */
  reasons: ReadonlyMap<string, readonly Reason[]>
  /** What no run may come to, in sentences. */
  problems: readonly string[]
}

/** Plays a scenario, then lets time pass until nothing is due any more, and closes the stage. */
export async function play(stage: Stage, scenario: Scenario, agents: readonly AnyAgent[]): Promise<Played> {
  let returned: unknown
  let thrown: Played['thrown']
  try {
    returned = await scenario(stage)
  } catch (error) {
    thrown = { error }
  }
  const isOver = await stage.finish()
  const ends: Record<string, JobEnd> = {}
  const histories = new Map<string, JobEvent[]>()
  const reasons = new Map<string, Reason[]>()
  const problems = isOver ? [] : ['When the scenario has ended, timers go on for ever; let it end its jobs.']
  for (const id of await stage.jobIds()) {
    const job = await stage.job(id)
    const events: JobEvent[] = []
    for await (const event of job.events()) events.push(event)
    histories.set(id, events)
    ends[id] = endOf(job)
    if (job.getSnapshot().status === 'active') reasons.set(id, await job.why())
    problems.push(...(await replayed(agents, job, events)))
  }
  problems.push(...stage.problems)
  await stage.close()
  const { calls, timeline } = stage.world
  return { where: undefined, returned, thrown, ends, histories, reasons, calls, timeline, problems }
}

function endOf(job: JobHandle): JobEnd {
  const { phase, output, error, nodes, pending } = job.getSnapshot()
  return {
    phase,
    ...(output === undefined ? {} : { output: output as Json }),
    ...(error === undefined ? {} : { error: error.message }),
    nodes,
    pending: pending.map(({ effect, status }) => `${effect} ${status}`),
  }
}

/** A history leads to the state that its job is in, by itself. */
async function replayed(agents: readonly AnyAgent[], job: JobHandle, events: readonly JobEvent[]): Promise<string[]> {
  const agent = familyOf(agents).get(job.agent.name)
  if (agent === undefined) return []
  const { divergence, snapshot } = await replay(agent, events)
  if (divergence !== undefined) {
    const { seq, path, recorded, replayed: now } = divergence
    const differs = `${path} was ${JSON.stringify(recorded)} and is ${JSON.stringify(now)}`
    return [`The history of job "${job.id}" does not replay: at seq ${seq}, ${differs}.`]
  }
  const isSame = asText(snapshot) === asText(job.getSnapshot())
  return isSame ? [] : [`The history of job "${job.id}" replays to another state than the job is in.`]
}

/** Somebody looks outside, wherever a job waits for that. True where there was something to say. */
export async function resolveUnknown(
  stage: Stage,
  said: (call: Pick<CallRecord, 'jobId' | 'effect'>) => Answer | undefined,
): Promise<boolean> {
  let hasSaid = false
  for (const jobId of await stage.jobIds(true)) {
    const job = await stage.job(jobId)
    for (const { effect, status } of job.getSnapshot().pending) {
      const answer = status === 'unknown' ? said({ jobId, effect }) : undefined
      if (answer === undefined) continue
      hasSaid = true
      await job.resolve(effect, answer, { by: 'the test', reason: 'It has looked outside.' })
    }
  }
  return hasSaid
}

/** A value as text that is the same for the same value, whatever it is. */
export function asText(value: unknown): string {
  return canonical(JSON.parse(JSON.stringify(value ?? null) ?? 'null') as Json)
}

/** What was thrown, as a sentence. */
export function messageOf(error: unknown): string {
  return toErrorData(error).message
}
