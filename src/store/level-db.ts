import type { AbstractLevel } from 'abstract-level'
import type { ClassicLevel } from 'classic-level'
import { AetherisError, isAetherisError } from '../base/error.ts'
import type { KeyRange } from './keys.ts'
import { corrupt } from './store-error.ts'

/** The database underneath: text keys and text values, in key order, with atomic batches. */
export type LevelDatabase = AbstractLevel<string | Buffer | Uint8Array, string, string>

/** LevelDB's log holds this much before a new one is begun; fewer, longer logs cost less. */
export const writeBufferSize = 16 * 1024 * 1024

/** For every batch: mixed with others it could be lost before later ones, as a log is not synced when it is full. */
export const synced = { sync: true }

const chunkSize = 1000
/** Of classic-level; others ignore it. Its default of 16 KiB makes long reads slower by two thirds. */
const readAhead = { highWaterMarkBytes: 1024 * 1024 }

type Snapshot = ReturnType<LevelDatabase['snapshot']>

export interface ReadOptions extends KeyRange {
  limit?: number
  reverse?: boolean
  snapshot?: Snapshot
}

/** Entries of a range, in chunks. */
export async function* entriesOf(db: LevelDatabase, options: ReadOptions): AsyncGenerator<[string, string][]> {
  const iterator = db.iterator({ ...readAhead, ...options })
  try {
    for (let chunk = await iterator.nextv(chunkSize); chunk.length > 0; chunk = await iterator.nextv(chunkSize))
      yield chunk
  } finally {
    await iterator.close()
  }
}

/** Like {@link entriesOf}, but only the values, which is faster. */
export async function* valuesOf(db: LevelDatabase, options: ReadOptions): AsyncGenerator<string[]> {
  const iterator = db.values({ ...readAhead, ...options })
  try {
    for (let chunk = await iterator.nextv(chunkSize); chunk.length > 0; chunk = await iterator.nextv(chunkSize))
      yield chunk
  } finally {
    await iterator.close()
  }
}

/** Like {@link entriesOf}, but only the keys. */
export async function* keysOf(db: LevelDatabase, options: ReadOptions): AsyncGenerator<string[]> {
  const iterator = db.keys({ ...readAhead, ...options })
  try {
    for (let chunk = await iterator.nextv(chunkSize); chunk.length > 0; chunk = await iterator.nextv(chunkSize))
      yield chunk
  } finally {
    await iterator.close()
  }
}

/** Gives the space of what was deleted back to the disk, where the database can do that. */
export async function compact(db: LevelDatabase): Promise<void> {
  if (db.supports.additionalMethods['compactRange'] !== true) return
  await (db as unknown as ClassicLevel).compactRange('', '~')
}

/** The database as it is, or as it was at one moment. */
export class View {
  readonly #db: LevelDatabase
  readonly #snapshot: Snapshot | undefined

  constructor(db: LevelDatabase, snapshot?: Snapshot) {
    this.#db = db
    this.#snapshot = snapshot
  }

  get(key: string): Promise<string | undefined> {
    return this.#db.get(key, { snapshot: this.#snapshot })
  }

  getMany(keys: string[]): Promise<(string | undefined)[]> {
    return this.#db.getMany(keys, { snapshot: this.#snapshot })
  }

  entries(range: ReadOptions): AsyncGenerator<[string, string][]> {
    return entriesOf(this.#db, this.#snapshot ? { ...range, snapshot: this.#snapshot } : range)
  }

  values(range: ReadOptions): AsyncGenerator<string[]> {
    return valuesOf(this.#db, this.#snapshot ? { ...range, snapshot: this.#snapshot } : range)
  }

  keys(range: ReadOptions): AsyncGenerator<string[]> {
    return keysOf(this.#db, this.#snapshot ? { ...range, snapshot: this.#snapshot } : range)
  }
}

/**
 * What `look` gives of the database as it is now, whatever is written meanwhile, where the database can show one
 * moment (classic-level can); with others nobody must write meanwhile.
 */
export async function* atOneMoment<T>(db: LevelDatabase, look: (view: View) => AsyncIterable<T>): AsyncGenerator<T> {
  const snapshot = db.supports.explicitSnapshots === true ? db.snapshot() : undefined
  try {
    yield* look(new View(db, snapshot))
  } finally {
    await snapshot?.close()
  }
}

/** All of it at once, for ranges that are known to be short or are asked for as a whole. */
export async function collect<T>(chunks: AsyncIterable<T[]>): Promise<T[]> {
  const all: T[] = []
  for await (const chunk of chunks) for (const each of chunk) all.push(each)
  return all
}

/** What the database threw while reading or opening, in the words of the contract. */
export function asStoreError(thrown: unknown, doing: string): AetherisError {
  if (isAetherisError(thrown)) return thrown
  const codes = levelCodes(thrown)
  const why = reason(thrown)
  if (codes.includes('LEVEL_CORRUPTION'))
    return corrupt(`LevelDB found damage while ${doing}: ${why}.`, { cause: thrown })
  if (codes.includes('LEVEL_ITERATOR_NOT_OPEN') || codes.includes('LEVEL_DATABASE_NOT_OPEN')) {
    return new AetherisError('STORE_CLOSED', `The store was closed while ${doing}.`, { cause: thrown })
  }
  return new AetherisError('STORE_IO', `The disk or the operating system refused while ${doing}: ${why}.`, {
    cause: thrown,
  })
}

/** What the database threw while it was opened. */
export function asOpenError(thrown: unknown): AetherisError {
  const codes = levelCodes(thrown)
  if (!codes.includes('LEVEL_DATABASE_NOT_OPEN')) return asStoreError(thrown, 'opening the database')
  const why = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : new Error(reason(thrown))
  if (codes.includes('LEVEL_LOCKED'))
    return new AetherisError('STORE_LOCKED', `Something else has the database open: ${why.message}.`, { cause: thrown })
  // A file that LevelDB needs and does not find is damage, though LevelDB calls it an I/O error.
  if (/No such file|does not exist|CURRENT file/.test(why.message))
    return corrupt(`A file of the database is missing: ${why.message}.`, { cause: thrown })
  return asStoreError(why, 'opening the database')
}

/** The codes of an error and of its causes; classic-level hides the telling one in the cause. */
export function levelCodes(thrown: unknown): string[] {
  const codes: string[] = []
  for (let error = thrown; error instanceof Error; error = error.cause)
    codes.push(String((error as { code?: unknown }).code))
  return codes
}

function reason(thrown: unknown): string {
  let message = String(thrown)
  for (let error = thrown; error instanceof Error; error = error.cause) message = error.message
  return message.replace(/\.$/, '')
}
