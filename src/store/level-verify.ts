import { isAetherisError } from '../base/error.ts'
import { genesisHash, openEvent, splitHash, unseal, wholeEvent } from './chain.ts'
import { keyParts, keys, under } from './keys.ts'
import { checkCommits, checkWitness, headOf, rowProblem } from './level-check.ts'
import { asStoreError, collect, View } from './level-db.ts'
import type { CommitEntry } from './level-draft.ts'
import { isWholeSnapshot, readBlobs } from './level-read.ts'
import { decodeRow, type StoredRow } from './level-rows.ts'
import type { Session } from './level-session.ts'
import { hasEnded } from './row.ts'
import type { Finding } from './store.ts'
import { jobNotFound } from './store-error.ts'

/**
 * Checks everything that is stored against everything else; changes nothing.
 *
 * It looks at one moment where the database can show one (classic-level can); with others it must not be run while
 * the store is being written to.
 */
export async function* verifySession({ db, medium }: Session, jobId: string | undefined): AsyncGenerator<Finding> {
  // Asked for first: what was witnessed before the moment that is looked at must be in it.
  const { witnessed } = await medium.testimony()
  const snapshot = db.supports.explicitSnapshots === true ? db.snapshot() : undefined
  try {
    const view = new View(db, snapshot)
    if (jobId !== undefined) return yield* verifyJob(view, jobId)
    yield* caught('commit', undefined, () => verifyCommits(view, witnessed))
    yield* caught('head', undefined, () => verifyJobs(view))
    yield* caught('index', undefined, () => verifyIndexes(view))
  } finally {
    await snapshot?.close()
  }
}

