import { AetherisError } from '../base/error.ts'
import { parseText, seal, unseal } from './chain.ts'
import { keys } from './keys.ts'
import { type LevelDatabase, synced } from './level-db.ts'

/** The records that say what a database is: its format, and how often it was opened. */

export interface Format {
  /** Another number means: do not touch. */
  major: number
  /** A higher number means: more that older versions may ignore. */
  minor: number
}

export const format: Format = { major: 2, minor: 0 }

/** How data of one format is made into data of the next, by format. A step is made again where it was cut off. */
const upgrades: ReadonlyMap<number, (db: LevelDatabase) => Promise<void>> = new Map([
  // 2 has tombstones of deleted jobs. Nothing changes, but a version that ignores them would run a deleted job again.
  [1, async () => {}],
])

/** Whether this version can open data of a format, or bring it up to its own. */
export function isKnownFormat(major: unknown): boolean {
  return typeof major === 'number' && (major === format.major || upgrades.has(major))
}

/** @throws AetherisError STORE_FORMAT */
export function unknownFormat(what: string, major: unknown): AetherisError {
  const oldest = Math.min(...upgrades.keys())
  const message = `${what} has format ${String(major)}; this version of Aetheris knows the formats ${oldest} to ${format.major}. Use the version that wrote it, or a newer one.`
  return new AetherisError('STORE_FORMAT', message)
}

/** The format of a database; undefined where it has none. @throws AetherisError STORE_CORRUPT */
export async function formatOf(db: LevelDatabase): Promise<Format | undefined> {
  const value = await db.get(keys.format)
  return value === undefined ? undefined : (parseText(unseal(keys.format, value), 'The format record') as Format)
}

/**
 * Makes sure that the data has the format of this version, and brings older data up to it, step by step.
 * @throws AetherisError STORE_FORMAT (nothing was written), STORE_CORRUPT
 */
export async function checkFormat(db: LevelDatabase): Promise<void> {
  const found = await formatOf(db)
  if (found === undefined)
    throw new AetherisError('STORE_FORMAT', 'The database holds something, but nothing that Aetheris has written.')
  if (!isKnownFormat(found.major)) throw unknownFormat('The data', found.major)
  for (let { major } = found; major !== format.major; major += 1) {
    await upgrades.get(major)?.(db)
    await writeFormat(db, major + 1 === format.major ? format : { major: major + 1, minor: 0 })
  }
}

async function writeFormat(db: LevelDatabase, value: Format): Promise<void> {
  const batch = db.batch()
  batch.put(keys.format, seal(keys.format, JSON.stringify(value)))
  await batch.write(synced)
}

/** The first records of a new database, durably. */
export async function writeGenesis(db: LevelDatabase): Promise<void> {
  const batch = db.batch()
  batch.put(keys.format, seal(keys.format, JSON.stringify(format)))
  batch.put(keys.owner, seal(keys.owner, '0'))
  await batch.write(synced)
}

/** The number of openings so far. @throws AetherisError STORE_CORRUPT */
export async function generationOf(db: LevelDatabase): Promise<number> {
  const value = await db.get(keys.owner)
  return value === undefined ? 0 : Number(unseal(keys.owner, value))
}

/** Durably, before any lease of this generation is given. */
export async function writeGeneration(db: LevelDatabase, generation: number): Promise<void> {
  const batch = db.batch()
  batch.put(keys.owner, seal(keys.owner, String(generation)))
  await batch.write(synced)
}
