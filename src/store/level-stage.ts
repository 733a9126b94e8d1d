import { chainHash, eventIdentity, genesisHash } from './chain.ts'
import { keyParts, keys } from './keys.ts'
import { type Draft, rowAndFirst } from './level-draft.ts'
import type { StoredRow } from './level-rows.ts'
import type { PreparedCommit, PreparedMessage } from './request.ts'
import { admit, advance, hasEnded, mayBeRepeat, publicRow } from './row.ts'
import { type Committed, endStatuses, type JobRow } from './store.ts'
import { invalid, jobNotFound, jobPruned, jobSettled, jobUnsettled } from './store-error.ts'

/**
 * What commits, claims and messages put into a draft.
 *
 * 1. Each function first reads and checks, then puts: one that throws has put nothing.
 */

const snapshotsKept = 2
/** Kept in place of its arrival for a message that was used up. */
const taken = 'taken'

/** Keys that {@link stageCommit} will read, to be fetched together with those of other commits. */
export function keysOfCommit({ jobId, create, set, clear, acks }: PreparedCommit): string[] {
  if (create === undefined && set.length + clear.length + acks.length === 0) return []
  return [
    ...(create === undefined ? [] : [...rowAndFirst(jobId), keys.tombstone(jobId)]),
    ...set.map(({ id }) => keys.timer(jobId, id)),
    ...clear.map((id) => keys.timer(jobId, id)),
    ...acks.map((id) => keys.arrival(jobId, id)),
  ]
}

/** @throws AetherisError JOB_NOT_FOUND, JOB_PRUNED, JOB_EXISTS, LEASE_FENCED, COMMIT_CONFLICT, INPUT_INVALID, STORE_CORRUPT */
export async function stageCommit(draft: Draft, commit: PreparedCommit, owner: number): Promise<Committed> {
  const { jobId } = commit
  const before = await draft.row(jobId)
  const repeated = mayBeRepeat(commit, before) ? await repeatOf(draft, commit) : undefined
  if (repeated !== undefined) return repeated
  admit(commit, before, before === undefined && (await isPruned(draft, jobId)))
  const ends = endStatuses.has(commit.status ?? before?.status ?? 'ready')
  const unread = commit.acks.length === 0 ? nothing : await arrivalsOf(draft, commit)
  const oldDue = commit.set.length + commit.clear.length === 0 ? nothing : await dueTimesOf(draft, commit)
  const leftovers = ends && before !== undefined ? await leftoversOf(draft, before) : []

  const hash = putEvents(draft, commit, before?.hash ?? genesisHash)
  const row = withCounts(advance(before, commit, hash, owner), before)
  if (unread.size > 0) putAcks(draft, row, commit, unread)
  if (ends) putEnd(draft, row, leftovers)
  else putOpen(draft, row, commit, oldDue)
  putUnfinished(draft, before, row)
  draft.rows.set(jobId, row)
  for (const message of commit.send) await deliver(draft, message)
  return { seq: row.seq, hash }
}

/** @throws AetherisError JOB_NOT_FOUND, JOB_PRUNED, STORE_CORRUPT */
export async function stageClaim(draft: Draft, jobId: string, owner: number): Promise<JobRow> {
  const before = await presentRow(draft, jobId)
  const row = { ...before, epoch: before.epoch + 1, owner }
  draft.rows.set(jobId, row)
  return publicRow(row)
}

/** @throws AetherisError JOB_NOT_FOUND, JOB_PRUNED, JOB_SETTLED, STORE_CORRUPT */
export async function stageMessage(draft: Draft, { jobId, id, text }: PreparedMessage): Promise<boolean> {
  const before = await presentRow(draft, jobId)
  const key = keys.arrival(jobId, id)
  if ((await draft.text(key)) !== undefined) return false
  if (hasEnded(before)) throw jobSettled(jobId, before.status)
  putMessage(draft, before, { id, text })
  return true
}

/** @throws AetherisError COMMAND_REFUSED, STORE_CORRUPT */
export async function stagePrune(draft: Draft, jobId: string, at: number): Promise<void> {
  const row = await draft.row(jobId)
  if (row === undefined && (await isPruned(draft, jobId))) return
  if (row !== undefined && !hasEnded(row)) throw jobUnsettled(jobId, row.status)
  const found = await Promise.all(rangesOfEnded.map((range) => draft.keysUnder(`${range}!${jobId}`)))
  for (const key of found.flat()) draft.delete(key)
  draft.bury(jobId, row, at)
}

/** Where a job that has ended still has something: timers, unread messages and snapshots went with its end. */
const rangesOfEnded = ['e', 'd', 'b'] as const

async function presentRow(draft: Draft, jobId: string): Promise<StoredRow> {
  const row = await draft.row(jobId)
  if (row !== undefined) return row
  throw (await isPruned(draft, jobId)) ? jobPruned(jobId) : jobNotFound(jobId)
}

async function isPruned(draft: Draft, jobId: string): Promise<boolean> {
  return (await draft.text(keys.tombstone(jobId))) !== undefined
}

/**
 * A message that goes out with a commit; a job that is not there, or has ended, gets none. What cannot be read is not
 * the sender's to fail for: the receiver is refused when it is read itself.
 */
async function deliver(draft: Draft, { jobId, id, text }: PreparedMessage): Promise<void> {
  const row = await draft.row(jobId).catch(() => undefined)
  if (row === undefined || hasEnded(row)) return
  const known = await draft.text(keys.arrival(jobId, id)).catch(() => undefined)
  if (known === undefined) putMessage(draft, row, { id, text })
}

function putMessage(draft: Draft, row: StoredRow, { id, text }: { id: string; text: string }): void {
  draft.put(keys.arrival(row.id, id), String(row.arrivals))
  draft.put(keys.message(row.id, row.arrivals), text)
  draft.rows.set(row.id, { ...row, arrivals: row.arrivals + 1, unread: row.unread + 1 })
}

