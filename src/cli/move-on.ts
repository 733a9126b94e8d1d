import type { AnyAgent } from '../agent/agent.ts'
import { isAetherisError } from '../base/error.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import { isPassing } from '../runtime/patience.ts'
import { openRuntime, type Runtime } from '../runtime/runtime.ts'
import { attend } from './attend.ts'
import { conclude, type Left } from './conclude.ts'
import type { Context } from './context.ts'
import { eventsOf } from './history.ts'
import { onlyJob } from './only-job.ts'
import { Progress } from './progress.ts'
import { tellThrown } from './thrown.ts'

/** A job that a verb moves on. */
export interface Moving extends Omit<Left, 'job' | 'runtime'> {
  jobId: string
  /** All agents of the module: a job may start jobs of others. */
  agents: readonly AnyAgent[]
}

/**
 * Opens a runtime for one job, lets `start` find or make it, stays with it, and says how it is at the end. What `start`
 * refuses is refused before anything is done for the job. Gives the exit code.
 */
export async function moveOn(
  context: Context,
  moving: Moving,
  start: (runtime: Runtime) => Promise<JobHandle>,
): Promise<number> {
  await using runtime = await openHeld(context, moving)
  return await goOn(context, { ...moving, runtime, job: await start(runtime) })
}

/** A runtime for one job that applies what has come in, and performs nothing until it is released. */
export async function openHeld(context: Context, { store, jobId, agents }: HeldOptions): Promise<Runtime> {
  const progress = new Progress(context.output, Date.now)
  if ((await store.get(jobId)) !== undefined) for await (const event of eventsOf(store, jobId)) progress.past(event)
  return openRuntime({
    store: onlyJob(store, jobId),
    agents,
    effects: 'hold',
    inspect: (told) => {
      const isOwn = told.type === '@xstate.event' && told.rootId === jobId
      if (isOwn) progress.event(told.event, told.actorRef.getSnapshot())
    },
    // What keeps the job from going on is thrown to whoever waits for it; left are errors of custom actions.
    onProblem: ({ error }) => {
      if (isPassing(error)) context.output.note(`The job waits for the disk: ${(error as Error).message}`)
      else if (!isAetherisError(error)) context.output.note(`An action of the machine failed: ${String(error)}`)
    },
    onThrown: tellThrown(context, jobId),
  })
}

type HeldOptions = Pick<Moving, 'store' | 'jobId' | 'agents'>

/** Goes on with a job, and says how it is at the end. Gives the exit code. */
export async function goOn(context: Context, left: Left): Promise<number> {
  return conclude(context, left, await attend(context, left))
}
