import { existsSync, readdirSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ClassicLevel } from 'classic-level'
import type { Clock } from '../base/clock.ts'
import { AetherisError } from '../base/error.ts'
import { asOpenError, asStoreError, type LevelDatabase, levelCodes, writeBufferSize } from './level-db.ts'
import { format, formatOf, isKnownFormat, unknownFormat, writeGenesis } from './level-format.ts'
import { lockDirectory, storeLocked, type Unlock } from './level-lock.ts'
import type { CommitHead, Medium, Testimony } from './level-medium.ts'
import { corrupt } from './store-error.ts'
import { replaceFile, syncDirectory, syncFilesIn } from './sync-files.ts'
import { readWatermark, Watermark } from './watermark.ts'

/**
 * The data directory. Owns its files, its lock and the watermark:
 *
 *     db/        LevelDB; `db/DAMAGED` where it must not be used any more
 *     new/       LevelDB while it is first made
 *     FORMAT     there was a database here once
 *     WATERMARK  the last commits, as a witness outside the database
 *     OWNER      the process that has it open
 *
 * 1. Nothing is written into a directory that holds other things.
 * 2. A database is made in `new`, complete with its genesis, and then renamed: after a crash there is all of it or none.
 * 3. Where there was a database once, none is ever made again.
 * 4. LevelDB's LOCK file is never opened: closing it would drop the lock.
 */

export type DatabaseMaker = (
  location: string,
  options: { createIfMissing: boolean; errorIfExists: boolean; writeBufferSize: number },
) => LevelDatabase

const ownNames: ReadonlySet<string> = new Set([
  'db',
  'new',
  'FORMAT',
  'FORMAT.new',
  'WATERMARK',
  'WATERMARK.new',
  'OWNER',
])

/** LevelDB never begins a new log after fewer bytes than this: half of its buffer, for what its memory table wastes. */
const logSizeMin = writeBufferSize / 2

export class DataDirectory implements Medium {
  readonly durable = 'fsync'
  readonly #path: string
  readonly #clock: Clock
  readonly #make: DatabaseMaker
  #unlock: Unlock | undefined
  #watermark: Watermark | undefined
  #bytes = 0
  #log = ''

  constructor(
    path: string,
    clock: Clock,
    make: DatabaseMaker = (location, options) => new ClassicLevel(location, options),
  ) {
    this.#path = resolve(path)
    this.#clock = clock
    this.#make = make
  }

  async acquire(): Promise<void> {
    try {
      await this.#prepare()
      this.#unlock = await lockDirectory(this.#path)
    } catch (error) {
      throw asStoreError(error, `preparing the data directory "${this.#path}"`)
    }
  }

  async openDatabase(): Promise<LevelDatabase> {
    await this.#checkFormatFile()
    const db = this.#file('db')
    if (!existsSync(db)) await this.#create()
    if (existsSync(join(db, 'DAMAGED'))) throw corrupt(await readFile(join(db, 'DAMAGED'), 'utf8'))
    if (!existsSync(join(db, 'CURRENT'))) {
      throw corrupt(`There was a database in "${db}" but it has no CURRENT file now. Restore the newest backup.`)
    }
    return this.openAsItIs()
  }

  /** The database, also where it is known to be damaged: for whoever only looks. */
  async openAsItIs(): Promise<LevelDatabase> {
    const level = this.#make(this.#file('db'), { createIfMissing: false, errorIfExists: false, writeBufferSize })
    await this.#openLevel(level)
    return level
  }

