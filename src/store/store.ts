import type { Json } from '../base/json.ts'
import type { JobEvent, NewEvent } from '../event/event.ts'

/**
 * The contract of a durable store.
 *
 * Invariants, tested for every store by `jobStoreSuite` of aetheris/testing:
 * S1 a resolved call is durable, whole, and visible to every later read.
 * S2 a commit whose `expectedSeq` is not the head is refused (COMMIT_CONFLICT); nothing of it is stored.
 * S3 a commit whose epoch is not the job's is refused (LEASE_FENCED); epochs only grow.
 * S4 after a failed write the outcome is COMMIT_UNKNOWN, never "not stored"; the store opens itself again.
 * S5 repeating a stored commit with the same event ids succeeds with the first answer.
 * S6 damage is reported as STORE_CORRUPT; a damaged event is never returned.
 * S7 bad arguments (ids that do not fit the grammar, unknown jobs) are refused before anything is stored.
 * S8 the id of a pruned job is taken for ever: every write to it is answered with JOB_PRUNED.
 */

export type JobStatus = 'ready' | 'running' | 'waiting' | 'paused' | 'completed' | 'failed' | 'cancelled' | 'terminated'

/** Statuses of jobs that have ended. */
export const endStatuses: ReadonlySet<JobStatus> = new Set(['completed', 'failed', 'cancelled', 'terminated'])

/** The index entry of a job: a cache of its history, written in the same batch as the events. */
export interface JobRow {
  id: string
  agent: string
  status: JobStatus
  /** 0 to 9; higher goes first. */
  priority: number
  /** Number of events in the history; the seq that the next event gets. */
  seq: number
  /** Hash of the last event. */
  hash: string
  /** Grows with every claim; the only epoch that may commit. */
  epoch: number
  /** The opening of the store that made the last claim. */
  owner: number
  /** Messages in its inbox. */
  unread: number
  createdAt: number
  updatedAt: number
}

/** The right to write to one job. */
export interface Lease {
  jobId: string
  epoch: number
}

export interface TimerRow {
  jobId: string
  id: string
  /** Epoch milliseconds. */
  dueAt: number
}

/** A message to a job: a signal or a command. It becomes an event when the job's owner takes it. */
export interface InboxMessage {
  jobId: string
  /** Sending an id again has no second effect, also after the message was taken. */
  id: string
  at: number
  /** `signal`, `pause`, `resume`, `cancel` …: what to do, for the runner to read. */
  kind: string
  body: Json
}

/** A message from one job to another. */
export type OutMessage = InboxMessage

export interface StoredSnapshot {
  /** Number of events that it covers: the fold of events 0 to seq-1. */
  seq: number
  /** Hash of the machine and of the code that made it; of no use to another one. */
  machine: string
  state: Json
}

/** One atomic unit for one job: all of it becomes durable, or nothing. */
export interface Commit {
  lease: Lease
  /** The seq of the first of `events`: the head that the writer has seen. */
  expectedSeq: number
  /** Only in the first commit of a job (expectedSeq 0, epoch 1). Refused with JOB_EXISTS if the id is taken. */
  create?: { agent: string; priority: number }
  events: readonly NewEvent[]
  status?: JobStatus
  timers?: { set?: readonly { id: string; dueAt: number }[]; clear?: readonly string[] }
  /** Ids of inbox messages that these events have used up. */
  acks?: readonly string[]
  /** Messages to other jobs. One that is not there, or has ended, gets none. */
  send?: readonly OutMessage[]
  /** A job that has ended goes on. Without this it keeps its end. */
  reopen?: true
  snapshot?: StoredSnapshot
}

export interface Committed {
  /** The head after the commit. */
  seq: number
  hash: string
}

/** All that is stored of a job, as it was at one moment. */
export interface JobCopy {
  row: JobRow
  /** To be read before the next copy is asked for. */
  events: AsyncIterable<JobEvent[]>
  timers: { id: string; dueAt: number }[]
  /** Messages not yet taken, in order of arrival. */
  inbox: InboxMessage[]
  /** Ids of all other messages that ever came, in order of id. */
  taken: string[]
  /** Those that are whole, oldest first. */
  snapshots: StoredSnapshot[]
}

