import type { AbstractLevel } from 'abstract-level'
import { type Clock, systemClock } from '../base/clock.ts'
import { type AetherisError, isAetherisError } from '../base/error.ts'
import type { JobEvent } from '../event/event.ts'
import { GroupCommit, storeFailed } from './group-commit.ts'
import { checkKeyPart } from './keys.ts'
import { readCopies } from './level-copies.ts'
import { asStoreError, atOneMoment, compact, View } from './level-db.ts'
import { directory } from './level-disk.ts'
import type { DatabaseMaker } from './level-files.ts'
import type { Medium } from './level-medium.ts'
import { PassedDatabase } from './level-passed.ts'
import { listRows, readDueTimers, readEvents, readInbox, readNextTimer, readSnapshot } from './level-read.ts'
import { type Session, startSession } from './level-session.ts'
import { verifySession } from './level-verify.ts'
import type { Work } from './level-writer.ts'
import { checkCount, prepareCommit, prepareMessage, readRange } from './request.ts'
import { publicRow } from './row.ts'
import type {
  Commit,
  Committed,
  Finding,
  InboxMessage,
  JobCopy,
  JobQuery,
  JobRow,
  JobStore,
  OpenReport,
  StoredSnapshot,
  TimerRow,
  Tombstone,
} from './store.ts'
import { jobNotFound, notOpen } from './store-error.ts'

export interface LevelStoreOptions {
  /** For the pauses between attempts to open again after a failed write. */
  clock?: Clock
  /** @internal Makes the database, for tests that inject faults. */
  openDatabase?: DatabaseMaker
}

/**
 * A durable store on LevelDB, for one process: every commit is on disk before it is acknowledged.
 *
 * `location` is a data directory, which is made where it does not exist, or a database of the `abstract-level` family
 * with utf8 keys and values, which is then this store's own, from `open` to `close`. Only a data directory is watched for
 * lost data by a witness outside the database. A database is as durable as it says, and locked against others as far as
 * it does so itself; one in a browser (`browser-level`) is locked against other tabs.
 * @throws AetherisError INPUT_INVALID for a path in a browser, which has no directories.
 */
export function levelStore<Format>(
  location: string | AbstractLevel<Format, string, string>,
  options: LevelStoreOptions = {},
): JobStore {
  const clock = options.clock ?? systemClock
  if (typeof location === 'string') return new LevelStore(directory(location, clock, options.openDatabase), clock)
  return new LevelStore(new PassedDatabase(location as unknown as AbstractLevel<never, string, string>, clock), clock)
}

const retryMs = 100
const retryMsMax = 10_000
const pruneAtATime = 32

type State =
  | { name: 'closed' }
  | { name: 'open'; session: Session; queue: GroupCommit<Work> }
  /** After a failed write: nothing is served until the database was opened again and found whole. */
  | { name: 'failed'; error: AetherisError; stop: () => void; stopped: Promise<void> }

/**
 * The life of the store. Owns the state, and through it the session and the queue of the open database.
 *
 * 1. A call is served only in state `open`.
 * 2. After a failed write the database is not used again: LevelDB would go on acknowledging what a crash then loses.
 *    It is closed, opened and checked anew.
 * 3. The lock is held from `open` to `close`, also while the database is opened again.
 */
class LevelStore implements JobStore {
  readonly caps: { engine: string; durable: 'fsync' | 'none' }
  readonly #medium: Medium
  readonly #clock: Clock
  #state: State = { name: 'closed' }
  #opening: Promise<OpenReport> | undefined
  #closing: Promise<void> | undefined

  constructor(medium: Medium, clock: Clock) {
    this.caps = { engine: 'level', durable: medium.durable }
    this.#medium = medium
    this.#clock = clock
  }

