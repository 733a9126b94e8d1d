import { genesisHash, parseText, seal, splitHash, unseal } from './chain.ts'
import { keys } from './keys.ts'
import type { LevelDatabase } from './level-db.ts'
import type { JobRow } from './store.ts'
import { corrupt } from './store-error.ts'

/**
 * Rows of jobs: how they are stored, loaded and cached. Owns the cache.
 *
 * 1. The row on disk is the truth; the cache holds rows that were written, and only the most recent ones, so that
 *    parked jobs cost no memory.
 * 2. A row that is loaded has been compared with the events around its head: an old row, put back by damage, is seen.
 * 3. Only the writer puts rows into the cache, after they are durable.
 */

/** A row with the counts that tell the writer what else there is of the job. */
export interface StoredRow extends JobRow {
  timers: number
  /** Messages that ever came: the place of the next one. */
  arrivals: number
  /** Seqs of the snapshots that are kept, oldest first. */
  snapshots: readonly number[]
}

const cachedMax = 4096
const blobsKnownMax = 10_000

export class Rows {
  readonly #db: LevelDatabase
  readonly #cache = new Map<string, StoredRow>()
  readonly #blobs = new Set<string>()

  constructor(db: LevelDatabase) {
    this.#db = db
  }

  cached(jobId: string): StoredRow | undefined {
    return this.#cache.get(jobId)
  }

  /** @throws AetherisError STORE_CORRUPT */
  async get(jobId: string): Promise<StoredRow | undefined> {
    return this.#cache.get(jobId) ?? (await this.load(jobId))
  }

  /** Reads again where the job moved on between two reads, so that only true damage is reported. */
  async load(jobId: string): Promise<StoredRow | undefined> {
    const key = keys.row(jobId)
    for (let value = await this.#db.get(key); ; ) {
      const row = value === undefined ? undefined : decodeRow(key, value)
      const problem = await this.#problemOf(jobId, row)
      if (problem === undefined) return row
      const again = await this.#db.get(key)
      if (again === value) throw corrupt(problem, { jobId, ...(row && { seq: row.seq }) })
      value = again
    }
  }

  /** Whether a blob is known to be on disk; one that is not known may be there all the same. */
  hasBlob(key: string): boolean {
    return this.#blobs.has(key)
  }

  /** Called with durable blobs only. */
  publishBlobs(written: Iterable<string>): void {
    for (const key of written) {
      this.#blobs.add(key)
      if (this.#blobs.size > blobsKnownMax) this.#blobs.delete(this.#blobs.values().next().value as string)
    }
  }

  /** Called with durable rows only. */
  publish(rows: Iterable<StoredRow>): void {
    for (const row of rows) {
      this.#cache.delete(row.id)
      this.#cache.set(row.id, row)
    }
    // A Map keeps the order of insertion, so its first keys are the oldest.
    for (const id of this.#cache.keys()) {
      if (this.#cache.size <= cachedMax) break
      this.#cache.delete(id)
    }
  }

  /** Called with jobs that are durably gone. */
  forget(jobIds: Iterable<string>): void {
    for (const id of jobIds) this.#cache.delete(id)
  }

  async #problemOf(jobId: string, row: StoredRow | undefined): Promise<string | undefined> {
    const seq = row?.seq ?? 0
    const around = seq === 0 ? [keys.event(jobId, 0)] : [keys.event(jobId, seq - 1), keys.event(jobId, seq)]
    const [last, beyond] = seq === 0 ? [undefined, ...(await this.#db.getMany(around))] : await this.#db.getMany(around)
    if (beyond !== undefined) return `Job "${jobId}" has events beyond its head at ${seq}: its row is old or missing.`
    if (row === undefined) return undefined
    if (row.id !== jobId) return `The row of job "${jobId}" is that of another job.`
    const hash = last === undefined ? genesisHash : splitHash(last).hash
    return hash === row.hash
      ? undefined
      : `The last event of job "${jobId}", at ${seq - 1}, is missing or is not the one that its row names.`
  }
}

export function encodeRow(row: StoredRow): [key: string, value: string] {
  const key = keys.row(row.id)
  return [key, seal(key, JSON.stringify(row))]
}

/** @throws AetherisError STORE_CORRUPT */
export function decodeRow(key: string, value: string): StoredRow {
  return parseText(unseal(key, value), `The record ${key}`) as StoredRow
}
