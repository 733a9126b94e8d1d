import type { AetherisError } from '../base/error.ts'
import { chainHash, parseText, splitHash } from './chain.ts'
import { keys, under } from './keys.ts'
import { collect, type LevelDatabase, View } from './level-db.ts'
import { type CommitEntry, commitOf, firstCommitHash } from './level-draft.ts'
import type { CommitHead, Testimony } from './level-medium.ts'
import { decodeRow } from './level-rows.ts'
import { corrupt } from './store-error.ts'

/**
 * What is checked each time a store opens: enough to see that nothing acknowledged is missing at the end, and cheap.
 * `verify` checks the rest.
 */

const recentCommits = 64

/** The last commit record. @throws AetherisError STORE_CORRUPT */
export async function headOf(view: View): Promise<CommitHead> {
  const [last] = await collect(view.entries({ ...under('c'), reverse: true, limit: 1 }))
  if (last === undefined) return { commit: 0, hash: firstCommitHash }
  return { commit: commitOf(last[0]), hash: splitHash(last[1]).hash }
}

/**
 * Compares the database with what is known from outside and with its own last commit records.
 * @throws AetherisError STORE_CORRUPT
 */
export async function checkOpened(db: LevelDatabase, { witnessed, dropped }: Testimony): Promise<CommitHead> {
  const view = new View(db)
  const head = await headOf(view)
  if (witnessed !== undefined) await checkWitness(view, head, witnessed)
  // Where LevelDB has dropped something, it matters whether that was the end of the log or a part before it.
  const from = dropped === undefined ? Math.max(1, head.commit - recentCommits + 1) : 1
  const entries = new Map<string, CommitEntry>()
  await checkCommits(view, from, head.commit, (record) => {
    for (const entry of record) entries.set(entry[0], entry)
  })
  await checkRows(view, entries)
  return head
}

/** @throws AetherisError STORE_CORRUPT */
export async function checkWitness(view: View, head: CommitHead, witnessed: CommitHead): Promise<void> {
  if (witnessed.commit === 0) return
  const value = witnessed.commit > head.commit ? undefined : await view.get(keys.commit(witnessed.commit))
  if (value !== undefined && splitHash(value).hash === witnessed.hash) return
  const found = value === undefined ? `the database ends at commit ${head.commit}` : 'the database holds another one'
  throw corrupt(
    `Commit ${witnessed.commit} was acknowledged, but ${found}. An older copy was put back, or data was lost. Restore the newest backup.`,
  )
}

/**
 * Checks that commit records `from` to `to` are dense and chained; gives each one's entries.
 * @throws AetherisError STORE_CORRUPT
 */
export async function checkCommits(
  view: View,
  from: number,
  to: number,
  each: (entries: CommitEntry[]) => void,
): Promise<void> {
  const first = from === 1 ? undefined : await view.get(keys.commit(from - 1))
  if (from > 1 && first === undefined) throw missingCommit(from - 1)
  let previous = first === undefined ? firstCommitHash : splitHash(first).hash
  let commit = from
  for await (const chunk of view.entries({ gte: keys.commit(from), lt: keys.commit(to + 1) })) {
    for (const [key, value] of chunk) {
      if (commitOf(key) !== commit) throw missingCommit(commit)
      const { hash, text } = splitHash(value)
      if (chainHash(previous, key, text) !== hash)
        throw corrupt(`Commit record ${commit} is damaged, or the one before it is.`)
      each(parseText(text, `Commit record ${commit}`) as CommitEntry[])
      previous = hash
      commit += 1
    }
  }
  if (commit <= to) throw missingCommit(commit)
}

/** The rows of jobs named by the last records must be what those say. @throws AetherisError STORE_CORRUPT */
async function checkRows(view: View, entries: Map<string, CommitEntry>): Promise<void> {
  const ids = [...entries.keys()]
  for (let start = 0; start < ids.length; start += 1000) {
    const some = ids.slice(start, start + 1000).map((id) => entries.get(id) as CommitEntry)
    const rows = await view.getMany(some.map(([id]) => keys.row(id)))
    const events = await view.getMany(some.map(([id, seq]) => keys.event(id, Math.max(seq - 1, 0))))
    const tombstones = await view.getMany(some.map(([id]) => keys.tombstone(id)))
    for (const [index, entry] of some.entries()) {
      if (entry[5] === 1) {
        if (tombstones[index] === undefined) throw unburied(entry[0])
        continue
      }
      const problem = rowProblem(rows[index], entry) ?? eventProblem(events[index], entry)
      if (problem !== undefined) throw problem
    }
  }
}

function eventProblem(value: string | undefined, [jobId, seq, hash]: CommitEntry): AetherisError | undefined {
  if (value !== undefined && splitHash(value).hash === hash) return undefined
  return corrupt(`Event ${seq - 1} of job "${jobId}", its last, is ${value === undefined ? 'missing' : 'damaged'}.`, {
    jobId,
    seq: seq - 1,
  })
}

/** How a row differs from what the last commit record about its job says. */
export function rowProblem(value: string | undefined, entry: CommitEntry): AetherisError | undefined {
  const [jobId, seq, hash, epoch, arrivals] = entry
  if (value === undefined) return corrupt(`The row of job "${jobId}" is missing; it had ${seq} events.`, { jobId, seq })
  const row = decodeRow(keys.row(jobId), value)
  if (row.seq === seq && row.hash === hash && row.epoch === epoch && row.arrivals === arrivals) return undefined
  return corrupt(
    `The row of job "${jobId}" is at ${row.seq}, epoch ${row.epoch}; its last commit was at ${seq}, epoch ${epoch}.`,
    { jobId, seq },
  )
}

function unburied(jobId: string): AetherisError {
  return corrupt(`Job "${jobId}" was deleted, but the record of that is missing.`, { jobId })
}

function missingCommit(commit: number): AetherisError {
  return corrupt(`Commit record ${commit} is missing, but later ones are there: a part of the data was lost.`)
}
