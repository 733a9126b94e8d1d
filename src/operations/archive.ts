import { AetherisError, isAetherisError } from '../base/error.ts'
import { sha256 } from '../base/hash.ts'
import type { JobEvent } from '../event/event.ts'
import { chainHash, eventText, genesisHash } from '../store/chain.ts'
import { keys } from '../store/keys.ts'
import type { InboxMessage, JobCopy, JobRow, Tombstone } from '../store/store.ts'
import { corrupt } from '../store/store-error.ts'

/**
 * Jobs as text, to be kept elsewhere: JSON lines that any store can be filled from.
 *
 * 1. A job is its history with the hashes as they were recorded, and what no history holds: timers, messages, ids of
 *    messages taken. Snapshots are left out; they are made anew.
 * 2. The last line has a sum over all lines before it, so that a file that was cut off or changed is seen.
 * 3. Nothing that is read is given on before it was checked.
 */

export const archiveVersion = 1

/** A line of an archive. */
export type ArchiveRecord =
  | { aetheris: 'archive'; version: number; at: number }
  | { job: JobRow; timers: JobCopy['timers']; inbox: InboxMessage[]; taken: string[] }
  | { event: JobEvent }
  | { pruned: Tombstone }
  | { end: ArchiveSummary & { sum: string } }

export interface ArchiveSummary {
  jobs: number
  events: number
  /** Jobs of which only the id is kept, since they were deleted. */
  pruned: number
}

/** The lines of an archive, each with its line feed. `at`: epoch milliseconds. */
export async function* archiveLines(
  copies: AsyncIterable<JobCopy | Tombstone>,
  at: number,
  onJob: (done: ArchiveSummary) => void = () => {},
): AsyncGenerator<string, ArchiveSummary> {
  const done: ArchiveSummary = { jobs: 0, events: 0, pruned: 0 }
  let sum = ''
  const line = (record: ArchiveRecord): string => {
    const text = JSON.stringify(record)
    sum = sha256(sum + text)
    return `${text}\n`
  }
  yield line({ aetheris: 'archive', version: archiveVersion, at })
  for await (const copy of copies) {
    if (!('row' in copy)) {
      done.pruned += 1
      yield line({ pruned: copy })
      continue
    }
    const { row, timers, inbox, taken } = copy
    yield line({ job: row, timers, inbox, taken })
    for await (const events of copy.events) yield events.map((event) => line({ event })).join('')
    done.jobs += 1
    done.events += row.seq
    onJob(done)
  }
  yield `${JSON.stringify({ end: { ...done, sum } })}\n`
  return done
}

/**
 * The records of an archive, checked. What was given on before an error was whole, but the archive is not.
 * @throws AetherisError STORE_FORMAT when it is no archive or one of a newer version, STORE_CORRUPT (jobId, seq)
 */
export async function* readArchive(lines: AsyncIterable<string>): AsyncGenerator<ArchiveRecord> {
  const reading = new Reading()
  for await (const text of lines) {
    if (text === '') continue
    const record = reading.take(text)
    if (record !== undefined) yield record
  }
  reading.close()
}

class Reading {
  private readonly done: ArchiveSummary = { jobs: 0, events: 0, pruned: 0 }
  private number = 0
  private sum = ''
  private row: JobRow | undefined
  private seq = 0
  private hash = genesisHash
  private isClosed = false

  take(text: string): ArchiveRecord | undefined {
    this.number += 1
    const record = this.parsed(text)
    if (this.number === 1) this.checkHeader(record)
    if (this.isClosed) throw this.damaged('something follows its end')
    if ('end' in record) return this.checkEnd(record.end)
    this.sum = sha256(this.sum + text)
    if ('event' in record) this.checkEvent(record.event)
    else this.checkJobEnd()
    if ('job' in record) [this.row, this.seq, this.hash] = [record.job, 0, genesisHash]
    if ('job' in record) this.done.jobs += 1
    if ('pruned' in record) this.done.pruned += 1
    return record
  }

  close(): void {
    if (this.number === 0) throw noArchive()
    if (!this.isClosed) throw this.damaged('it ends early')
  }

  private parsed(text: string): ArchiveRecord {
    try {
      const record: unknown = JSON.parse(text)
      if (typeof record === 'object' && record !== null && !Array.isArray(record)) return record as ArchiveRecord
    } catch {}
    throw this.number === 1 ? noArchive() : this.damaged('it is no JSON object')
  }

  private checkHeader(record: ArchiveRecord): void {
    if (!('aetheris' in record) || record.aetheris !== 'archive') throw noArchive()
    if (record.version === archiveVersion) return
    const message = `The archive has version ${record.version}; this version of Aetheris reads version ${archiveVersion}. Use the one that wrote it.`
    throw new AetherisError('STORE_FORMAT', message)
  }

  private checkEvent(event: JobEvent): void {
    const { row, seq } = this
    if (row === undefined) throw this.damaged('an event comes before its job')
    const where = { jobId: row.id, seq }
    if (event.jobId !== row.id || event.seq !== seq || seq >= row.seq)
      throw corrupt(`Line ${this.number} of the archive is not event ${seq} of job "${row.id}".`, where)
    if (chainHash(this.hash, keys.event(row.id, seq), textOf(event, where)) !== event.hash)
      throw corrupt(`Event ${seq} of job "${row.id}" in the archive is not what was recorded.`, where)
    this.seq += 1
    this.hash = event.hash
    this.done.events += 1
  }

  private checkJobEnd(): void {
    const { row, seq, hash } = this
    if (row === undefined || (row.seq === seq && row.hash === hash)) return
    throw corrupt(`Event ${seq} of job "${row.id}" is missing from the archive.`, { jobId: row.id, seq })
  }

  private checkEnd({ sum, ...said }: ArchiveSummary & { sum: string }): undefined {
    this.checkJobEnd()
    const { jobs, events, pruned } = this.done
    const agrees = said.jobs === jobs && said.events === events && said.pruned === pruned && sum === this.sum
    if (!agrees) throw this.damaged('its sum does not fit')
    this.isClosed = true
  }

  private damaged(why: string): AetherisError {
    return corrupt(`The archive is damaged at line ${this.number}: ${why}. Use another one.`)
  }
}

/** What the hash of an event covers. An event that cannot be written down is none that was recorded. */
function textOf(event: JobEvent, where: { jobId: string; seq: number }): string {
  try {
    return eventText(event, event.epoch).text
  } catch (error) {
    if (isAetherisError(error)) throw error
    throw corrupt(`Event ${where.seq} of job "${where.jobId}" in the archive is no event.`, where)
  }
}

function noArchive(): AetherisError {
  return new AetherisError('STORE_FORMAT', 'This is no archive of Aetheris: the first line does not say so.')
}
