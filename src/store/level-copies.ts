import { parseText, splitHash, unseal } from './chain.ts'
import { keyParts, keys, under } from './keys.ts'
import { collect, type View } from './level-db.ts'
import { isWholeSnapshot, readEvents, readInbox } from './level-read.ts'
import { decodeRow, type StoredRow } from './level-rows.ts'
import { publicRow } from './row.ts'
import type { JobCopy, StoredSnapshot, Tombstone } from './store.ts'
import { jobNotFound } from './store-error.ts'

/** Jobs as a whole, for whoever takes them elsewhere. */

/** @throws AetherisError JOB_NOT_FOUND, STORE_CORRUPT */
export async function* readCopies(view: View, jobId: string | undefined): AsyncGenerator<JobCopy | Tombstone> {
  if (jobId !== undefined) return yield await readOne(view, jobId)
  for await (const chunk of view.entries(under('j')))
    for (const [key, value] of chunk) yield await readCopy(view, decodeRow(key, value))
  for await (const chunk of view.entries(under('x'))) for (const [key, value] of chunk) yield tombstoneOf(key, value)
}

async function readOne(view: View, jobId: string): Promise<JobCopy | Tombstone> {
  const [key, tombstone] = [keys.row(jobId), keys.tombstone(jobId)]
  const [value, buried] = await view.getMany([key, tombstone])
  if (value !== undefined) return readCopy(view, decodeRow(key, value))
  if (buried !== undefined) return tombstoneOf(tombstone, buried)
  throw jobNotFound(jobId)
}

async function readCopy(view: View, row: StoredRow): Promise<JobCopy> {
  const { id } = row
  const inbox = await readInbox(view, id, Infinity)
  const unread = new Set(inbox.map((message) => message.id))
  const all = (await collect(view.keys(under(`d!${id}`)))).map((key) => keyParts(key)[1] as string)
  const timers = (await collect(view.entries(under(`T!${id}`)))).map(([key, value]) => ({
    id: keyParts(key)[1] as string,
    dueAt: Number(unseal(key, value)),
  }))
  return {
    row: publicRow(row),
    events: readEvents(view, row, 0, row.seq),
    timers,
    inbox,
    taken: all.filter((message) => !unread.has(message)),
    snapshots: await readSnapshots(view, row),
  }
}

async function readSnapshots(view: View, { id, snapshots }: StoredRow): Promise<StoredSnapshot[]> {
  const found: StoredSnapshot[] = []
  for (const seq of snapshots) {
    const key = keys.snapshot(id, seq)
    const value = await view.get(key)
    if (value === undefined || !isWholeSnapshot(key, value)) continue
    found.push({ seq, ...(parseText(splitHash(value).text, `The record ${key}`) as Omit<StoredSnapshot, 'seq'>) })
  }
  return found
}

/** @throws AetherisError STORE_CORRUPT */
function tombstoneOf(key: string, value: string): Tombstone {
  return { id: keyParts(key)[0] as string, prunedAt: Number(unseal(key, value)) }
}
