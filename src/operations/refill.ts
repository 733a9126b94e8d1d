import type { JobEvent } from '../event/event.ts'
import { hasEnded } from '../store/row.ts'
import type { Commit, InboxMessage, JobCopy, JobRow, JobStore } from '../store/store.ts'
import { corrupt } from '../store/store-error.ts'

/**
 * A job that is put into a store anew, by nothing but the store's own contract: the same events under the same epochs
 * give the same hashes, or the job is refused.
 */

export type Refilled = Pick<JobCopy, 'row' | 'timers' | 'inbox' | 'taken'>

/** Events of one commit. */
const commitEvents = 1000

export class Refill {
  private readonly store: JobStore
  private readonly job: Refilled
  private events: JobEvent[] = []
  private seq = 0
  private epoch = 1
  private hash = ''

  constructor(store: JobStore, job: Refilled) {
    this.store = store
    this.job = job
  }

  /** Takes the next event; writes what has come before where that is enough. */
  async take(event: JobEvent): Promise<void> {
    if (this.events.length >= commitEvents) await this.write()
    this.events.push(event)
  }

  /**
   * Writes the rest. `mark`: a message that an unfinished job is given after those that it had.
   * @throws AetherisError STORE_CORRUPT when the history is not that of the row; JOB_EXISTS, JOB_PRUNED.
   */
  async end(mark?: Pick<InboxMessage, 'id' | 'at' | 'kind' | 'body'>): Promise<void> {
    const { store } = this
    const { row, timers, inbox, taken } = this.job
    await this.write()
    if (this.seq !== row.seq || this.hash !== row.hash)
      throw corrupt(`The history of job "${row.id}" is not the one that its row names.`, {
        jobId: row.id,
        seq: this.seq,
      })
    for (const id of taken) await store.send({ jobId: row.id, id, at: 0, kind: 'taken', body: null })
    if (taken.length > 0) await this.commit([], { acks: taken })
    for (const message of inbox) await store.send({ ...message, jobId: row.id })
    if (mark !== undefined && !hasEnded(row)) await store.send({ ...mark, jobId: row.id })
    await this.claim(row.epoch)
    await this.commit([], { status: row.status, timers: { set: timers } })
  }

  /** One commit for each run of events of one epoch. */
  private async write(): Promise<void> {
    const { events } = this
    this.events = []
    for (let start = 0; start < events.length; ) {
      const { epoch } = events[start] as JobEvent
      const beyond = events.findIndex((event, index) => index > start && event.epoch !== epoch)
      const run = events.slice(start, beyond === -1 ? events.length : beyond)
      if (this.seq > 0) await this.claim(epoch)
      await this.commit(run, this.seq === 0 ? { create: created(this.job.row) } : {})
      start += run.length
    }
  }

  private async commit(events: JobEvent[], more: Partial<Commit>): Promise<void> {
    const lease = { jobId: this.job.row.id, epoch: this.epoch }
    const { seq, hash } = await this.store.commit({ lease, expectedSeq: this.seq, events, ...more })
    this.seq = seq
    this.hash = hash
  }

  private async claim(epoch: number): Promise<void> {
    while (this.epoch < epoch) this.epoch = (await this.store.claim(this.job.row.id)).epoch
  }
}

function created({ agent, priority }: JobRow): { agent: string; priority: number } {
  return { agent, priority }
}
