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

export const format: Format = { major: 1, minor: 0 }

/** The format of a database; undefined where it has none. @throws AetherisError STORE_CORRUPT */
export async function formatOf(db: LevelDatabase): Promise<Format | undefined> {
  const value = await db.get(keys.format)
  return value === undefined ? undefined : (parseText(unseal(keys.format, value), 'The format record') as Format)
}

/** @throws AetherisError STORE_FORMAT, STORE_CORRUPT */
export async function checkFormat(db: LevelDatabase): Promise<void> {
  const found = await formatOf(db)
  if (found === undefined)
    throw new AetherisError('STORE_FORMAT', 'The database holds something, but nothing that Aetheris has written.')
  if (found.major === format.major) return
  throw new AetherisError(
    'STORE_FORMAT',
    `The data has format ${found.major}; this version of Aetheris knows format ${format.major}. Use the version that wrote it.`,
  )
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
