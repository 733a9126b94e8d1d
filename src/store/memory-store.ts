import type { AetherisError } from '../base/error.ts'
import type { JobEvent } from '../event/event.ts'
import { chainHash, eventIdentity, genesisHash, openEvent, wholeEvent } from './chain.ts'
import { checkKeyPart } from './keys.ts'
import {
  checkCount,
  type PreparedCommit,
  type PreparedMessage,
  prepareCommit,
  prepareMessage,
  readRange,
} from './request.ts'
import { admit, advance, hasEnded, mayBeRepeat, publicRow } from './row.ts'
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
import { invalid, jobNotFound, jobPruned, jobSettled, jobUnsettled, notOpen } from './store-error.ts'

/**
 * The reference store: the contract in Maps, without cleverness. Owns all data of its jobs.
 *
 * 1. Everything is kept as text or as a copy, so that no caller can change the history.
 * 2. Every call does its work before it first waits, so that calls never interleave.
 * 3. The data stays in the object: `close` and `open` again is what a restart is to a store on disk.
 */

const chunkSize = 1000
const snapshotsKept = 2

interface MemoryJob {
  row: JobRow
  /** Hash and text, as on disk. */
  events: string[]
  timers: Map<string, number>
  /** Unread messages as text, in order of arrival. */
  unread: Map<string, string>
  /** Ids of all messages that ever came. */
  seen: Set<string>
  snapshots: Map<number, string>
  /** Large values, by their hash. */
  blobs: Map<string, string>
}

/** All that a memory store holds, as JSON. */
export interface MemoryContents {
  generation: number
  jobs: {
    row: JobRow
    events: string[]
    timers: [string, number][]
    unread: [string, string][]
    seen: string[]
    snapshots: [number, string][]
    blobs: [string, string][]
  }[]
  /** Ids of jobs that were pruned, and when. */
  pruned?: [string, number][]
}

/**
 * A store that keeps everything in memory: for tests, and to try things out. Nothing of it is durable.
 *
 * @param contents what another one held, which it begins with.
 */
export function memoryStore(contents?: MemoryContents): MemoryStore {
  return new MemoryStore(contents)
}

export class MemoryStore implements JobStore {
  readonly caps = { engine: 'memory', durable: 'none' } as const
  readonly #jobs: Map<string, MemoryJob>
  readonly #pruned: Map<string, number>
  #isOpen = false
  #generation: number