const nothing: ReadonlyMap<string, number> = new Map()

/** Field by field: this is the busiest path, and spreading is several times slower. */
function withCounts(row: JobRow, before: StoredRow | undefined): StoredRow {
  const { id, agent, status, priority, seq, hash, epoch, owner, unread, createdAt, updatedAt } = row
  const timers = before?.timers ?? 0
  const arrivals = before?.arrivals ?? 0
  const snapshots = before?.snapshots ?? []
  return {
    id,
    agent,
    status,
    priority,
    seq,
    hash,
    epoch,
    owner,
    unread,
    createdAt,
    updatedAt,
    timers,
    arrivals,
    snapshots,
  }
}

async function repeatOf(draft: Draft, { epoch, expectedSeq, events }: PreparedCommit): Promise<Committed | undefined> {
  let hash = genesisHash
  for (const event of events) {
    const value = await draft.raw(event.key)
    if (value === undefined) return undefined
    const stored = eventIdentity(value)
    if (stored.id !== event.id || stored.epoch !== epoch) return undefined
    hash = stored.hash
  }
  return { seq: expectedSeq + events.length, hash }
}

/** Arrivals of the messages that are acked; those taken before are left out. */
async function arrivalsOf(draft: Draft, { jobId, acks }: PreparedCommit): Promise<Map<string, number>> {
  const arrivals = new Map<string, number>()
  for (const id of acks) {
    const text = await draft.text(keys.arrival(jobId, id))
    if (text === undefined) throw invalid(`Job "${jobId}" was never sent the message "${id}".`)
    if (text !== taken) arrivals.set(id, Number(text))
  }
  return arrivals
}

/** Due times of those timers that are set or cleared and exist. */
async function dueTimesOf(draft: Draft, { jobId, set, clear }: PreparedCommit): Promise<Map<string, number>> {
  const due = new Map<string, number>()
  for (const id of [...clear, ...set.map((timer) => timer.id)]) {
    const text = await draft.text(keys.timer(jobId, id))
    if (text !== undefined) due.set(id, Number(text))
  }
  return due
}

/** Keys that an ended job leaves behind: timers, unread messages, snapshots. */
async function leftoversOf(draft: Draft, { id, timers, unread, snapshots }: StoredRow): Promise<string[]> {
  const leftovers = snapshots.map((seq) => keys.snapshot(id, seq))
  if (unread > 0) leftovers.push(...(await draft.keysUnder(`i!${id}`)))
  if (timers === 0) return leftovers
  for (const key of await draft.keysUnder(`T!${id}`)) {
    const [, timerId] = keyParts(key) as [string, string]
    leftovers.push(key, keys.due(Number(await draft.text(key)), id, timerId))
  }
  return leftovers
}

function putEvents(draft: Draft, { jobId, events }: PreparedCommit, previous: string): string {
  let hash = previous
  for (const { key, text, blobs } of events) {
    hash = chainHash(hash, key, text)
    draft.putRaw(key, hash + text)
    for (const [name, blob] of blobs) draft.putBlob(keys.blob(jobId, name), blob)
  }
  return hash
}

function putAcks(draft: Draft, row: StoredRow, { jobId }: PreparedCommit, unread: ReadonlyMap<string, number>): void {
  for (const [id, arrival] of unread) {
    draft.delete(keys.message(jobId, arrival))
    draft.put(keys.arrival(jobId, id), taken)
  }
  row.unread -= unread.size
}

function putOpen(draft: Draft, row: StoredRow, commit: PreparedCommit, oldDue: ReadonlyMap<string, number>): void {
  if (commit.set.length + commit.clear.length > 0) putTimers(draft, row, commit, new Map(oldDue))
  if (commit.snapshot !== undefined) putSnapshot(draft, row, commit.jobId, commit.snapshot)
}

function putEnd(draft: Draft, row: StoredRow, leftovers: readonly string[]): void {
  for (const key of leftovers) draft.delete(key)
  row.timers = 0
  row.unread = 0
  row.snapshots = []
}

function putTimers(
  draft: Draft,
  row: StoredRow,
  { jobId, set, clear }: PreparedCommit,
  due: Map<string, number>,
): void {
  const remove = (id: string) => {
    const dueAt = due.get(id)
    if (dueAt === undefined) return
    draft.delete(keys.due(dueAt, jobId, id))
    draft.delete(keys.timer(jobId, id))
    due.delete(id)
    row.timers -= 1
  }
  for (const id of clear) remove(id)
  for (const { id, dueAt } of set) {
    remove(id)
    draft.put(keys.due(dueAt, jobId, id), '')
    draft.put(keys.timer(jobId, id), String(dueAt))
    due.set(id, dueAt)
    row.timers += 1
  }
}

function putSnapshot(draft: Draft, row: StoredRow, jobId: string, snapshot: { seq: number; text: string }): void {
  const key = keys.snapshot(jobId, snapshot.seq)
  draft.putRaw(key, chainHash(genesisHash, key, snapshot.text) + snapshot.text)
  const all = [...row.snapshots.filter((seq) => seq !== snapshot.seq), snapshot.seq].sort((a, b) => a - b)
  row.snapshots = all.slice(-snapshotsKept)
  for (const seq of all.slice(0, -snapshotsKept)) draft.delete(keys.snapshot(jobId, seq))
}

function putUnfinished(draft: Draft, before: JobRow | undefined, row: JobRow): void {
  const was = before !== undefined && !hasEnded(before)
  const is = !hasEnded(row)
  if (is && !was) draft.put(keys.unfinished(row.id), '')
  if (was && !is) draft.delete(keys.unfinished(row.id))
}