/** What `check` throws as a finding; it throws what is no damage. */
async function* caught(
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

async function* verifyCommits(
  view: View,
  witnessed: { commit: number; hash: string } | undefined,
): AsyncGenerator<Finding> {
  const head = await headOf(view)
  yield* caught('watermark', undefined, async () => {
    if (witnessed !== undefined) await checkWitness(view, head, witnessed)
  })
  const last = new Map<string, CommitEntry>()
  await checkCommits(view, 1, head.commit, (entries) => {
    for (const entry of entries) last.set(entry[0], entry)
  })
  for (const [jobId, entry] of last) {
    yield* caught('head', jobId, async () => {
      const problem = rowProblem(await view.get(keys.row(jobId)), entry)
      if (problem !== undefined) throw problem
    })
  }
}

async function* verifyJobs(view: View): AsyncGenerator<Finding> {
  const range = under('e')
  // Jumps from job to job in the keys of events, so that a job whose row is gone is found as well.
  for (let gte = range.gte; ; ) {
    const [key] = await collect(view.keys({ gte, lt: range.lt, limit: 1 }))
    if (key === undefined) return
    const [jobId = '', ...rest] = keyParts(key)
    if (rest.length !== 1) {
      yield { kind: 'gap', message: `The key ${JSON.stringify(key)} is of no event: it is damaged.` }
      gte = `${key}\0`
      continue
    }
    yield* verifyJob(view, jobId)
    gte = under(`e!${jobId}`).lt
  }
}

async function* verifyJob(view: View, jobId: string): AsyncGenerator<Finding> {
  yield* caught('head', jobId, async function* () {
    const value = await view.get(keys.row(jobId))
    const row = value === undefined ? undefined : decodeRow(keys.row(jobId), value)
    yield* verifyEvents(view, jobId, row)
    if (row === undefined) return
    yield* verifyTimers(view, row)
    yield* verifyInbox(view, row)
    yield* verifySnapshots(view, row)
    const listed = (await view.get(keys.unfinished(jobId))) !== undefined
    if (listed === hasEnded(row))
      yield indexed(jobId, `Job "${jobId}" is ${row.status} but ${listed ? 'is' : 'is not'} listed as unfinished.`)
  })
}

async function* verifyEvents(view: View, jobId: string, row: StoredRow | undefined): AsyncGenerator<Finding> {
  let previous = genesisHash
  let seq = 0
  for await (const chunk of view.entries(under(`e!${jobId}`))) {
    for (const [key, value] of chunk) {
      const found = Number(keyParts(key)[1])
      if (found !== seq)
        yield { kind: 'gap', jobId, seq, message: `Events ${seq} to ${found - 1} of job "${jobId}" are missing.` }
      else yield* verifyEvent(view, jobId, seq, previous, value)
      previous = splitHash(value).hash
      seq = found + 1
    }
  }
  if (row === undefined && seq === 0) throw jobNotFound(jobId)
  if (row === undefined) yield { kind: 'head', jobId, seq, message: `Job "${jobId}" has ${seq} events but no row.` }
  else if (row.seq !== seq || row.hash !== previous) {
    yield {
      kind: 'head',
      jobId,
      seq,
      message: `The row of job "${jobId}" names ${row.seq} events and another last one than is stored at ${seq}.`,
    }
  }
}

async function* verifyEvent(
  view: View,
  jobId: string,
  seq: number,
  previous: string,
  value: string,
): AsyncGenerator<Finding> {
  try {
    const event = openEvent(jobId, seq, previous, value)
    wholeEvent(event, await readBlobs(view, jobId, [event]))
  } catch (error) {
    const kind = isAetherisError(error, 'EVENT_INVALID') ? 'event' : 'hash'
    yield { kind, jobId, seq, message: error instanceof Error ? error.message : String(error) }
  }
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

async function* verifyInbox(view: View, row: StoredRow): AsyncGenerator<Finding> {
  const messages = await collect(view.entries(under(`i!${row.id}`)))
  if (messages.length !== row.unread)
    yield indexed(row.id, `Job "${row.id}" should have ${row.unread} unread messages and has ${messages.length}.`)
  for (const [key, value] of messages) {
    const { id } = JSON.parse(unseal(key, value)) as { id: string }
    const arrival = await view.get(keys.arrival(row.id, id))
    const isListed =
      arrival !== undefined && unseal(keys.arrival(row.id, id), arrival) === String(Number(keyParts(key)[1]))
    if (!isListed) yield indexed(row.id, `The message ${key} is not listed by its id.`)
  }
}

async function* verifySnapshots(view: View, row: StoredRow): AsyncGenerator<Finding> {
  for (const seq of row.snapshots) {
    const key = keys.snapshot(row.id, seq)
    const value = await view.get(key)
    if (value !== undefined && isWholeSnapshot(key, value)) continue
    yield {
      kind: 'snapshot',
      jobId: row.id,
      seq,
      message: `The snapshot at ${seq} of job "${row.id}" is missing or damaged; the history is used instead.`,
    }
  }
}

/** The indexes that span jobs, seen from their own side. */
async function* verifyIndexes(view: View): AsyncGenerator<Finding> {
  for await (const chunk of view.entries(under('t'))) {
    for (const [key, value] of chunk) {
      const [dueAt, jobId, timerId] = keyParts(key) as [string, string, string]
      yield* caught('index', jobId, async function* () {
        unseal(key, value)
        const timer = await view.get(keys.timer(jobId, timerId))
        const isSet = timer !== undefined && Number(unseal(keys.timer(jobId, timerId), timer)) === Number(dueAt)
        if (!isSet) yield indexed(jobId, `The due time ${key} belongs to no timer.`)
      })
    }
  }
  for await (const chunk of view.keys(under('u'))) {
    const rows = await view.getMany(chunk.map((key) => keys.row(keyParts(key)[0] as string)))
    for (const [index, key] of chunk.entries()) {
      const jobId = keyParts(key)[0] as string
      if (rows[index] === undefined) yield indexed(jobId, `Job "${jobId}" is listed as unfinished but has no row.`)
    }
  }
}

function indexed(jobId: string, message: string): Finding {
  return { kind: 'index', jobId, message }
}
