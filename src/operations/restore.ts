import { type Clock, systemClock } from '../base/clock.ts'
import { hasEnded } from '../store/row.ts'
import type { InboxMessage, JobStore, Tombstone } from '../store/store.ts'
import { type ArchiveRecord, type ArchiveSummary, readArchive } from './archive.ts'
import { linesOf } from './archive-file.ts'
import { newDirectory } from './new-directory.ts'
import { Refill } from './refill.ts'

export interface RestoreOptions {
  /** Default: the system clock. */
  clock?: Clock
  /** Told after each job, with what is done so far. */
  onProgress?: (done: ArchiveSummary) => void
}

export interface RestoreReport extends ArchiveSummary {
  /** Epoch milliseconds: the moment that the archive shows. */
  at: number
  /** Unfinished jobs. Each is paused before it does anything: nobody knows what it has done since `at`. */
  paused: string[]
}

/** Jobs that are written at the same time, so that they share the writes to the disk. */
const atATime = 64

/**
 * Makes a data directory from an archive. The archive is checked while it is read, and the directory is there only once
 * all of it was found whole. `directory`: one that is empty, or not there.
 * @throws AetherisError INPUT_INVALID when the directory is not empty; STORE_FORMAT, STORE_CORRUPT (jobId, seq) of the
 * archive; STORE_IO.
 */
export async function restore(file: string, directory: string, options: RestoreOptions = {}): Promise<RestoreReport> {
  const { clock = systemClock, onProgress } = options
  return newDirectory(directory, async (store) => {
    const restoring = new Restoring(store, clock.now(), onProgress)
    for await (const record of readArchive(linesOf(file))) await restoring.take(record)
    return restoring.close()
  })
}

class Restoring {
  private readonly report: RestoreReport = { jobs: 0, events: 0, pruned: 0, at: 0, paused: [] }
  private readonly store: JobStore
  private readonly now: number
  private readonly onProgress: ((done: ArchiveSummary) => void) | undefined
  private refill: Refill | undefined
  private readonly ending = new Set<Promise<void>>()
  private failure: unknown
  /** Ids of deleted jobs, by the time of their deletion. */
  private readonly pruned = new Map<number, string[]>()

  constructor(store: JobStore, now: number, onProgress: ((done: ArchiveSummary) => void) | undefined) {
    this.store = store
    this.now = now
    this.onProgress = onProgress
  }

  async take(record: ArchiveRecord): Promise<void> {
    if ('event' in record) {
      this.report.events += 1
      return this.refill?.take(record.event)
    }
    await this.endJob()
    if ('aetheris' in record) this.report.at = record.at
    if ('job' in record) this.begin(record)
    if ('pruned' in record) this.bury(record.pruned)
  }

  async close(): Promise<RestoreReport> {
    await this.endJob()
    await Promise.all(this.ending)
    if (this.failure !== undefined) throw this.failure
    for (const [at, ids] of this.pruned) await this.store.prune(ids, at)
    this.report.paused.sort()
    return this.report
  }

  private begin({ job: row, timers, inbox, taken }: Extract<ArchiveRecord, { job: unknown }>): void {
    this.refill = new Refill(this.store, { row, timers, inbox, taken })
    if (!hasEnded(row)) this.report.paused.push(row.id)
  }

  /** Does not wait for it, unless many others are being written. */
  private async endJob(): Promise<void> {
    if (this.refill === undefined) return
    const ended = this.refill.end(pausing(this.now, this.report.at)).then(
      () => {
        this.report.jobs += 1
        this.onProgress?.(this.report)
      },
      (error: unknown) => {
        this.failure ??= error
      },
    )
    this.refill = undefined
    const gone = ended.finally(() => this.ending.delete(gone))
    this.ending.add(gone)
    if (this.ending.size >= atATime) await Promise.race(this.ending)
    if (this.failure !== undefined) throw this.failure
  }

  private bury({ id, prunedAt }: Tombstone): void {
    const ids = this.pruned.get(prunedAt) ?? []
    this.pruned.set(prunedAt, ids)
    ids.push(id)
    this.report.pruned += 1
  }
}

/** What keeps a job from doing again what it may have done since `at`. */
function pausing(now: number, at: number): Pick<InboxMessage, 'id' | 'at' | 'kind' | 'body'> {
  const when = new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
  const reason = `The store was restored from a backup of ${when}. What the job has done since is not known: see that nothing is done twice, then resume it.`
  return { id: `restored-${now}`, at: now, kind: 'pause', body: { by: 'restore', reason } }
}
