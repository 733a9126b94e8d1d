import type { JobEvent } from '../event/event.ts'
import {
  chainHash,
  genesisHash,
  type OpenedEvent,
  openEvent,
  parseText,
  splitHash,
  unseal,
  wholeEvent,
} from './chain.ts'
import { keyParts, keys, under } from './keys.ts'
import { collect, entriesOf, keysOf, type LevelDatabase, type View } from './level-db.ts'
import { decodeRow, type StoredRow } from './level-rows.ts'
import { hasEnded, publicRow } from './row.ts'
import type { InboxMessage, JobQuery, JobRow, StoredSnapshot, TimerRow } from './store.ts'
import { corrupt } from './store-error.ts'

/** What is read outside the writer: histories, lists, inboxes, timers, snapshots. All of it is checked on the way. */

/** @throws AetherisError STORE_CORRUPT, EVENT_INVALID */
export async function* readEvents(view: View, row: StoredRow, from: number, to: number): AsyncIterable<JobEvent[]> {
  const { id } = row
  let previous = from === 0 ? genesisHash : await hashAt(view, id, from - 1)
  let seq = from
  for await (const values of view.values({ gte: keys.event(id, from), lt: keys.event(id, to) })) {
    const opened: OpenedEvent[] = []
    for (const value of values) {
      const event = openEvent(id, seq, previous, value)
      opened.push(event)
      previous = event.event.hash
      seq += 1
    }
    const blobs = await readBlobs(view, id, opened)
    yield opened.map((event) => wholeEvent(event, blobs))
  }
  if (seq < to) throw corrupt(`Event ${seq} of job "${id}" is missing.`, { jobId: id, seq })
  if (to === row.seq && previous !== row.hash)
    throw corrupt(`The last event of job "${id}" is not the one that its row names.`, { jobId: id, seq })
}

/** The texts of all blobs that some events name; undefined for those that are not there. */
export async function readBlobs(
  db: Pick<LevelDatabase, 'getMany'>,
  jobId: string,
  events: readonly OpenedEvent[],
): Promise<ReadonlyMap<string, string | undefined>> {
  const hashes = [...new Set(events.flatMap(({ blobs }) => blobs))]
  if (hashes.length === 0) return noBlobs
  const texts = await db.getMany(hashes.map((hash) => keys.blob(jobId, hash)))
  return new Map(hashes.map((hash, index) => [hash, texts[index]]))
}

const noBlobs: ReadonlyMap<string, undefined> = new Map()

async function hashAt(view: View, jobId: string, seq: number): Promise<string> {
  const value = await view.get(keys.event(jobId, seq))
  if (value === undefined) throw corrupt(`Event ${seq} of job "${jobId}" is missing.`, { jobId, seq })
  return splitHash(value).hash
}

/** @throws AetherisError STORE_CORRUPT */
export async function* listRows(
  db: LevelDatabase,
  { unfinished = false, status, limit = Infinity }: JobQuery,
): AsyncIterable<JobRow> {
  let left = limit
  if (left <= 0) return
  for await (const rows of unfinished ? unfinishedRows(db) : allRows(db)) {
    for (const row of rows) {
      if ((unfinished && hasEnded(row)) || (status !== undefined && row.status !== status)) continue
      yield publicRow(row)
      left -= 1
      if (left <= 0) return
    }
  }
}

async function* allRows(db: LevelDatabase): AsyncIterable<StoredRow[]> {
  for await (const chunk of entriesOf(db, under('j'))) yield chunk.map(([key, value]) => decodeRow(key, value))
}

async function* unfinishedRows(db: LevelDatabase): AsyncIterable<StoredRow[]> {
  for await (const chunk of keysOf(db, under('u'))) {
    const wanted = chunk.map((key) => keys.row(keyParts(key)[0] as string))
    const values = await db.getMany(wanted)
    yield values.map((value, index) => {
      const key = wanted[index] as string
      if (value === undefined) throw corrupt(`The row ${key} is missing.`, { jobId: keyParts(key)[0] as string })
      return decodeRow(key, value)
    })
  }
}

/** Jobs that have not ended. */
export async function countUnfinished(db: LevelDatabase): Promise<number> {
  let count = 0
  for await (const chunk of keysOf(db, under('u'))) count += chunk.length
  return count
}

/** The newest snapshot for `machine` that is whole. */
export async function readSnapshot(
  db: LevelDatabase,
  row: StoredRow,
  machine: string,
): Promise<StoredSnapshot | undefined> {
  for (const seq of [...row.snapshots].reverse()) {
    const key = keys.snapshot(row.id, seq)
    const value = await db.get(key)
    if (value === undefined || !isWholeSnapshot(key, value)) continue
    const snapshot = JSON.parse(splitHash(value).text) as Omit<StoredSnapshot, 'seq'>
    if (snapshot.machine === machine) return { seq, ...snapshot }
  }
  return undefined
}

export function isWholeSnapshot(key: string, value: string): boolean {
  const { hash, text } = splitHash(value)
  return chainHash(genesisHash, key, text) === hash
}

/** @throws AetherisError STORE_CORRUPT */
export async function readInbox(view: View, jobId: string, limit: number): Promise<InboxMessage[]> {
  const found = await collect(view.entries({ ...under(`i!${jobId}`), limit }))
  return found.map(([key, value]) => ({
    jobId,
    ...(parseText(unseal(key, value), `The record ${key}`) as Omit<InboxMessage, 'jobId'>),
  }))
}

/** @throws AetherisError STORE_CORRUPT */
export async function readDueTimers(db: LevelDatabase, now: number, limit: number): Promise<TimerRow[]> {
  const all = under('t')
  const lt = now >= Number.MAX_SAFE_INTEGER ? all.lt : keys.due(Math.max(Math.floor(now) + 1, 0), '', '')
  const found = await collect(entriesOf(db, { gte: all.gte, lt, limit }))
  return found.map(([key, value]) => timerOf(key, value))
}

/** @throws AetherisError STORE_CORRUPT */
export async function readNextTimer(db: LevelDatabase): Promise<number | undefined> {
  const [first] = await collect(entriesOf(db, { ...under('t'), limit: 1 }))
  return first && timerOf(...first).dueAt
}

function timerOf(key: string, value: string): TimerRow {
  unseal(key, value)
  const [dueAt, jobId, id] = keyParts(key) as [string, string, string]
  return { dueAt: Number(dueAt), jobId, id }
}