  async testimony(): Promise<Testimony> {
    const path = this.#file('WATERMARK')
    const witnessed = await readWatermark(path)
    const isLost = witnessed === undefined && existsSync(this.#file('FORMAT'))
    const notes = isLost ? [`The file ${path} has no whole line: a loss of the last commits would not be seen.`] : []
    // LOG.old tells of the opening before, in case that one did not get as far as looking.
    return { witnessed, dropped: (await this.#dropped('LOG')) ?? (await this.#dropped('LOG.old')), notes }
  }

  async accept(head: CommitHead): Promise<void> {
    await this.#watermark?.close(undefined)
    this.#watermark = await Watermark.begin(this.#file('WATERMARK'), () => this.#clock.now(), head)
    // Absent before the first opening, and older after an upgrade.
    if (majorOf(await readFile(this.#file('FORMAT'), 'utf8').catch(() => '')) !== format.major)
      await replaceFile(this.#file('FORMAT'), `${JSON.stringify({ aetheris: format })}\n`)
    await writeFile(this.#file('OWNER'), `${process.pid}\n`, { mode: 0o600 })
  }

  async condemn(why: string): Promise<void> {
    await replaceFile(join(this.#file('db'), 'DAMAGED'), why)
  }

  async written(head: CommitHead, bytes: number): Promise<void> {
    this.#bytes += bytes
    // LevelDB does not sync the directory when it begins a new log, and without its name a log is lost.
    if (this.#bytes > logSizeMin && process.platform !== 'win32') await this.#syncNewLog()
    this.#watermark?.note(head)
  }

  async release(head: CommitHead | undefined): Promise<void> {
    await this.#watermark?.close(head)
    this.#watermark = undefined
    if (this.#unlock === undefined) return
    await unlink(this.#file('OWNER')).catch(() => undefined)
    await this.#unlock()
    this.#unlock = undefined
  }

  #file(name: string): string {
    return join(this.#path, name)
  }

  async #prepare(): Promise<void> {
    const found = await stat(this.#path).catch(() => undefined)
    if (found === undefined) await mkdir(this.#path, { recursive: true, mode: 0o700 })
    else if (!found.isDirectory()) throw new AetherisError('STORE_FORMAT', `"${this.#path}" is not a directory.`)
    const names = await readdir(this.#path)
    if (names.includes('FORMAT') || names.includes('db')) return
    const foreign = names.find((name) => !ownNames.has(name))
    if (foreign !== undefined) {
      throw new AetherisError(
        'STORE_FORMAT',
        `"${this.#path}" is no data directory of Aetheris: it holds "${foreign}". Name an empty directory.`,
      )
    }
  }

  async #checkFormatFile(): Promise<void> {
    const major = await formatIn(this.#path)
    if (major !== undefined && !existsSync(this.#file('db')))
      throw corrupt(`There was a database in "${this.#file('db')}" but it is missing now. Restore the newest backup.`)
  }

  async #create(): Promise<void> {
    const [made, db] = [this.#file('new'), this.#file('db')]
    await chmod(this.#path, 0o700)
    await rm(made, { recursive: true, force: true })
    const level = this.#make(made, { createIfMissing: true, errorIfExists: true, writeBufferSize })
    try {
      await level.open()
      await writeGenesis(level)
    } catch (error) {
      throw asOpenError(error)
    } finally {
      await level.close()
    }
    await syncFilesIn(made)
    await rename(made, db)
    await syncDirectory(this.#path)
    await syncDirectory(dirname(this.#path))
  }

  async #openLevel(level: LevelDatabase): Promise<void> {
    try {
      await level.open()
      // The database was whole once, so a format record that is missing now was lost.
      if ((await formatOf(level)) === undefined) throw corrupt('The format record of the database is missing.')
      await syncDirectory(this.#file('db'))
      this.#bytes = 0
      this.#log = newestLog(this.#file('db'))
    } catch (error) {
      await level.close().catch(() => undefined)
      throw levelCodes(error).includes('LEVEL_LOCKED') ? await storeLocked(this.#path, error) : asOpenError(error)
    }
  }

  async #dropped(name: string): Promise<string | undefined> {
    const text = await readFile(join(this.#file('db'), name), 'utf8').catch(() => '')
    return /[^\n]*dropping \d+ bytes[^\n]*/.exec(text)?.[0]
  }

  async #syncNewLog(): Promise<void> {
    const log = newestLog(this.#file('db'))
    if (log === this.#log) return
    await syncDirectory(this.#file('db'))
    this.#log = log
    this.#bytes = 0
  }
}

/** The format that a directory says it has. @throws AetherisError STORE_FORMAT when this version does not know it. */
export async function formatIn(path: string): Promise<unknown> {
  const text = await readFile(join(path, 'FORMAT'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const major = majorOf(text)
  if (!isKnownFormat(major)) throw unknownFormat(`"${path}"`, major)
  return major
}

function newestLog(db: string): string {
  return readdirSync(db).reduce((newest, name) => (name.endsWith('.log') && name > newest ? name : newest), '')
}

function majorOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { aetheris?: { major?: unknown } }).aetheris?.major
  } catch {
    return undefined
  }
}
