import type { AbstractLevel } from 'abstract-level'
import { ClassicLevel } from 'classic-level'
import type { Clock } from '../base/clock.ts'
import { type DatabaseMaker, DataDirectory } from './level-files.ts'
import type { Medium } from './level-medium.ts'

// All that the store on LevelDB needs a disk for. A browser gets level-disk.browser.ts in place of this file.

/** A data directory at `path`. */
export function directory(path: string, clock: Clock, make: DatabaseMaker | undefined): Medium {
  return new DataDirectory(path, clock, make)
}

/** Whether what the database has written is on disk, where it was told to sync. */
export function isSynced<Format>(db: AbstractLevel<Format, string, string>): boolean {
  return db instanceof ClassicLevel
}
