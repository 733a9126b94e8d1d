import { z } from 'zod'
import { type AnyAgent, agent } from '../agent/agent.ts'
import { AetherisError } from '../base/error.ts'
import type { EventData, JobEvent } from '../event/event.ts'
import { type Replay, type ReplayOptions, replay } from '../replay/replay.ts'
import { type JobRow, type JobStore, keyPart } from '../store/store.ts'
import { UsageError } from './exit-codes.ts'
import type { Io } from './io.ts'
import { type LoadedModule, loadModule } from './load-module.ts'

/** What verbs read of a job without running it. */

/** @throws AetherisError JOB_NOT_FOUND */
export async function rowOf(store: JobStore, jobId: string): Promise<JobRow> {
  const row = keyPart.test(jobId) ? await store.get(jobId) : undefined
  if (row === undefined) throw new AetherisError('JOB_NOT_FOUND', `There is no job "${jobId}".`, { jobId })
  return row
}

export async function* eventsOf(store: JobStore, jobId: string, from = 0): AsyncGenerator<JobEvent, void, void> {
  for await (const chunk of store.read(jobId, { from })) yield* chunk
}

export async function createdOf(store: JobStore, jobId: string): Promise<EventData<'job.created'>> {
  for await (const event of eventsOf(store, jobId)) {
    if (event.type === 'job.created') return event.data
    break
  }
  throw new AetherisError('STORE_CORRUPT', `The history of job "${jobId}" does not begin with job.created.`, {
    jobId,
    seq: 0,
  })
}

/** The last event from `from` on that `matches`. */
export async function lastEvent(
  store: JobStore,
  jobId: string,
  matches: (event: JobEvent) => boolean,
  from = 0,
): Promise<JobEvent | undefined> {
  let last: JobEvent | undefined
  for await (const event of eventsOf(store, jobId, from)) if (matches(event)) last = event
  return last
}

/** The module that defines the agent of a job. */
export type JobModule = LoadedModule & { agent: AnyAgent }

/**
 * Loads the module of a job: `given`, or the one that its history names.
 * @throws UsageError when neither is there, or it does not export the agent.
 */
export async function moduleOf(
  io: Io,
  { agent: name, source }: EventData<'job.created'>,
  given: string | undefined,
): Promise<JobModule> {
  const need = `This needs the definition of agent "${name}"`
  const path = given ?? source
  if (path === undefined) throw new UsageError(`${need}, and the history does not say where it is: add --module PATH.`)
  const loaded = await loadModule(io, path).catch((error: Error) => {
    const other = given === undefined ? ' Or add --module PATH.' : ''
    throw new UsageError(`${need}. ${error.message}${other}`, { cause: error })
  })
  const found = loaded.allAgents.find((each) => each.name === name)
  if (found !== undefined) return { ...loaded, agent: found }
  const names = loaded.agents.map((each) => each.name).join(', ')
  throw new UsageError(`${need}, but "${loaded.path}" exports: ${names}. Add --module PATH.`)
}

/** Its agent, where its module can be loaded. It knows the form of the signals. */
export async function agentOf(
  io: Io,
  created: EventData<'job.created'>,
  given: string | undefined,
): Promise<AnyAgent | undefined> {
  return moduleOf(io, created, given).then(
    ({ agent: found }) => found,
    () => undefined,
  )
}

/**
 * Replays a job as it is stored. A plan is in its history; only a hand-written machine needs its module.
 * @throws UsageError when it needs a module and has none.
 */
export async function replayOf(
  io: Io,
  store: JobStore,
  jobId: string,
  options: ReplayOptions & { module?: string | undefined } = {},
): Promise<Replay<unknown>> {
  const created = await createdOf(store, jobId)
  const definition =
    created.machine === undefined ? planned(created.agent) : await moduleOf(io, created, options.module)
  return replay(definition.agent, eventsOf(store, jobId), options)
}

/** Enough of an agent to replay a job that carries its own plan. */
function planned(name: string): { agent: AnyAgent } {
  const planner = { name: 'recorded', plan: () => ({ nodes: [], output: null }) }
  return { agent: agent({ name, input: z.any(), output: z.any(), planner }) }
}
