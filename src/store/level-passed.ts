import type { AbstractLevel } from 'abstract-level'
import type { Clock } from '../base/clock.ts'
import { AetherisError } from '../base/error.ts'
import { asOpenError, collect, keysOf, type LevelDatabase } from './level-db.ts'
import { isSynced, lockDatabase } from './level-disk.ts'
import { formatOf, writeGenesis } from './level-format.ts'
import type { Medium, Testimony } from './level-medium.ts'

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
