import type { Clock } from '../base/clock.ts'
import { type ErrorData, isAetherisError } from '../base/error.ts'
import { sha256 } from '../base/hash.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import type { Reason } from '../replay/why.ts'
import { childIdOf } from '../runtime/family.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { keyPart } from '../store/store.ts'
import type { OutsideCall } from './expose-tools.ts'
import type { Caller } from './tokens.ts'

/** Calls from outside as jobs: which job a call is, what was asked for, and how it stands. */

/** What is needed of a runtime. */
export type CallRuntime = Pick<Runtime, 'spawn' | 'job' | 'jobs'>

/** The same for the same key of the same call of an agent, so that asking again finds it. */
export function callIdOf({ jobId, effect }: Caller, key: string): string {
  const id = childIdOf(jobId, `${effect}/${key}`)
  // Names of actors in hand-written machines may have any characters in them.
  return keyPart.test(id) ? id : sha256(id)
}

export async function jobOrNone(runtime: Pick<Runtime, 'job'>, jobId: string): Promise<JobHandle | undefined> {
  try {
    return await runtime.job(jobId)
  } catch (error) {
    if (isAetherisError(error, 'JOB_NOT_FOUND')) return undefined
    throw error
  }
}

/** What the job was made for. */
export async function requestOf(job: JobHandle): Promise<OutsideCall> {
  const [first] = [(await job.events().next()).value]
  return (first?.type === 'job.created' ? first.data.input : null) as unknown as OutsideCall
}

/** Whether the call of an agent goes on, so that it may have calls made for it. */
export function isOpen({ status, pending }: JobSnapshot, effect: string): boolean {
  const found = pending.find((each) => each.effect === effect)
  return status === 'active' && found?.kind === 'call' && found.status !== 'answered' && found.isHalted !== true
}

/** How a call stands, for the agent that has asked for it. */
type Standing =
  | { status: 'completed'; output: unknown }
  | { status: 'failed'; error: ErrorData | undefined }
  | { status: 'cancelled' }
  /** Why it has not ended yet, in words, and who has to do something. */
  | { status: 'pending'; reasons: Pick<Reason, 'kind' | 'what' | 'owes'>[] }

export async function standingOf(job: JobHandle): Promise<Standing> {
  const { status, output, error } = job.getSnapshot()
  switch (status) {
    case 'done':
      return { status: 'completed', output }
    case 'error':
      return { status: 'failed', error }
    case 'stopped':
      return { status: 'cancelled' }
    case 'active':
      return { status: 'pending', reasons: (await job.why()).map(({ kind, what, owes }) => ({ kind, what, owes })) }
  }
}

/** Resolves when the job has ended, or cannot go on here, or after `ms`, or when nobody waits any more. */
export function endOf(job: JobHandle, ms: number, clock: Clock, abortSignal: AbortSignal): Promise<void> {
  if (ms === 0 || job.getSnapshot().status !== 'active' || abortSignal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      subscription.unsubscribe()
      clear()
      abortSignal.removeEventListener('abort', end)
      resolve()
    }
    const subscription = job.subscribe({ error: end, complete: end })
    const clear = clock.setTimer(end, ms)
    abortSignal.addEventListener('abort', end)
  })
}
