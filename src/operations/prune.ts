import { resolve } from 'node:path'
import { type Clock, systemClock } from '../base/clock.ts'
import { AetherisError } from '../base/error.ts'
import { endStatuses, type JobRow, type JobStore } from '../store/store.ts'
import { archiveLines } from './archive.ts'
import { writeLines } from './archive-file.ts'

/** Which jobs a store lets go of. A job goes where all that is given applies to it. */
export interface RetentionPolicy {
  /** Epoch milliseconds: only jobs whose last event is older. Default: however old. */
  settledBefore?: number
  /** Only jobs beyond the newest so many of their agent. Default: 0. */
  keep?: number
  /** Only jobs of this agent. Default: of all. */
  agent?: string
}

export interface PruneOptions extends RetentionPolicy {
  /** A file that does not exist yet: what is deleted is written there first; `restore` takes it. Default: none. */
  archive?: string
  /** Only say what would be deleted. Default: false. */
  dryRun?: boolean
  /** Default: the system clock. */
  clock?: Clock
  /** Told after each job that was archived, with their number. */
  onProgress?: (archived: number) => void
}

export interface PruneReport {
  /** Ids of the jobs that were deleted, or would be. */
  pruned: string[]
  /** Their events. */
  events: number
  /** The archive that was written. */
  file?: string
}

/**
 * Deletes jobs that have ended, each as a whole, and gives their space back. Their ids are never used again: spawning
 * with one is answered with JOB_PRUNED. A job that another one has started stays for as long as that one is unfinished.
 * @throws AetherisError INPUT_INVALID when the policy names neither an age nor a number, or the archive exists;
 * STORE_CORRUPT, STORE_IO: nothing is deleted where the archive could not be written.
 */
export async function prune(store: JobStore, options: PruneOptions): Promise<PruneReport> {
  const { archive, dryRun = false, clock = systemClock, onProgress } = options
  const rows = await candidates(store, options)
  const pruned = rows.map(({ id }) => id).sort()
  const report: PruneReport = { pruned, events: rows.reduce((sum, { seq }) => sum + seq, 0) }
  if (dryRun || pruned.length === 0) return report
  const now = clock.now()
  if (archive !== undefined) {
    report.file = resolve(archive)
    await writeLines(
      report.file,
      archiveLines(copiesOf(store, pruned), now, ({ jobs }) => onProgress?.(jobs)),
    )
  }
  await store.prune(pruned, now)
  return report
}

async function candidates(store: JobStore, policy: RetentionPolicy): Promise<JobRow[]> {
  const { settledBefore = Infinity, keep = 0, agent } = policy
  if (policy.settledBefore === undefined && policy.keep === undefined)
    throw new AetherisError('INPUT_INVALID', 'A retention policy needs an age (settledBefore) or a number (keep).')
  if (Number.isNaN(settledBefore) || !Number.isInteger(keep) || keep < 0)
    throw new AetherisError('INPUT_INVALID', 'The age is an epoch in milliseconds, and the number a whole one from 0.')
  const settled = new Map<string, JobRow[]>()
  for await (const row of store.list()) {
    if (!endStatuses.has(row.status) || (agent !== undefined && row.agent !== agent)) continue
    const ofAgent = settled.get(row.agent)
    if (ofAgent === undefined) settled.set(row.agent, [row])
    else ofAgent.push(row)
  }
  const found: JobRow[] = []
  for (const rows of settled.values()) {
    rows.sort((a, b) => b.updatedAt - a.updatedAt)
    for (const row of rows.slice(keep))
      if (row.updatedAt < settledBefore && !(await isAwaited(store, row.id))) found.push(row)
  }
  return found
}

/** Whether the job that has started this one may still look for it. */
async function isAwaited(store: JobStore, jobId: string): Promise<boolean> {
  for await (const [first] of store.read(jobId, { to: 1 })) {
    const parent = first?.type === 'job.created' ? first.data.parent : undefined
    const row = parent && (await store.get(parent.jobId))
    return row !== undefined && !endStatuses.has(row.status)
  }
  return false
}

async function* copiesOf(store: JobStore, jobIds: readonly string[]) {
  for (const id of jobIds) yield* store.copies(id)
}
