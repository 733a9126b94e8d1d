import { isAetherisError } from '../base/error.ts'
import { genesisHash, openEvent, splitHash, unseal, wholeEvent } from './chain.ts'
import { keyParts, keys, under } from './keys.ts'
import { rowProblem } from './level-check.ts'
import { asStoreError, collect, type View } from './level-db.ts'
import type { CommitEntry } from './level-draft.ts'
import { isWholeSnapshot, readBlobs } from './level-read.ts'
import { decodeRow, type StoredRow } from './level-rows.ts'
import { hasEnded } from './row.ts'
import type { Finding } from './store.ts'
import { jobNotFound } from './store-error.ts'

/** What the checks of one job need of those before. */
export class Verification {
  readonly view: View
  /** What the chain of commits says last of each job; empty where that is not known. */
  last: ReadonlyMap<string, CommitEntry> = new Map()
  readonly checked = new Set<string>()
  /** Jobs whose timers were reported; one damage is reported once. */
  readonly timersReported = new Set<string>()

  constructor(view: View) {
    this.view = view
  }
}

/** What `check` throws as a finding; it throws what is no damage. */
export async function* caught(
  kind: Finding['kind'],
  jobId: string | undefined,
  check: () => AsyncGenerator<Finding> | Promise<void>,
): AsyncGenerator<Finding> {
  try {
    const found = check()
    if (found instanceof Promise) await found
    else yield* found
  } catch (thrown) {
    const error = asStoreError(thrown, 'verifying')
    if (!isAetherisError(error, 'STORE_CORRUPT') && !isAetherisError(error, 'EVENT_INVALID')) throw error
    const seq = error.seq
    const job = error.jobId ?? jobId
    yield { kind, ...(job !== undefined && { jobId: job }), ...(seq !== undefined && { seq }), message: error.message }
  }
}

/**
 * All that is stored of one job. Where its row is damaged, only its events are looked at: without a row nobody knows
 * what the rest should be.
 * @throws AetherisError JOB_NOT_FOUND when there is nothing of it; STORE_CORRUPT
 */
export async function* verifyJob(verification: Verification, jobId: string): AsyncGenerator<Finding> {
  const { view, last } = verification
  const entry = last.get(jobId)
  const [value, buried] = await view.getMany([keys.row(jobId), keys.tombstone(jobId)])
  if (buried !== undefined || entry?.[5] === 1) return yield* verifyPruned(view, jobId, buried, value)
  const events = await verifyEvents(view, jobId)
  yield* events.findings
  if (value === undefined && entry === undefined && !(await hasAnything(view, jobId))) throw jobNotFound(jobId)
  const problem = entry && rowProblem(value, entry)
  if (problem !== undefined) throw problem
  if (value === undefined) return yield orphaned(jobId, events.seq)
  const row = decodeRow(keys.row(jobId), value)
  if (row.seq !== events.seq || row.hash !== events.hash) return yield displaced(row, events)
  if (events.findings.length === 0) yield* verifyBlobs(view, jobId, events.blobs)
  yield* caught('index', jobId, () => verifyUnfinished(view, row))
  for await (const finding of caught('index', jobId, () => verifyTimers(view, row))) {
    verification.timersReported.add(jobId)
    yield finding
  }
  yield* caught('index', jobId, () => verifyInbox(view, row))
  yield* verifySnapshots(view, row)
}

function orphaned(jobId: string, seq: number): Finding {
  if (seq === 0) return indexed(jobId, `Job "${jobId}" has no row and no events, but something else is stored of it.`)
  return { kind: 'head', jobId, seq, message: `Job "${jobId}" has ${seq} events but no row.` }
}

function displaced(row: StoredRow, { seq }: Events): Finding {
  const message = `The row of job "${row.id}" names ${row.seq} events and another last one than is stored at ${seq}.`
  return { kind: 'head', jobId: row.id, seq, message }
}

const besidesEvents = ['u', 'T', 'i', 'd', 's', 'b'] as const

async function hasAnything(view: View, jobId: string): Promise<boolean> {
  for (const prefix of ['e', ...besidesEvents]) {
    const at = prefix === 'u' ? { gte: `u!${jobId}`, lt: `u!${jobId}\0` } : under(`${prefix}!${jobId}`)
    if ((await collect(view.keys({ ...at, limit: 1 }))).length > 0) return true
  }
  return false
}

/** Of a job that was deleted there is a tombstone and nothing else. */
async function* verifyPruned(
  view: View,
  jobId: string,
  buried: string | undefined,
  row: string | undefined,
): AsyncGenerator<Finding> {
  if (buried === undefined) yield indexed(jobId, `Job "${jobId}" was deleted, but the record of that is missing.`)
  else unseal(keys.tombstone(jobId), buried)
  if (row !== undefined || (await hasAnything(view, jobId)))
    yield indexed(jobId, `Job "${jobId}" was deleted, but something is stored of it.`)
}

interface Events {
  findings: Finding[]
  seq: number
  hash: string
  /** Hashes of the large values that they name. */
  blobs: ReadonlySet<string>
}

