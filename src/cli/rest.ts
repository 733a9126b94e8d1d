import type { AnyAgent } from '../agent/agent.ts'
import { signalsTaken } from '../agent/signals-taken.ts'
import type { JobSnapshot, Pending } from '../replay/job-snapshot.ts'
import { type Reason, why } from '../replay/why.ts'
import type { JobStore } from '../store/store.ts'

/** A job as what is said about it needs it. Without its agent, the forms of its signals are not known. */
export interface Subject {
  snapshot: JobSnapshot
  agent: AnyAgent | undefined
}

/** Why a job does not move. */
export interface Owed extends Subject {
  reason: Reason
}

/** Why a job that has not ended is not busy. */
export interface Rest {
  /** What somebody may do about it. */
  owed: Owed[]
  /** When the first timer moves it on, in epoch milliseconds. */
  dueAt: number | undefined
  /** The jobs that it waits for. */
  children: string[]
}

/** What a job rests on at `now`; undefined while something is under way or due. */
export function restOf(subject: Subject, now: number): Rest | undefined {
  const { pending, isHeld, status } = subject.snapshot
  if (status !== 'active' || pending.some((each) => isBusy(each, isHeld, now))) return undefined
  return {
    owed: reasonsOf(subject, { unread: 0, isOwned: true }).filter(({ reason }) => bySomebody.has(reason.kind)),
    dueAt: first(pending.flatMap(({ dueAt }) => dueAt ?? [])),
    children: pending.flatMap(({ status: stands, childId }) => (stands === 'awaiting' ? (childId ?? []) : [])),
  }
}

/** Why a job does not move, by all that is known of it. */
export function reasonsOf(subject: Subject, around: { unread: number; isOwned: boolean }): Owed[] {
  const { snapshot, agent } = subject
  const takes = agent && signalsTaken(agent, snapshot.value)
  return why(snapshot, { ...around, takes }).map((reason) => ({ ...subject, reason }))
}

/**
 * The same of a job that nobody runs, since whoever asks has the data open. A job that waits for somebody needs nobody
 * to run it meanwhile; one that waits for a timer does.
 */
export async function storedReasons(store: JobStore, subject: Subject, now: number): Promise<Owed[]> {
  const unread = (await store.inbox(subject.snapshot.jobId)).length
  const rest = restOf(subject, now)
  return reasonsOf(subject, { unread, isOwned: unread === 0 && rest !== undefined && !isAsleep(rest) })
}

/** Reasons that neither time nor another job puts an end to. */
const bySomebody: ReadonlySet<Reason['kind']> = new Set<Reason['kind']>([
  ...(['paused', 'budget', 'signal', 'approval', 'outcome', 'machine'] as const),
])

function isBusy({ status, dueAt }: Pending, isHeld: boolean, now: number): boolean {
  if (dueAt !== undefined && dueAt <= now) return true
  if (status === 'started' || status === 'answered') return true
  return !isHeld && (status === 'requested' || status === 'ready' || status === 'interrupted')
}

function first(times: readonly number[]): number | undefined {
  return times.length === 0 ? undefined : Math.min(...times)
}

/** What several jobs rest on that wait for each other. */
export function together(rests: readonly Rest[]): Rest {
  return {
    owed: rests.flatMap(({ owed }) => owed),
    dueAt: first(rests.flatMap(({ dueAt }) => dueAt ?? [])),
    children: rests.flatMap(({ children }) => children),
  }
}

/** Whether a timer moves it on, and nobody has to. A hand-written machine may take signals beside. */
export function isAsleep({ owed, dueAt }: Rest): boolean {
  const isOptional = ({ kind, effect }: Reason) => kind === 'signal' && effect === undefined
  return dueAt !== undefined && owed.every(({ reason }) => isOptional(reason))
}
