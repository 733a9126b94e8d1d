import { type Clock, systemClock } from '../base/clock.ts'
import type { JobStore } from '../store/store.ts'
import { type ArchiveSummary, archiveLines } from './archive.ts'
import { fileIn, writeLines } from './archive-file.ts'

export interface BackupOptions {
  /** Default: the system clock. */
  clock?: Clock
  /** Told after each job, with what is done so far. */
  onProgress?: (done: ArchiveSummary) => void
}

export interface BackupReport extends ArchiveSummary {
  /** The file that was written. */
  file: string
}

/**
 * Writes all jobs of an open store, as they are at this moment, to a file that `restore` takes. The store may be in use
 * and goes on meanwhile. `target`: a file that does not exist yet, or a directory, in which a file is made.
 * @throws AetherisError INPUT_INVALID when the file exists; STORE_CORRUPT when a job cannot be read whole; STORE_IO;
 * STORE_CLOSED. Nothing is left of the file then.
 */
export async function backup(store: JobStore, target: string, options: BackupOptions = {}): Promise<BackupReport> {
  const at = (options.clock ?? systemClock).now()
  const file = await fileIn(target, `aetheris-${at}.jsonl`)
  const done = await writeLines(file, archiveLines(store.copies(), at, options.onProgress))
  return { file, ...done }
}
