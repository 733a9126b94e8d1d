import type { NewEvent } from '../event/event.ts'
import type { Commit, Committed, JobStore } from '../store/store.ts'

/** A store to be tested, over data of its own. */
export interface StoreUnderTest {
  /** Not opened yet. */
  store: JobStore
  /** Ends the store that was given last, and gives one over the same data, not opened yet. */
  reopen(): Promise<JobStore>
  /** Removes the data. */
  cleanup(): Promise<void>
}

/** What the cases work with: the store of the running test, and short ways to write to it. */
export class Bench {
  readonly #factory: () => Promise<StoreUnderTest>
  #under: StoreUnderTest | undefined
  #store: JobStore | undefined

  constructor(factory: () => Promise<StoreUnderTest>) {
    this.#factory = factory
  }

  get store(): JobStore {
    if (this.#store === undefined) throw new Error('The store is there only inside a test.')
    return this.#store
  }

  async start(): Promise<void> {
    this.#under = await this.#factory()
    this.#store = this.#under.store
    await this.#store.open()
  }

  async end(): Promise<void> {
    await this.#store?.close()
    await this.#under?.cleanup()
  }

  /** Ends the store and opens one over the same data. */
  async restart(): Promise<void> {
    if (this.#under === undefined) throw new Error('The store is there only inside a test.')
    this.#store = await this.#under.reopen()
    await this.#store.open()
  }

  /** A job with `count` events `<id>-0`, `<id>-1` and so on. */
  create(jobId: string, count = 1, more: Partial<Commit> = {}): Promise<Committed> {
    const create = { agent: 'agent', priority: 5 }
    return this.store.commit({
      lease: { jobId, epoch: 1 },
      expectedSeq: 0,
      create,
      events: eventsOf(jobId, 0, count),
      ...more,
    })
  }

  /** A commit of `count` events at `expectedSeq`, by epoch 1. */
  append(jobId: string, expectedSeq: number, count = 1, more: Partial<Commit> = {}): Promise<Committed> {
    return this.store.commit({
      lease: { jobId, epoch: 1 },
      expectedSeq,
      events: eventsOf(jobId, expectedSeq, count),
      ...more,
    })
  }

  send(jobId: string, id: string): Promise<boolean> {
    return this.store.send({ jobId, id, at: 1, kind: 'signal', body: { id } })
  }

  async unread(jobId: string): Promise<string[]> {
    return (await this.store.inbox(jobId)).map((message) => message.id)
  }
}

/** An event that is valid and can be told from others by its id. */
export function eventOf(id: string, at = 1): NewEvent {
  return {
    id,
    type: 'signal.received',
    v: 1,
    at,
    cause: null,
    state: { step: id },
    data: { name: 'go', payload: { id }, message: id },
  }
}

export function eventsOf(jobId: string, from: number, count: number): NewEvent[] {
  return Array.from({ length: count }, (_, index) => eventOf(`${jobId}-${from + index}`, 1000 + from + index))
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** The code of the error that a promise is rejected with, or `fulfilled`. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'fulfilled',
    (error: { code?: unknown }) => error.code ?? error,
  )
}
