import type { AnyAgent } from '../agent/agent.ts'
import { isAetherisError } from '../base/error.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import { openRuntime, type Runtime } from '../runtime/runtime.ts'
import type { JobStore } from '../store/store.ts'
import { attend } from './attend.ts'
import { conclude } from './conclude.ts'
import type { CommonOptions, Context } from './context.ts'
import { eventsOf } from './history.ts'
import { onlyJob } from './only-job.ts'
import { Progress } from './progress.ts'

/** A job that a verb moves on. */
export interface Moving {
  store: JobStore
  jobId: string
  /** All agents of the module: a job may start jobs of others. */
  agents: readonly AnyAgent[]
  /** The module of the agents, as it is named in a line to type. */
  module: string
  options: CommonOptions
  /** Stay while only a timer runs, and ask whoever is at the terminal. */
  wait: boolean
}

/**
 * Opens a runtime for one job, lets `start` find or make it, stays with it, and says how it is at the end.
 * Gives the exit code.
 */
export async function moveOn(
  context: Context,
  moving: Moving,
  start: (runtime: Runtime) => Promise<JobHandle>,
): Promise<number> {
  const { store, jobId, agents } = moving
  const progress = new Progress(context.output, Date.now)
  if ((await store.get(jobId)) !== undefined) for await (const event of eventsOf(store, jobId)) progress.past(event)
  await using runtime = await openRuntime({
    store: onlyJob(store, jobId),
    agents,
    inspect: (told) => {
      const isOwn = told.type === '@xstate.event' && told.rootId === jobId
      if (isOwn) progress.event(told.event, told.actorRef.getSnapshot())
    },
    // What keeps the job from going on is thrown to whoever waits for it; left are errors of custom actions.
    onProblem: ({ error }) => {
      if (!isAetherisError(error)) context.output.note(`An action of the machine failed: ${String(error)}`)
    },
  })
  const left = { ...moving, runtime, job: await start(runtime) }
  return await conclude(context, left, await attend(context, left))
}