  async open(): Promise<OpenReport> {
    await this.#closing
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async close(): Promise<void> {
    await this.#opening?.catch(() => undefined)
    this.#closing ??= this.#close().finally(() => {
      this.#closing = undefined
      this.#opening = undefined
    })
    return this.#closing
  }

  async commit(commit: Commit): Promise<Committed> {
    const { queue } = this.#served()
    const prepared = prepareCommit(commit)
    return queue.submit({ kind: 'commit', commit: prepared }, prepared.size)
  }

  async claim(jobId: string): Promise<JobRow> {
    const { queue } = this.#served()
    checkKeyPart(jobId, 'job id')
    return queue.submit({ kind: 'claim', jobId }, jobId.length)
  }

  async send(message: InboxMessage): Promise<boolean> {
    const { queue } = this.#served()
    const prepared = prepareMessage(message)
    return queue.submit({ kind: 'message', message: prepared }, prepared.text.length)
  }

  get(jobId: string): Promise<JobRow | undefined> {
    return this.#reading(`reading job "${jobId}"`, async (session) => {
      checkKeyPart(jobId, 'job id')
      const row = await session.rows.get(jobId)
      return row && publicRow(row)
    })
  }

  list(query: JobQuery = {}): AsyncIterable<JobRow> {
    return this.#streaming('listing jobs', ({ db }) => listRows(db, query))
  }

  read(jobId: string, range: { from?: number; to?: number } = {}): AsyncIterable<JobEvent[]> {
    return this.#streaming(`reading job "${jobId}"`, async function* ({ db, rows }) {
      checkKeyPart(jobId, 'job id')
      const row = await rows.get(jobId)
      if (row === undefined) throw jobNotFound(jobId)
      const { from, to } = readRange(range, row.seq)
      yield* readEvents(new View(db), row, from, to)
    })
  }

  snapshot(jobId: string, machine: string): Promise<StoredSnapshot | undefined> {
    return this.#reading(`reading a snapshot of job "${jobId}"`, async ({ db, rows }) => {
      checkKeyPart(jobId, 'job id')
      const row = await rows.get(jobId)
      return row && readSnapshot(db, row, machine)
    })
  }

  inbox(jobId: string, limit = Infinity): Promise<InboxMessage[]> {
    return this.#reading(`reading the inbox of job "${jobId}"`, async ({ db }) => {
      checkKeyPart(jobId, 'job id')
      return readInbox(new View(db), jobId, limit)
    })
  }

  dueTimers(now: number, limit = Infinity): Promise<TimerRow[]> {
    return this.#reading('reading timers', ({ db }) => readDueTimers(db, now, limit))
  }

  nextTimer(): Promise<number | undefined> {
    return this.#reading('reading timers', ({ db }) => readNextTimer(db))
  }

  copies(jobId?: string): AsyncIterable<JobCopy | Tombstone> {
    return this.#streaming('copying', ({ db }) => {
      if (jobId !== undefined) checkKeyPart(jobId, 'job id')
      return atOneMoment(db, (view) => readCopies(view, jobId))
    })
  }

  async prune(jobIds: readonly string[], at: number): Promise<void> {
    for (const id of jobIds) checkKeyPart(id, 'job id')
    checkCount(at, 'time of a deletion')
    const pruned: PromiseSettledResult<unknown>[] = []
    // A few at a time: each may hold many keys.
    for (let start = 0; start < jobIds.length; start += pruneAtATime) {
      const some = jobIds.slice(start, start + pruneAtATime)
      const { queue } = this.#served()
      pruned.push(
        ...(await Promise.allSettled(some.map((jobId) => queue.submit({ kind: 'prune', jobId, at }, jobId.length)))),
      )
    }
    const refused = pruned.find((result) => result.status === 'rejected')
    if (refused !== undefined) throw refused.reason
    await this.#reading('giving space back', ({ db }) => compact(db))
  }

  verify(jobId?: string): AsyncIterable<Finding> {
    return this.#streaming('verifying', async function* (session) {
      if (jobId !== undefined) checkKeyPart(jobId, 'job id')
      yield* verifySession(session, jobId)
    })
  }

  #served(): { session: Session; queue: GroupCommit<Work> } {
    if (this.#state.name === 'open') return this.#state
    throw this.#state.name === 'failed' ? this.#state.error : notOpen()
  }

  async #reading<T>(doing: string, read: (session: Session) => Promise<T>): Promise<T> {
    const { session } = this.#served()
    try {
      return await read(session)
    } catch (error) {
      throw this.#readError(error, doing)
    }
  }

  async *#streaming<T>(doing: string, read: (session: Session) => AsyncIterable<T>): AsyncIterable<T> {
    const { session } = this.#served()
    try {
      yield* read(session)
    } catch (error) {
      throw this.#readError(error, doing)
    }
  }

  /** A read that was cut off by a failed write says so, not that somebody has closed the store. */
  #readError(error: unknown, doing: string): AetherisError {
    const known = asStoreError(error, doing)
    return known.code === 'STORE_CLOSED' && this.#state.name === 'failed' ? this.#state.error : known
  }

  async #open(): Promise<OpenReport> {
    await this.#medium.acquire()
    try {
      const session = await startSession(this.#medium, undefined)
      this.#serve(session)
      return session.report
    } catch (error) {
      await this.#medium.release(undefined)
      throw error
    }
  }

  #serve(session: Session): void {
    const queue = new GroupCommit<Work>(
      (batch) => session.writer.write(batch),
      (cause) => this.#fail(session, cause),
    )
    this.#state = { name: 'open', session, queue }
  }

  async #close(): Promise<void> {
    const state = this.#state
    this.#state = { name: 'closed' }
    if (state.name === 'closed') return
    if (state.name === 'failed') {
      state.stop()
      await state.stopped
      return this.#medium.release(undefined)
    }
    await state.queue.drain()
    // A write may have failed while the queue ran dry; then the state is "failed" now, and there is more to stop.
    if (this.#currentState().name === 'failed') return this.#close()
    await state.session.db.close()
    await this.#medium.release(state.session.writer.head)
  }

  /** The state as it is now, which the compiler believes to know from the last assignment. */
  #currentState(): State {
    return this.#state
  }

  #fail(session: Session, cause: unknown): void {
    const pauses = new Pauses(this.#clock)
    const error = storeFailed(cause)
    this.#state = { name: 'failed', error, stop: () => pauses.stop(), stopped: this.#recover(session, pauses) }
  }

  async #recover(session: Session, pauses: Pauses): Promise<void> {
    await session.db.close().catch(() => undefined)
    for (;;) {
      if (pauses.isStopped) return
      try {
        const next = await startSession(this.#medium, session.report.generation)
        if (!pauses.isStopped) return this.#serve(next)
        return await next.db.close()
      } catch (error) {
        if (isAetherisError(error, 'STORE_CORRUPT')) return this.#giveUp(error)
      }
      await pauses.next()
    }
  }

  /** Damage does not go away by trying again: it is reported until somebody closes the store. */
  #giveUp(error: AetherisError): void {
    if (this.#state.name === 'failed') this.#state = { ...this.#state, error }
  }
}

/** Pauses that grow, and that can be ended for good. */
class Pauses {
  isStopped = false
  #nextMs = retryMs
  #end: () => void = () => {}
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  next(): Promise<void> {
    const pauseMs = this.#nextMs
    this.#nextMs = Math.min(pauseMs * 2, retryMsMax)
    return new Promise((resolve) => {
      if (this.isStopped) return resolve()
      const cancel = this.#clock.setTimer(resolve, pauseMs)
      this.#end = () => {
        cancel()
        resolve()
      }
    })
  }

  stop(): void {
    this.isStopped = true
    this.#end()
  }
}
