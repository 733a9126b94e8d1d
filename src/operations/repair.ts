import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { type Clock, systemClock } from '../base/clock.ts'
import { AetherisError } from '../base/error.ts'
import { formatIn } from '../store/level-files.ts'
import { lockDirectory } from '../store/level-lock.ts'
import { openRescued, Salvage } from '../store/level-salvage.ts'
import { corrupt } from '../store/store-error.ts'
import { readWatermark } from '../store/watermark.ts'
import { newDirectory } from './new-directory.ts'
import { Rebuilding, type RebuildOptions, type RepairReport } from './rebuild.ts'
import { rescue } from './rescue.ts'

export interface RepairOptions extends RebuildOptions {
  /** Default: the system clock. */
  clock?: Clock
}

/**
 * Makes a new data directory of what can be proven of a damaged one, which is only read. Of each job the longest part
 * of its history is kept whose chain is whole and which ends with a commit; indexes are made anew, snapshots dropped.
 * @throws AetherisError STORE_LOCKED; STORE_FORMAT; INPUT_INVALID when `to` is not empty; STORE_IO; STORE_CORRUPT when
 * LevelDB reads nothing of the database any more.
 */
export async function repair(from: string, to: string, options: RepairOptions = {}): Promise<RepairReport> {
  const source = resolve(from)
  await formatIn(source)
  if (!existsSync(join(source, 'db'))) throw corrupt(`There is no database in "${source}". Restore the newest backup.`)
  if (!relative(source, resolve(to)).startsWith('..'))
    throw new AetherisError('INPUT_INVALID', 'The new directory must not be in the damaged one.')
  const unlock = await lockDirectory(source)
  try {
    return await newDirectory(to, async (store) => {
      const beside = dirname(resolve(to))
      await mkdir(beside, { recursive: true })
      const scratch = await mkdtemp(join(beside, '.aetheris-repair-'))
      try {
        const doubts = await rescue(join(source, 'db'), join(scratch, 'rescued'), join(scratch, 'copy'))
        const db = await openRescued(join(scratch, 'rescued'))
        const { clock = systemClock } = options
        const salvage = new Salvage(db, clock.now())
        const witnessed = await readWatermark(join(source, 'WATERMARK'))
        const rebuilding = new Rebuilding(store, salvage, witnessed, doubts, options)
        return await rebuilding.run(clock.now()).finally(() => db.close())
      } finally {
        await rm(scratch, { recursive: true, force: true })
      }
    })
  } finally {
    await unlock()
  }
}