  /** @internal Use {@link memoryStore}. */
  constructor({ generation, jobs, pruned = [] }: MemoryContents = { generation: 0, jobs: [] }) {
    this.#generation = generation
    this.#pruned = new Map(pruned)
    this.#jobs = new Map(
      jobs.map(({ row, events, timers, unread, seen, snapshots, blobs }) => [
        row.id,
        {
          row: { ...row },
          events: [...events],
          timers: new Map(timers),
          unread: new Map(unread),
          seen: new Set(seen),
          snapshots: new Map(snapshots),
          blobs: new Map(blobs),
        },
      ]),
    )
  }

  /** A copy of all that it holds, for {@link memoryStore}. */
  contents(): MemoryContents {
    const jobs = [...this.#jobs.values()].map(({ row, events, timers, unread, seen, snapshots, blobs }) => ({
      row: { ...row },
      events: [...events],
      timers: [...timers],
      unread: [...unread],
      seen: [...seen],
      snapshots: [...snapshots],
      blobs: [...blobs],
    }))
    return { generation: this.#generation, jobs, pruned: [...this.#pruned] }
  }

  async open(): Promise<OpenReport> {
    if (!this.#isOpen) this.#generation += 1
    this.#isOpen = true
    const unfinished = [...this.#jobs.values()].filter((job) => !hasEnded(job.row)).length
    return { generation: this.#generation, unfinished, problems: [] }
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }

  async commit(commit: Commit): Promise<Committed> {
    this.#checkOpen()
    const prepared = prepareCommit(commit)
    const before = this.#jobs.get(prepared.jobId)
    const repeated = before && repeatOf(prepared, before)
    if (repeated !== undefined) return repeated
    admit(prepared, before?.row, this.#pruned.has(prepared.jobId))
    const unknown = prepared.acks.find((id) => !before?.seen.has(id))
    if (unknown !== undefined) throw invalid(`Job "${prepared.jobId}" was never sent the message "${unknown}".`)
    return this.#apply(prepared, before)
  }

  #apply(commit: PreparedCommit, before: MemoryJob | undefined): Committed {
    const draft = before ?? emptyJob()
    let hash = before?.row.hash ?? genesisHash
    for (const { key, text, blobs } of commit.events) {
      hash = chainHash(hash, key, text)
      draft.events.push(hash + text)
      for (const [name, blob] of blobs) draft.blobs.set(name, blob)
    }
    const row = advance(before?.row, commit, hash, this.#generation)
    const job = Object.assign(draft, { row })
    this.#jobs.set(row.id, job)
    for (const id of commit.clear) job.timers.delete(id)
    for (const { id, dueAt } of commit.set) job.timers.set(id, dueAt)
    for (const id of commit.acks) job.unread.delete(id)
    keepSnapshot(job.snapshots, commit.snapshot)
    for (const message of commit.send) this.#deliver(message)
    if (hasEnded(row)) for (const left of [job.timers, job.unread, job.snapshots]) left.clear()
    job.row = { ...row, unread: job.unread.size }
    return { seq: row.seq, hash }
  }

  async claim(jobId: string): Promise<JobRow> {
    const job = this.#job(jobId)
    job.row = { ...job.row, epoch: job.row.epoch + 1, owner: this.#generation }
    return publicRow(job.row)
  }

  async get(jobId: string): Promise<JobRow | undefined> {
    this.#checkOpen()
    checkKeyPart(jobId, 'job id')
    const job = this.#jobs.get(jobId)
    return job && publicRow(job.row)
  }

  async *list({ unfinished = false, status, limit = Infinity }: JobQuery = {}): AsyncIterable<JobRow> {
    this.#checkOpen()
    let left = limit
    for (const id of [...this.#jobs.keys()].sort()) {
      const { row } = this.#job(id)
      if ((unfinished && hasEnded(row)) || (status !== undefined && row.status !== status)) continue
      if (left-- <= 0) return
      yield publicRow(row)
    }
  }

  async *read(jobId: string, range: { from?: number; to?: number } = {}): AsyncIterable<JobEvent[]> {
    const { events, row, blobs } = this.#job(jobId)
    const { from, to } = readRange(range, row.seq)
    for await (const chunk of opened(jobId, events, blobs, from, to)) {
      this.#checkOpen()
      yield chunk
    }
  }

  async snapshot(jobId: string, machine: string): Promise<StoredSnapshot | undefined> {
    this.#checkOpen()
    checkKeyPart(jobId, 'job id')
    const kept = [...(this.#jobs.get(jobId)?.snapshots ?? [])].sort(([a], [b]) => b - a)
    for (const [seq, text] of kept) {
      const snapshot = JSON.parse(text) as Omit<StoredSnapshot, 'seq'>
      if (snapshot.machine === machine) return { seq, ...snapshot }
    }
    return undefined
  }

  async send(message: InboxMessage): Promise<boolean> {
    this.#checkOpen()
    const prepared = prepareMessage(message)
    const { jobId, id } = prepared
    const { row, seen } = this.#job(jobId)
    if (seen.has(id)) return false
    if (hasEnded(row)) throw jobSettled(jobId, row.status)
    this.#deliver(prepared)
    return true
  }

  /** Into the inbox of a job that is there and has not ended. */
  #deliver({ jobId, id, text }: PreparedMessage): void {
    const job = this.#jobs.get(jobId)
    if (job === undefined || job.seen.has(id) || hasEnded(job.row)) return
    job.seen.add(id)
    job.unread.set(id, text)
    job.row = { ...job.row, unread: job.unread.size }
  }

  async inbox(jobId: string, limit = Infinity): Promise<InboxMessage[]> {
    this.#checkOpen()
    checkKeyPart(jobId, 'job id')
    const unread = [...(this.#jobs.get(jobId)?.unread.values() ?? [])]
    return unread.slice(0, limit).map((text) => ({ jobId, ...JSON.parse(text) }))
  }

  async dueTimers(now: number, limit = Infinity): Promise<TimerRow[]> {
    const due = this.#timers().filter((timer) => timer.dueAt <= now)
    return due.slice(0, limit)
  }

  async nextTimer(): Promise<number | undefined> {
    return this.#timers()[0]?.dueAt
  }

  async *copies(jobId?: string): AsyncIterable<JobCopy | Tombstone> {
    this.#checkOpen()
    const isOne = jobId !== undefined && !this.#pruned.has(jobId)
    // What is copied now stays as it is, whatever is written before it is asked for.
    const jobs = (isOne ? [this.#job(jobId)] : jobId === undefined ? [...this.#jobs.values()] : []).map(copyOf)
    const pruned = [...this.#pruned].filter(([id]) => jobId === undefined || id === jobId)
    yield* jobs.sort((a, b) => order(a.row.id, b.row.id))
    for (const [id, prunedAt] of pruned.sort(([a], [b]) => order(a, b))) yield { id, prunedAt }
  }

  async prune(jobIds: readonly string[], at: number): Promise<void> {
    this.#checkOpen()
    for (const id of jobIds) checkKeyPart(id, 'job id')
    checkCount(at, 'time of a deletion')
    let refusal: AetherisError | undefined
    for (const id of jobIds) {
      const row = this.#jobs.get(id)?.row
      if (row !== undefined && !hasEnded(row)) refusal ??= jobUnsettled(id, row.status)
      else if (this.#jobs.delete(id) || !this.#pruned.has(id)) this.#pruned.set(id, at)
    }
    if (refusal !== undefined) throw refusal
  }

  async *verify(jobId?: string): AsyncIterable<Finding> {
    for (const id of jobId === undefined ? [...this.#jobs.keys()].sort() : [jobId]) {
      const { events, row } = this.#job(id)
      const last = events.at(-1)
      if (events.length !== row.seq || (last !== undefined && eventIdentity(last).hash !== row.hash)) {
        yield { kind: 'head', jobId: id, seq: row.seq, message: `The head of job "${id}" is not its last event.` }
      }
    }
  }

  #timers(): TimerRow[] {
    this.#checkOpen()
    const rows = [...this.#jobs].flatMap(([jobId, job]) => [...job.timers].map(([id, dueAt]) => ({ jobId, id, dueAt })))
    return rows.sort((a, b) => a.dueAt - b.dueAt || order(a.jobId, b.jobId) || order(a.id, b.id))
  }

  #job(jobId: string): MemoryJob {
    this.#checkOpen()
    checkKeyPart(jobId, 'job id')
    const job = this.#jobs.get(jobId)
    if (job === undefined) throw this.#pruned.has(jobId) ? jobPruned(jobId) : jobNotFound(jobId)
    return job
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw notOpen()
  }
}

function copyOf({ row, events, timers, unread, seen, snapshots, blobs }: MemoryJob): JobCopy {
  const { id } = row
  const [kept, texts] = [[...events], new Map(blobs)]
  return {
    row: publicRow(row),
    events: opened(id, kept, texts, 0, kept.length),
    timers: [...timers].map(([timer, dueAt]) => ({ id: timer, dueAt })).sort((a, b) => order(a.id, b.id)),
    inbox: [...unread.values()].map((text) => ({ jobId: id, ...JSON.parse(text) })),
    taken: [...seen].filter((message) => !unread.has(message)).sort(order),
    snapshots: [...snapshots].sort(([a], [b]) => a - b).map(([seq, text]) => ({ seq, ...JSON.parse(text) })),
  }
}

async function* opened(
  jobId: string,
  events: readonly string[],
  blobs: ReadonlyMap<string, string>,
  from: number,
  to: number,
): AsyncGenerator<JobEvent[]> {
  let previous = from === 0 ? genesisHash : eventIdentity(events[from - 1] as string).hash
  for (let start = from; start < to; start += chunkSize) {
    const chunk: JobEvent[] = []
    for (let seq = start; seq < Math.min(to, start + chunkSize); seq += 1) {
      const event = wholeEvent(openEvent(jobId, seq, previous, events[seq] as string), blobs)
      previous = event.hash
      chunk.push(event)
    }
    yield chunk
  }
}

function emptyJob(): Omit<MemoryJob, 'row'> {
  return { events: [], timers: new Map(), unread: new Map(), seen: new Set(), snapshots: new Map(), blobs: new Map() }
}

function repeatOf(commit: PreparedCommit, job: MemoryJob): Committed | undefined {
  if (!mayBeRepeat(commit, job.row)) return undefined
  const seq = commit.expectedSeq + commit.events.length
  const stored = job.events.slice(commit.expectedSeq, seq).map(eventIdentity)
  const equal = stored.every(({ id, epoch }, index) => id === commit.events[index]?.id && epoch === commit.epoch)
  return equal ? { seq, hash: stored.at(-1)?.hash ?? '' } : undefined
}

function keepSnapshot(snapshots: Map<number, string>, snapshot: PreparedCommit['snapshot']): void {
  if (snapshot === undefined) return
  snapshots.set(snapshot.seq, snapshot.text)
  const old = [...snapshots.keys()].sort((a, b) => b - a).slice(snapshotsKept)
  for (const seq of old) snapshots.delete(seq)
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
