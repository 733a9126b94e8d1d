import type { JobEvent } from '../event/event.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import type { JobHandle } from '../runtime/job-handle.ts'

/** A job as a scenario has it: the same handle through all processes that run the job one after the other. */

export interface JobStage {
  /** The handle of the process that lives now. @internal */
  handle(jobId: string): JobHandle
  /** Asks that process about a job, or the next one where it dies. @internal */
  askJob<T>(jobId: string, question: (job: JobHandle) => Promise<T>): Promise<T>
  settle(): Promise<void>
  /** An id for a signal that is sent once, however often it is asked for. @internal */
  nextSignalId(): string
}

export function stagedJob(stage: JobStage, jobId: string): JobHandle {
  return new Proxy({} as JobHandle, {
    get(_, key) {
      const present = stage.handle(jobId)
      const value: unknown = Reflect.get(present, key, present)
      if (typeof value !== 'function') return value
      if (key === 'events') return (options?: { from?: number }) => events(stage, jobId, options?.from)
      if (!asking.has(key)) return value.bind(present)
      return async (...args: unknown[]) => {
        if (waiting.has(key)) await reached(stage, jobId, args[0] as Predicate | undefined)
        const given = key === 'signal' ? identified(stage, args) : args
        return stage.askJob(jobId, (job) => Reflect.apply(Reflect.get(job, key, job) as Asking, job, given))
      }
    },
  })
}

type Asking = (...args: unknown[]) => Promise<unknown>
type Predicate = (snapshot: JobSnapshot) => boolean

const waiting: ReadonlySet<string | symbol> = new Set(['result', 'waitFor'])

/** What a process answers, and so may have to be asked of the next one. */
const asking: ReadonlySet<string | symbol> = new Set([
  ...['signal', 'pause', 'resume', 'cancel', 'terminate', 'retry', 'restart', 'revise'],
  ...['approve', 'deny', 'resolve', 'why'],
  ...waiting,
])

async function* events(stage: JobStage, jobId: string, from = 0): AsyncGenerator<JobEvent, void, void> {
  yield* await stage.askJob(jobId, async (job) => {
    const all: JobEvent[] = []
    for await (const event of job.events({ from })) all.push(event)
    return all
  })
}

/** A wait in real time for what only virtual time may bring would never end. */
async function reached(stage: JobStage, jobId: string, predicate: Predicate = () => false): Promise<void> {
  await stage.settle()
  const snapshot = stage.handle(jobId).getSnapshot()
  if (snapshot.status !== 'active' || predicate(snapshot)) return
  const reasons = await stage.askJob(jobId, (job) => job.why())
  const why = reasons.map(({ what }) => what).join(' ')
  throw new Error(`Job "${jobId}" does not get there by itself: ${why} Let time pass, or do what it waits for.`)
}

function identified(stage: JobStage, [signal, payload, options = {}]: unknown[]): unknown[] {
  return [signal, payload, { id: stage.nextSignalId(), ...(options as object) }]
}
