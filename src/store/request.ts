import { parseEvent } from '../event/event.ts'
import { eventText } from './chain.ts'
import { checkKeyPart, keys } from './keys.ts'
import { type Commit, endStatuses, type InboxMessage, type JobStatus, type StoredSnapshot } from './store.ts'
import { invalid } from './store-error.ts'

/**
 * Requests, checked and turned into text at once: what the caller does to its objects afterwards changes nothing,
 * and what could not be read back is refused before anything is stored.
 */

export interface PreparedEvent {
  id: string
  key: string
  text: string
  /** By hash, the large values that it names. */
  blobs: ReadonlyMap<string, string>
}

export interface PreparedCommit {
  jobId: string
  epoch: number
  expectedSeq: number
  create: { agent: string; priority: number } | undefined
  events: PreparedEvent[]
  /** Time of the first and of the last event, for the row. */
  firstAt: number
  lastAt: number
  status: JobStatus | undefined
  set: readonly { id: string; dueAt: number }[]
  clear: readonly string[]
  acks: readonly string[]
  send: readonly PreparedMessage[]
  reopen: boolean
  snapshot: { seq: number; text: string } | undefined
  /** About the number of characters that it holds. */
  size: number
}

export interface PreparedMessage {
  jobId: string
  id: string
  text: string
}

/** As many as can never be reached, in 10 digits of a key. */
const seqMax = 9_999_999_999
const requestSize = 512
const statuses: ReadonlySet<string> = new Set<JobStatus>(['ready', 'running', 'waiting', 'paused', ...endStatuses])

/** @throws AetherisError INPUT_INVALID, EVENT_INVALID */
export function prepareCommit(commit: Commit): PreparedCommit {
  const { lease, expectedSeq, create, status } = commit
  checkKeyPart(lease.jobId, 'job id')
  checkCount(lease.epoch, 'epoch')
  checkCount(expectedSeq, 'expectedSeq')
  if (expectedSeq + commit.events.length > seqMax) throw invalid(`A job can have ${seqMax} events at most.`)
  if (status !== undefined && !statuses.has(status)) throw invalid(`"${String(status)}" is no job status.`)
  if (create !== undefined) checkCreate(commit, create)
  const events = prepareEvents(commit)
  const snapshot = prepareSnapshot(commit)
  const send = (commit.send ?? none).map(prepareMessage)
  const { set, clear, acks } = prepareIndexes(commit)
  return {
    jobId: lease.jobId,
    epoch: lease.epoch,
    expectedSeq,
    create: create && { agent: create.agent, priority: create.priority },
    events,
    firstAt: commit.events[0]?.at ?? 0,
    lastAt: commit.events.at(-1)?.at ?? 0,
    status,
    set,
    clear,
    acks,
    send,
    reopen: commit.reopen === true,
    snapshot,
    size: requestSize + sizeOf(events) + sizeOfBlobs(events) + sizeOf(send) + (snapshot?.text.length ?? 0),
  }
}

function sizeOf(texts: readonly { text: string }[]): number {
  return texts.reduce((sum, { text }) => sum + text.length, 0)
}

function sizeOfBlobs(events: readonly PreparedEvent[]): number {
  let size = 0
  for (const { blobs } of events) for (const text of blobs.values()) size += text.length
  return size
}

/** @throws AetherisError INPUT_INVALID */
export function prepareMessage(message: InboxMessage): PreparedMessage {
  const { jobId, id, at, kind, body } = message
  checkKeyPart(jobId, 'job id')
  checkKeyPart(id, 'message id')
  checkCount(at, 'time of a message')
  if (typeof kind !== 'string' || body === undefined) throw invalid(`Message "${id}" needs a kind and a body.`)
  return { jobId, id, text: JSON.stringify({ id, at, kind, body }) }
}

/** @throws AetherisError INPUT_INVALID */
export function checkCount(value: unknown, what: string): void {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw invalid(`The ${what} must be a whole number from 0, not ${String(value)}.`)
}

/** The part of a history that is asked for. @throws AetherisError INPUT_INVALID */
export function readRange(range: { from?: number; to?: number }, head: number): { from: number; to: number } {
  const { from = 0, to = head } = range
  checkCount(from, 'start of a range')
  checkCount(to, 'end of a range')
  return { from: Math.min(from, head), to: Math.min(to, head) }
}

function checkCreate(commit: Commit, create: { agent: string; priority: number }): void {
  const { agent, priority } = create
  if (commit.expectedSeq !== 0 || commit.lease.epoch !== 1 || commit.events.length === 0) {
    throw invalid('A commit that creates a job needs expectedSeq 0, epoch 1 and at least one event.')
  }
  if (typeof agent !== 'string' || agent === '')
    throw invalid('A commit that creates a job needs the name of its agent.')
  if (!Number.isInteger(priority) || priority < 0 || priority > 9)
    throw invalid(`The priority must be 0 to 9, not ${String(priority)}.`)
}

function prepareEvents({ lease, expectedSeq, events }: Commit): PreparedEvent[] {
  return events.map((event, index) => {
    const seq = expectedSeq + index
    const { id, type, v, at, cause, state, data } = event
    parseEvent({ id, type, v, at, cause, state, data, jobId: lease.jobId, seq, epoch: lease.epoch, hash: '' })
    const { text, blobs } = eventText(event, lease.epoch)
    return { id, key: keys.event(lease.jobId, seq), text, blobs }
  })
}

function prepareSnapshot({ snapshot, expectedSeq, events }: Commit): { seq: number; text: string } | undefined {
  if (snapshot === undefined) return undefined
  const { seq, machine, state } = snapshot satisfies StoredSnapshot
  checkCount(seq, 'seq of a snapshot')
  if (seq > expectedSeq + events.length) throw invalid(`A snapshot cannot cover ${seq} events before they are stored.`)
  if (typeof machine !== 'string' || state === undefined) throw invalid('A snapshot needs a machine and a state.')
  return { seq, text: JSON.stringify({ machine, state }) }
}

const none: readonly never[] = []

function prepareIndexes({ timers, acks }: Commit): Pick<PreparedCommit, 'set' | 'clear' | 'acks'> {
  const set = timers?.set?.map(({ id, dueAt }) => {
    checkKeyPart(id, 'timer id')
    checkCount(dueAt, 'due time of a timer')
    return { id, dueAt }
  })
  for (const id of timers?.clear ?? none) checkKeyPart(id, 'timer id')
  for (const id of acks ?? none) checkKeyPart(id, 'message id')
  return { set: set ?? none, clear: timers?.clear ? [...timers.clear] : none, acks: acks ? [...acks] : none }
}
