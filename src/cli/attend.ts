import type { JobSnapshot } from '../replay/job-snapshot.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { JobStore } from '../store/store.ts'
import { outputsBefore } from './about.ts'
import { askFor } from './ask.ts'
import type { Context } from './context.ts'
import type { Interrupt } from './exit-codes.ts'
import { isAsleep, type Rest, restOf, together } from './rest.ts'

/** A job that a command moves on, and how far it is to stay with it. */
export interface Attended {
  job: JobHandle
  runtime: Runtime
  store: JobStore
  /** Stay while only a timer runs, and ask whoever is at the terminal. */
  wait: boolean
}

/** Why a command leaves a job. */
export type Leave = { why: 'ended' } | { why: 'rests'; rest: Rest } | { why: 'interrupted'; by: Interrupt }

/**
 * Lets a job go on and stays with it until it ends, or rests on what does not come by itself, or somebody interrupts.
 * It does not stay for a signal: one process has the data at a time, so while this one stays nobody else could send it.
 * @throws AetherisError when the job cannot go on here.
 */
export async function attend(context: Context, attended: Attended): Promise<Leave> {
  const leaving = new AbortController()
  const interrupted = new Promise<Leave>((resolve) => {
    const takeBack = context.io.onInterrupt((by) => resolve({ why: 'interrupted', by }))
    leaving.signal.addEventListener('abort', takeBack)
  })
  try {
    await attended.runtime.release()
    return await Promise.race([interrupted, stay(context, attended, leaving.signal)])
  } finally {
    leaving.abort()
    context.output.clear()
  }
}

/** A job as it was looked at; `rest` is undefined while it is busy. */
interface Seen {
  job: JobHandle
  snapshot: JobSnapshot
  rest: Rest | undefined
}

async function stay(context: Context, attended: Attended, left: AbortSignal): Promise<Leave> {
  for (;;) {
    const seen = await look(attended, attended.job)
    const leave = await reasonToLeave(context, attended, seen, left)
    if (leave === 'answered') continue
    const others = leave === undefined ? [] : await busyOthers(attended, seen)
    if (leave !== undefined && others.length === 0) return leave
    const watched = leave === undefined ? seen : others
    await Promise.race(watched.map(({ job, snapshot }) => job.waitFor((next) => next !== snapshot)))
  }
}

/** Undefined while there is more to come by itself. */
async function reasonToLeave(
  context: Context,
  attended: Attended,
  seen: readonly Seen[],
  left: AbortSignal,
): Promise<Leave | 'answered' | undefined> {
  if (seen[0]?.snapshot.status !== 'active') return { why: 'ended' }
  const rests = seen.flatMap(({ rest }) => rest ?? [])
  if (rests.length < seen.length) return undefined
  const rest = together(rests)
  if (await answer(context, attended, seen, rest, left)) return 'answered'
  return attended.wait && isAsleep(rest) ? undefined : { why: 'rests', rest }
}

/** Jobs that were started and are not waited for, but would be cut off in the middle of something. */
async function busyOthers(attended: Attended, seen: readonly Seen[]): Promise<Seen[]> {
  const busy: Seen[] = []
  for await (const { id } of attended.runtime.jobs({ unfinished: true })) {
    if (seen.some(({ job }) => job.id === id)) continue
    const other = await lookAt(attended, await attended.runtime.job(id))
    if (other.snapshot.status === 'active' && other.rest === undefined) busy.push(other)
  }
  return busy
}

/** A job, and after it the jobs that it waits for. */
async function look(attended: Attended, job: JobHandle): Promise<Seen[]> {
  const seen = await lookAt(attended, job)
  const children: Seen[] = []
  for (const childId of seen.rest?.children ?? []) {
    const child = await attended.runtime.job(childId)
    // One that has ended is about to move this job on.
    if (child.getSnapshot().status !== 'active') return [{ ...seen, rest: undefined }]
    children.push(...(await look(attended, child)))
  }
  return [seen, ...children]
}

async function lookAt({ store }: Attended, job: JobHandle): Promise<Seen> {
  const snapshot = job.getSnapshot()
  const found = restOf({ snapshot, agent: job.agent }, Date.now())
  // Whether a tool is being asked how its call had ended, only the status tells.
  const isStill =
    found && (await store.get(job.id))?.status !== 'running' && (await isAtRest(store, job.id, snapshot.seq))
  return { job, snapshot, rest: isStill ? found : undefined }
}

/** Whether what is shown is all there is: no message unread, and no commit that has not been shown yet. */
export async function isAtRest(store: JobStore, jobId: string, seq: number): Promise<boolean> {
  const unread = await store.inbox(jobId, 1)
  const row = await store.get(jobId)
  return unread.length === 0 && row?.seq === seq
}

/** Lets whoever is at the terminal answer what the jobs wait for. False where nobody is, or does. */
async function answer(
  context: Context,
  { wait }: Attended,
  seen: readonly Seen[],
  rest: Rest,
  left: AbortSignal,
): Promise<boolean> {
  if (!wait || !context.io.interactive) return false
  for (const owed of rest.owed) {
    const { effect } = owed.reason
    const { jobId, pending } = owed.snapshot
    const job = seen.find((each) => each.job.id === jobId)?.job
    const signal = job?.agent.signals.get(pending.find((each) => each.effect === effect)?.signal ?? '')
    if (job === undefined || effect === undefined || signal === undefined) continue
    context.output.note(`${effect} waits for "${signal.name}".`, ...outputsBefore(owed, effect))
    const gone = whenAnswered(job, effect)
    const payload = await askFor(context, signal, AbortSignal.any([left, gone]))
    if (payload !== undefined) await job.signal(signal, payload)
    return payload !== undefined || gone.aborted
  }
  return false
}

/** Aborts when an effect no longer waits, because its time is over for example. */
function whenAnswered(job: JobHandle, effect: string): AbortSignal {
  const gone = new AbortController()
  const isWaiting = ({ pending }: JobSnapshot) =>
    pending.some((each) => each.effect === effect && each.status === 'waiting')
  const abort = () => gone.abort()
  job.waitFor((next) => !isWaiting(next)).then(abort, abort)
  return gone.signal
}
