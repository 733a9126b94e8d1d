import type { AbstractLevel } from 'abstract-level'
import { ClassicLevel } from 'classic-level'
import type { Clock } from '../base/clock.ts'
import { type DatabaseMaker, DataDirectory } from './level-files.ts'
import type { Medium } from './level-medium.ts'

// All that the store on LevelDB needs of a disk. A browser gets level-disk.browser.ts in place of this file.

/** A data directory at `path`. */
export function directory(path: string, clock: Clock, make: DatabaseMaker | undefined): Medium {
  return new DataDirectory(path, clock, make)
}

/** Whether what the database has written is on disk, where it was told to sync. */
export function isSynced<Format>(db: AbstractLevel<Format, string, string>): boolean {
  return db instanceof ClassicLevel
}

/** Keeps others out of a database while it is open, as far as the database does not do so itself: LevelDB does. */
export async function lockDatabase<Format>(
  _db: AbstractLevel<Format, string, string>,
  _clock: Clock,
): Promise<() => void> {
  return () => {}
}
