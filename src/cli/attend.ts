import type { AnyAgent } from '../agent/agent.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import type { JobStore } from '../store/store.ts'
import { aboutNode } from './about.ts'
import { askFor } from './ask.ts'
import type { Context } from './context.ts'
import type { Interrupt } from './exit-codes.ts'
import { type Rest, restOf, type Wait } from './rest.ts'

/** A job that a command moves on, and how far it is to stay with it. */
export interface Attended {
  job: JobHandle
  agent: AnyAgent
  store: JobStore
  /** Stay while only a timer runs, and ask whoever is at the terminal. */
  wait: boolean
}

/** Why a command leaves a job. */
export type Leave = { why: 'ended' } | { why: 'rests'; rest: Rest } | { why: 'interrupted'; by: Interrupt }

/**
 * Stays with a job until it ends, or rests on what does not come by itself, or somebody interrupts. It does not stay
 * for a signal: one process has the data at a time, so while this one stays nobody else could send it.
 * @throws AetherisError when the job cannot go on here.
 */
export async function attend(context: Context, attended: Attended): Promise<Leave> {
  const leaving = new AbortController()
  const interrupted = new Promise<Leave>((resolve) => {
    const takeBack = context.io.onInterrupt((by) => resolve({ why: 'interrupted', by }))
    leaving.signal.addEventListener('abort', takeBack)
  })
  try {
    return await Promise.race([interrupted, stay(context, attended, leaving.signal)])
  } finally {
    leaving.abort()
    context.output.clear()
  }
}

async function stay(context: Context, attended: Attended, left: AbortSignal): Promise<Leave> {
  const { job, agent, store, wait } = attended
  for (;;) {
    const snapshot = job.getSnapshot()
    if (snapshot.status !== 'active') return { why: 'ended' }
    const found = restOf(agent, snapshot, Date.now())
    const rest = found !== undefined && (await isAtRest(store, job.id, snapshot.seq)) ? found : undefined
    if (rest?.kind === 'someone' && (await answer(context, attended, rest.waits, left))) continue
    if (rest !== undefined && !(wait && rest.kind === 'timer')) return { why: 'rests', rest }
    await job.waitFor((next) => next !== snapshot)
  }
}

/** Whether what is shown is all there is: no message unread, and no commit that has not been shown yet. */
async function isAtRest(store: JobStore, jobId: string, seq: number): Promise<boolean> {
  const unread = await store.inbox(jobId, 1)
  const row = await store.get(jobId)
  return unread.length === 0 && row?.seq === seq
}

/** Lets whoever is at the terminal answer what the job waits for. False where nobody is, or does. */
async function answer(context: Context, attended: Attended, waits: Wait[], left: AbortSignal): Promise<boolean> {
  const { job, agent, store, wait } = attended
  const { effect, signal: name } = waits.find(({ signal }) => signal !== undefined && agent.signals.has(signal)) ?? {}
  const signal = agent.signals.get(name ?? '')
  if (!wait || !context.io.interactive || effect === undefined || signal === undefined) return false
  context.output.note(`${effect} waits for "${signal.name}".`, ...(await aboutNode(store, job.getSnapshot(), effect)))
  const gone = whenAnswered(job, effect)
  const payload = await askFor(context, signal, AbortSignal.any([left, gone]))
  if (payload !== undefined) await job.signal(signal, payload)
  return payload !== undefined || gone.aborted
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
