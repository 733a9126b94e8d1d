import { byteLength } from '../base/bytes.ts'
import { chainHash, genesisHash, seal, unseal } from './chain.ts'
import { keyParts, keys, under } from './keys.ts'
import { collect, keysOf, type LevelDatabase, synced } from './level-db.ts'
import { encodeRow, type Rows, type StoredRow } from './level-rows.ts'
import { corrupt } from './store-error.ts'

/**
 * One batch while it is put together: what will be written, over what is on disk. Owned by one turn of the writer.
 *
 * 1. Every read sees what earlier requests of the same batch have put.
 * 2. Nothing else writes meanwhile, so what was read stays true until the batch is written.
 */
export class Draft {
  readonly rows = new Map<string, StoredRow>()
  readonly blobs = new Map<string, string>()
  /** Jobs that are deleted, with their rows where they had any. */
  readonly pruned = new Map<string, StoredRow | undefined>()
  readonly #changes = new Map<string, string | undefined>()
  readonly #known = new Map<string, string | undefined>()
  readonly #db: LevelDatabase
  readonly #stored: Rows

  constructor(db: LevelDatabase, stored: Rows) {
    this.#db = db
    this.#stored = stored
  }

  get isEmpty(): boolean {
    return this.#changes.size === 0 && this.rows.size === 0
  }

  /** Reads in one go what a batch will ask for. */
  async prefetch(jobIds: ReadonlySet<string>, wanted: readonly string[]): Promise<void> {
    const cold = [...jobIds].filter((id) => this.#stored.cached(id) === undefined)
    // A row that cannot be loaded is reported to the request that needs it, not to the whole batch.
    const loads = cold.map((id) =>
      this.#stored.load(id).then(
        (row) => row && this.#stored.publish([row]),
        () => undefined,
      ),
    )
    const reads =
      wanted.length === 0 ? [] : this.#db.getMany([...wanted]).then((values) => this.#remember(wanted, values))
    await Promise.all([reads, ...loads])
  }

  async row(jobId: string): Promise<StoredRow | undefined> {
    if (this.pruned.has(jobId)) return undefined
    const row = this.rows.get(jobId) ?? this.#stored.cached(jobId)
    return row ?? (this.#isFree(jobId) ? undefined : await this.#stored.load(jobId))
  }

  /** Whether it was read already that nothing is stored of a job. */
  #isFree(jobId: string): boolean {
    return rowAndFirst(jobId).every((key) => this.#known.has(key) && this.#known.get(key) === undefined)
  }

  /** The value as stored. */
  async raw(key: string): Promise<string | undefined> {
    if (this.#changes.has(key)) return this.#changes.get(key)
    if (this.#known.has(key)) return this.#known.get(key)
    const value = await this.#db.get(key)
    this.#known.set(key, value)
    return value
  }

  /** @throws AetherisError STORE_CORRUPT */
  async text(key: string): Promise<string | undefined> {
    const value = await this.raw(key)
    return value === undefined ? undefined : unseal(key, value)
  }

  /** Keys of a job in one of its ranges, `T!job` or `i!job`. */
  async keysUnder(prefix: string): Promise<string[]> {
    const found = new Set(await collect(keysOf(this.#db, under(prefix))))
    for (const [key, value] of this.#changes) {
      if (!key.startsWith(`${prefix}!`)) continue
      if (value === undefined) found.delete(key)
      else found.add(key)
    }
    return [...found]
  }

  put(key: string, text: string): void {
    this.#changes.set(key, seal(key, text))
  }

  /** Puts a blob, unless it was written before: its key says what it is. */
  putBlob(key: string, text: string): void {
    if (!this.#stored.hasBlob(key)) this.blobs.set(key, text)
  }

  /** Puts a value that carries its own hash. */
  putRaw(key: string, value: string): void {
    this.#changes.set(key, value)
  }

  delete(key: string): void {
    this.#changes.set(key, undefined)
  }

  /** In the place of a job, all of whose other keys the caller deletes. */
  bury(jobId: string, row: StoredRow | undefined, at: number): void {
    this.rows.delete(jobId)
    for (const key of this.blobs.keys()) if (keyParts(key)[0] === jobId) this.blobs.delete(key)
    this.pruned.set(jobId, row)
    this.delete(keys.row(jobId))
    this.put(keys.tombstone(jobId), String(at))
  }

  /** Writes all of it with a commit record, atomically and durably. Returns the record's hash and the bytes written. */
  async write(commit: number, previous: string): Promise<{ hash: string; bytes: number }> {
    const key = keys.commit(commit)
    const entries = [...this.rows.values()].map(commitEntry)
    const text = JSON.stringify([...entries, ...[...this.pruned].map(([id, row]) => pruneEntry(id, row))])
    const hash = chainHash(previous, key, text)
    const batch = this.#db.batch()
    let bytes = 0
    const put = (at: string, value: string) => {
      batch.put(at, value)
      bytes += entryOverhead + at.length + byteLength(value)
    }
    for (const [at, value] of this.#changes) {
      if (value === undefined) batch.del(at)
      else put(at, value)
    }
    for (const [at, value] of this.blobs) put(at, value)
    for (const row of this.rows.values()) put(...encodeRow(row))
    put(key, hash + text)
    await batch.write(synced)
    return { hash, bytes: bytes + this.#changes.size * entryOverhead }
  }

  #remember(wanted: readonly string[], values: (string | undefined)[]): void {
    for (const [index, key] of wanted.entries()) this.#known.set(key, values[index])
  }
}

/** Keys of which a job that is not there has none: where there are events, a row was lost. */
export function rowAndFirst(jobId: string): string[] {
  return [keys.row(jobId), keys.event(jobId, 0)]
}

/** More than LevelDB's memory table spends on an entry besides its key and value. */
const entryOverhead = 160

/**
 * What a commit record says about a job: its row must agree unless a later record names the job. Of a job that was
 * pruned, how it was before.
 */
export type CommitEntry = [jobId: string, seq: number, hash: string, epoch: number, arrivals: number, pruned?: 1]

function commitEntry({ id, seq, hash, epoch, arrivals }: StoredRow): CommitEntry {
  return [id, seq, hash, epoch, arrivals]
}

function pruneEntry(id: string, row: StoredRow | undefined): CommitEntry {
  return [id, row?.seq ?? 0, row?.hash ?? genesisHash, row?.epoch ?? 0, row?.arrivals ?? 0, 1]
}

/** The hash before the first commit record. */
export const firstCommitHash = genesisHash

/** The number of a commit record, from its key. @throws AetherisError STORE_CORRUPT */
export function commitOf(key: string): number {
  const commit = Number(keyParts(key)[0])
  if (keys.commit(Number.isSafeInteger(commit) ? commit : 0) !== key) throw corrupt(`The key ${key} is damaged.`)
  return commit
}
