import { resolve } from 'node:path'
import { systemClock } from '../base/clock.ts'
import { atOneMoment } from './level-db.ts'
import { DataDirectory } from './level-files.ts'
import { verifyAll, verifyOne } from './level-verify.ts'
import type { Finding } from './store.ts'

/**
 * Checks a data directory that cannot be opened as a store any more, as far as LevelDB still reads it; see `verify` of
 * JobStore.
 * @throws AetherisError STORE_LOCKED, STORE_FORMAT, STORE_IO; STORE_CORRUPT where LevelDB itself refuses.
 */
export async function* verifyDamaged(directory: string, jobId?: string): AsyncGenerator<Finding> {
  const medium = new DataDirectory(resolve(directory), systemClock)
  await medium.acquire()
  try {
    const db = await medium.openAsItIs()
    try {
      const { witnessed } = await medium.testimony()
      yield* atOneMoment(db, (view) => (jobId === undefined ? verifyAll(view, witnessed) : verifyOne(view, jobId)))
    } finally {
      await db.close()
    }
  } finally {
    await medium.release(undefined)
  }
}
