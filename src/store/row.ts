import type { PreparedCommit } from './request.ts'
import { endStatuses, type JobRow } from './store.ts'
import { conflict, fenced, jobExists, jobNotFound, jobPruned, jobSettled } from './store-error.ts'

/**
 * What a commit does to the row of its job: the rules that all stores share.
 *
 * 1. A row is never changed, only replaced.
 * 2. A job that has ended stays ended, unless the commit says that it goes on; notes may still be added to its history.
 */

/**
 * Whether the commit may be stored on top of `row`, or where there is none.
 * @throws AetherisError JOB_NOT_FOUND, JOB_PRUNED, JOB_EXISTS, LEASE_FENCED, COMMIT_CONFLICT, JOB_SETTLED
 */
export function admit(commit: PreparedCommit, row: JobRow | undefined, isPruned: boolean): void {
  const { jobId, epoch, expectedSeq, create, status, reopen } = commit
  if (row === undefined) {
    if (isPruned) throw jobPruned(jobId)
    if (create === undefined) throw jobNotFound(jobId)
    return
  }
  if (create !== undefined) throw jobExists(jobId)
  if (epoch !== row.epoch) throw fenced(jobId, epoch, row.epoch)
  if (expectedSeq !== row.seq) throw conflict(jobId, expectedSeq, row.seq)
  if (hasEnded(row) && status !== undefined && !endStatuses.has(status) && !reopen) throw jobSettled(jobId, row.status)
}

/** Whether these events may be stored already, so that their ids should be compared. */
export function mayBeRepeat(commit: PreparedCommit, row: JobRow | undefined): row is JobRow {
  return row !== undefined && commit.events.length > 0 && commit.expectedSeq + commit.events.length <= row.seq
}

/** The row after an admitted commit. */
export function advance(row: JobRow | undefined, commit: PreparedCommit, hash: string, owner: number): JobRow {
  const {
    id,
    agent,
    status,
    priority,
    seq,
    epoch,
    owner: claimedBy,
    unread,
    createdAt,
    updatedAt,
  } = row ?? created(commit, owner)
  return {
    id,
    agent,
    status: commit.status ?? status,
    priority,
    seq: seq + commit.events.length,
    hash,
    epoch,
    owner: claimedBy,
    unread,
    createdAt,
    updatedAt: commit.events.length === 0 ? updatedAt : commit.lastAt,
  }
}

export function hasEnded(row: JobRow): boolean {
  return endStatuses.has(row.status)
}

function created({ jobId, create, firstAt }: PreparedCommit, owner: number): JobRow {
  const { agent, priority } = create as { agent: string; priority: number }
  return {
    id: jobId,
    agent,
    status: 'ready',
    priority,
    seq: 0,
    hash: '',
    epoch: 1,
    owner,
    unread: 0,
    createdAt: firstAt,
    updatedAt: firstAt,
  }
}

/** Names the fields one by one, so that a store may keep more in its own rows. */
export function publicRow(row: JobRow): JobRow {
  const { id, agent, status, priority, seq, hash, epoch, owner, unread, createdAt, updatedAt } = row
  return { id, agent, status, priority, seq, hash, epoch, owner, unread, createdAt, updatedAt }
}