/** What is left of a job that was deleted: its id, which is never used again. */
export interface Tombstone {
  id: string
  prunedAt: number
}

export interface OpenReport {
  /** Grows with every opening; owner of the leases claimed in it. */
  generation: number
  /** Jobs that have not ended. */
  unfinished: number
  /** Damage found while opening; a store with any is not opened but throws STORE_CORRUPT, except where it says so. */
  problems: Finding[]
}

/** Damage found by `verify`. */
export interface Finding {
  kind: 'gap' | 'hash' | 'head' | 'index' | 'commit' | 'watermark' | 'snapshot' | 'event' | 'blob' | 'record'
  jobId?: string
  seq?: number
  message: string
}

export interface JobQuery {
  /** Only jobs that have not ended. */
  unfinished?: boolean
  status?: JobStatus
  limit?: number
}

export interface JobStore {
  readonly caps: { engine: string; durable: 'fsync' | 'none' }
  /** @throws AetherisError STORE_LOCKED, STORE_FORMAT, STORE_CORRUPT, STORE_IO */
  open(): Promise<OpenReport>
  close(): Promise<void>

  /** @throws AetherisError COMMIT_CONFLICT, LEASE_FENCED, JOB_EXISTS, JOB_NOT_FOUND, STORE_BUSY, STORE_FAILED, STORE_CLOSED (surely not stored), COMMIT_UNKNOWN */
  commit(commit: Commit): Promise<Committed>
  /** Takes the job over: its epoch grows by one, durably. @throws AetherisError JOB_NOT_FOUND */
  claim(jobId: string): Promise<JobRow>

  get(jobId: string): Promise<JobRow | undefined>
  /** In order of id. */
  list(query?: JobQuery): AsyncIterable<JobRow>
  /**
   * Events `from` (default 0) to `to` (exclusive, default the head), in chunks, verified: dense, chained, ending in the head.
   * @throws AetherisError JOB_NOT_FOUND, STORE_CORRUPT (jobId, seq)
   */
  read(jobId: string, range?: { from?: number; to?: number }): AsyncIterable<JobEvent[]>
  /** The newest snapshot for this machine, or undefined; a damaged one counts as absent. */
  snapshot(jobId: string, machine: string): Promise<StoredSnapshot | undefined>

  /** False where a message of this id was sent before. @throws AetherisError JOB_NOT_FOUND, JOB_SETTLED */
  send(message: InboxMessage): Promise<boolean>
  /** Messages not yet taken, in order of arrival. */
  inbox(jobId: string, limit?: number): Promise<InboxMessage[]>
  /** Timers due at `now` or before, earliest first. */
  dueTimers(now: number, limit?: number): Promise<TimerRow[]>
  /** When the earliest timer is due; undefined if there is none. */
  nextTimer(): Promise<number | undefined>

  /**
   * Everything, or one job, as it was at the moment of the first copy, whatever is written meanwhile: jobs in order of
   * id, then what is left of pruned ones. Verified as by `read`. Where the database cannot show one moment, as IndexedDB
   * cannot, nothing must be written meanwhile.
   * @throws AetherisError JOB_NOT_FOUND, STORE_CORRUPT (jobId, seq)
   */
  copies(jobId?: string): AsyncIterable<JobCopy | Tombstone>
  /**
   * Deletes jobs that have ended, each as a whole, and gives the space back; their ids are never used again, nor are
   * those of jobs that were not there. `at`: epoch milliseconds.
   * @throws AetherisError COMMAND_REFUSED for a job that has not ended; it stays, whatever becomes of the others.
   */
  prune(jobIds: readonly string[], at: number): Promise<void>

  /**
   * Checks everything, or one job. Yields one finding per damage; nothing where all is well.
   * @throws AetherisError JOB_NOT_FOUND when nothing is stored of the job.
   */
  verify(jobId?: string): AsyncIterable<Finding>
}

/** Ids that go into keys: letters, digits, `_`, `-`, `.`, `:`, `/`, `#`, `[`, `]`; no `!`, which separates. */
export const keyPart = /^[A-Za-z0-9_.:/#[\]@-]{1,256}$/