async function verifyEvents(view: View, jobId: string): Promise<Events> {
  const findings: Finding[] = []
  const blobs = new Set<string>()
  let hash = genesisHash
  let seq = 0
  for await (const chunk of view.entries(under(`e!${jobId}`))) {
    for (const [key, value] of chunk) {
      const found = Number(keyParts(key)[1])
      if (found !== seq)
        findings.push({
          kind: 'gap',
          jobId,
          seq,
          message: `Events ${seq} to ${found - 1} of job "${jobId}" are missing.`,
        })
      else findings.push(...(await verifyEvent(view, jobId, seq, hash, value, blobs)))
      hash = splitHash(value).hash
      seq = found + 1
    }
  }
  return { findings, seq, hash, blobs }
}

async function verifyEvent(
  view: View,
  jobId: string,
  seq: number,
  previous: string,
  value: string,
  blobs: Set<string>,
): Promise<Finding[]> {
  let kind: Finding['kind'] = 'hash'
  try {
    const opened = openEvent(jobId, seq, previous, value)
    for (const hash of opened.blobs) blobs.add(hash)
    kind = 'blob'
    const { type, data } = wholeEvent(opened, await readBlobs(view, jobId, [opened]))
    return type === 'child.spawned' ? await verifyChild(view, jobId, seq, data.jobId) : []
  } catch (error) {
    if (isAetherisError(error, 'EVENT_INVALID')) kind = 'event'
    return [{ kind, jobId, seq, message: error instanceof Error ? error.message : String(error) }]
  }
}

async function verifyChild(view: View, jobId: string, seq: number, child: string): Promise<Finding[]> {
  const found = await view.getMany([keys.row(child), keys.tombstone(child)])
  if (found.some((value) => value !== undefined)) return []
  return [{ kind: 'index', jobId, seq, message: `Job "${jobId}" started job "${child}", of which nothing is stored.` }]
}

async function* verifyBlobs(view: View, jobId: string, named: ReadonlySet<string>): AsyncGenerator<Finding> {
  for (const key of (await collect(view.keys(under(`b!${jobId}`)))).filter(
    (each) => !named.has(keyParts(each)[1] ?? ''),
  ))
    yield { kind: 'blob', jobId, message: `The blob ${key} is named by no event of job "${jobId}".` }
}

async function* verifyUnfinished(view: View, row: StoredRow): AsyncGenerator<Finding> {
  const key = keys.unfinished(row.id)
  const value = await view.get(key)
  if (value !== undefined) unseal(key, value)
  const isListed = value !== undefined
  if (isListed === hasEnded(row))
    yield indexed(row.id, `Job "${row.id}" is ${row.status} but ${isListed ? 'is' : 'is not'} listed as unfinished.`)
}

async function* verifyTimers(view: View, row: StoredRow): AsyncGenerator<Finding> {
  const timers = await collect(view.entries(under(`T!${row.id}`)))
  if (timers.length !== row.timers)
    yield indexed(row.id, `Job "${row.id}" should have ${row.timers} timers and has ${timers.length}.`)
  for (const [key, value] of timers) {
    const due = keys.due(Number(unseal(key, value)), row.id, keyParts(key)[1] as string)
    if ((await view.get(due)) === undefined) yield indexed(row.id, `The timer ${key} is not listed by its due time.`)
  }
}

/** Unread messages and their arrivals name each other; of every message that ever came the arrival is kept. */
async function* verifyInbox(view: View, row: StoredRow): AsyncGenerator<Finding> {
  const unread = new Map<string, string>()
  for (const [key, value] of await collect(view.entries(under(`i!${row.id}`))))
    unread.set(String(Number(keyParts(key)[1])), (JSON.parse(unseal(key, value)) as { id: string }).id)
  const count = unread.size
  let [arrivals, isWhole] = [0, true]
  for await (const chunk of view.entries(under(`d!${row.id}`))) {
    for (const [key, value] of chunk) {
      arrivals += 1
      const [arrival, id] = [unseal(key, value), keyParts(key)[1] as string]
      if (unread.get(arrival) === id) unread.delete(arrival)
      else if (arrival !== 'taken' && !hasEnded(row)) {
        isWhole = false
        yield indexed(row.id, `The message "${id}" to job "${row.id}" was not taken yet, and is missing.`)
      }
    }
  }
  for (const id of unread.values())
    yield indexed(row.id, `The message "${id}" to job "${row.id}" is not listed by its id.`)
  if (!isWhole || unread.size > 0) return
  if (count !== row.unread || arrivals !== row.arrivals) {
    const should = `should have ${row.arrivals} messages, ${row.unread} unread`
    yield indexed(row.id, `Job "${row.id}" ${should}, and has ${arrivals}, ${count} unread.`)
  }
}

async function* verifySnapshots(view: View, row: StoredRow): AsyncGenerator<Finding> {
  const finding = (seq: number, why: string): Finding => {
    const message = `The snapshot at ${seq} of job "${row.id}" ${why}; the history is used instead.`
    return { kind: 'snapshot', jobId: row.id, seq, message }
  }
  const stored = new Map<number, boolean>()
  for (const [key, value] of await collect(view.entries(under(`s!${row.id}`))))
    stored.set(Number(keyParts(key)[1]), isWholeSnapshot(key, value))
  for (const seq of row.snapshots) if (stored.get(seq) !== true) yield finding(seq, 'is missing or damaged')
  for (const seq of stored.keys())
    if (!row.snapshots.includes(seq)) yield finding(seq, 'is one that its row does not name')
}

function indexed(jobId: string, message: string): Finding {
  return { kind: 'index', jobId, message }
}
