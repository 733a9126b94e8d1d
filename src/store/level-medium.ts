import type { AbstractLevel } from 'abstract-level'
import type { Clock } from '../base/clock.ts'
import { AetherisError } from '../base/error.ts'
import { asOpenError, collect, keysOf, type LevelDatabase } from './level-db.ts'
import { isSynced, lockDatabase } from './level-disk.ts'
import { formatOf, writeGenesis } from './level-format.ts'
import type { CommitHead } from './level-writer.ts'

/** Where the database of a store lives: a data directory, or an instance that the caller has made. */
export interface Medium {
  readonly durable: 'fsync' | 'none'
  /** Makes sure that nobody else has it. @throws AetherisError STORE_LOCKED, STORE_FORMAT, STORE_IO */
  acquire(): Promise<void>
  /** The open database, holding a genesis record. @throws AetherisError STORE_LOCKED, STORE_FORMAT, STORE_CORRUPT, STORE_IO */
  openDatabase(): Promise<LevelDatabase>
  /** What is known from outside the database about its last commit, and what LevelDB said while it opened. */
  testimony(): Promise<Testimony>
  /** The database was found whole up to `head`, and is about to be used. */
  accept(head: CommitHead): Promise<void>
  /** The database is damaged in a way that the next opening could not see any more. */
  condemn(why: string): Promise<void>
  /** Called after each batch, before it is acknowledged. */
  written(head: CommitHead, bytes: number): Promise<void>
  /** The database was closed; with `head` where it was whole. */
  release(head: CommitHead | undefined): Promise<void>
}

export interface Testimony {
  /** A commit that was durable once. */
  witnessed: CommitHead | undefined
  /** LevelDB has dropped part of its log: an unfinished write, or damage. */
  dropped: string | undefined
  /** Things worth saying that do not keep the store from opening. */
  notes: string[]
}

/** A database made by the caller: nothing outside to compare with, and no lock but the database's own, or the browser's. */
export class PassedDatabase implements Medium {
  readonly durable: 'fsync' | 'none'
  readonly #db: LevelDatabase
  readonly #clock: Clock
  #unlock = () => {}

  constructor(db: AbstractLevel<never, string, string>, clock: Clock) {
    this.#db = db as unknown as LevelDatabase
    this.#clock = clock
    this.durable = isSynced(db) ? 'fsync' : 'none'
  }

  async acquire(): Promise<void> {
    const encodings = [this.#db.keyEncoding().commonName, this.#db.valueEncoding().commonName]
    if (encodings.some((name) => name !== 'utf8')) {
      throw new AetherisError(
        'STORE_FORMAT',
        `The database must have utf8 keys and values, not ${encodings.join(' and ')}.`,
      )
    }
    this.#unlock = await lockDatabase(this.#db, this.#clock)
  }

  async openDatabase(): Promise<LevelDatabase> {
    await this.#db.open().catch((error: unknown) => {
      throw asOpenError(error)
    })
    if ((await formatOf(this.#db)) !== undefined) return this.#db
    const [first] = await collect(keysOf(this.#db, { gte: '', lt: '\uffff', limit: 1 }))
    if (first === undefined) await writeGenesis(this.#db)
    return this.#db
  }

  async testimony(): Promise<Testimony> {
    return { witnessed: undefined, dropped: undefined, notes: [] }
  }

  async accept(): Promise<void> {}
  async condemn(): Promise<void> {}
  async written(): Promise<void> {}

  async release(): Promise<void> {
    this.#unlock()
  }
}
