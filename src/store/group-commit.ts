import { AetherisError } from '../base/error.ts'
import { endOfTurn } from '../base/turn.ts'

/**
 * The queue before the disk. Owns the requests that wait.
 *
 * 1. One batch is in flight at a time; everything that came meanwhile goes into the next one. An idle queue does not
 *    wait for more.
 * 2. Requests are taken in the order in which they came.
 * 3. After a failed batch nothing more is taken: what waits is refused, and so is what comes later.
 */

const queuedMax = 8 * 1024 * 1024
const batchMax = 1024 * 1024
const requestsMax = 4096

export interface Request<Work> {
  readonly work: Work
  readonly size: number
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

export class GroupCommit<Work> {
  #queue: Request<Work>[] = []
  #queuedSize = 0
  #running: Promise<void> | undefined
  #failure: AetherisError | undefined
  readonly #write: (batch: readonly Request<Work>[]) => Promise<void>
  readonly #onFailure: (cause: unknown) => void

  /** `write` settles the requests that it was given, and rejects only where the store must not go on. */
  constructor(write: (batch: readonly Request<Work>[]) => Promise<void>, onFailure: (cause: unknown) => void) {
    this.#write = write
    this.#onFailure = onFailure
  }

  /** `size` is about the number of characters to write. */
  submit<Result>(work: Work, size: number): Promise<Result> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#queue.length > 0 && this.#queuedSize + size > queuedMax) {
      return Promise.reject(new AetherisError('STORE_BUSY', `More than ${queuedMax} characters wait to be written.`))
    }
    return new Promise<Result>((resolve, reject) => {
      this.#queue.push({ work, size, resolve: resolve as (result: unknown) => void, reject })
      this.#queuedSize += size
      // Not at once, so that all requests of this turn of the event loop share the first batch.
      this.#running ??= endOfTurn().then(() => this.#run())
    })
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async #run(): Promise<void> {
    try {
      while (this.#queue.length > 0) await this.#write(this.#take())
    } catch (cause) {
      this.#fail(cause)
    } finally {
      this.#running = undefined
    }
  }

  #take(): Request<Work>[] {
    let size = 0
    const more = this.#queue.findIndex((request, index) => {
      size += request.size
      return index > 0 && (size > batchMax || index >= requestsMax)
    })
    const batch = this.#queue.splice(0, more === -1 ? this.#queue.length : more)
    for (const request of batch) this.#queuedSize -= request.size
    return batch
  }

  #fail(cause: unknown): void {
    this.#failure = storeFailed(cause)
    for (const { reject } of this.#queue) reject(this.#failure)
    this.#queue = []
    this.#queuedSize = 0
    this.#onFailure(cause)
  }
}

/** A write failed; the store is opening itself again. */
export function storeFailed(cause: unknown): AetherisError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new AetherisError(
    'STORE_FAILED',
    `The store stopped after a failed write (${why}) and is opening again. Try again later.`,
    { cause },
  )
}
