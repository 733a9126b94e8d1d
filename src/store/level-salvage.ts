import { ClassicLevel } from 'classic-level'
import type { JobEvent } from '../event/event.ts'
import { chainHash, genesisHash, openEvent, splitHash, unseal, wholeEvent } from './chain.ts'
import { keyParts, keys, under } from './keys.ts'
import { collect, type LevelDatabase, View } from './level-db.ts'
import { type CommitEntry, commitOf, firstCommitHash } from './level-draft.ts'
import { readBlobs } from './level-read.ts'
import { decodeRow, type StoredRow } from './level-rows.ts'
import { hasEnded, publicRow } from './row.ts'
import type { InboxMessage, JobCopy, JobRow, Tombstone } from './store.ts'

/**
 * What can be proven of each job in a damaged database.
 *
 * 1. A history is kept up to where its chain breaks, and only up to the end of a commit: half a commit is none. Where a
 *    commit ended is known from its record, or from the row, whose hash has to be that of the event.
 * 2. What is not proven is not kept, and is said to be lost.
 */

/** What is kept of one job. Without a row where its own was damaged: the history tells most of it. */
export interface Salvaged extends Pick<JobCopy, 'timers' | 'inbox' | 'taken'> {
  id: string
  /** As it was, where it is whole and the history is. */
  row: JobRow | undefined
  /** Events that are kept. */
  kept: number
  /** Hash of the last of them. */
  hash: string
  /** Events that there once were, as far as that is known. */
  known: number
  epoch: number
  priority: number | undefined
  agent: string | undefined
  /** Besides events: what is lost, in sentences. */
  losses: string[]
}

export interface CommitLosses {
  /** The last record that is there. */
  last: number
  /** Runs of records before that are missing or damaged. */
  missing: [from: number, to: number][]
}

/** Opens what was rescued. The caller closes it. */
export async function openRescued(location: string): Promise<LevelDatabase> {
  const db: LevelDatabase = new ClassicLevel(location, { createIfMissing: false })
  await db.open()
  return db
}

export class Salvage {
  readonly view: View
  readonly commits: CommitLosses = { last: 0, missing: [] }
  readonly tombstones: Tombstone[] = []
  /** Records of which nobody knows what they should be. */
  private readonly last = new Map<string, CommitEntry>()
  private readonly now: number
  private ends: Map<string, [seq: number, hash: string][]> | undefined

  constructor(db: LevelDatabase, now: number) {
    this.view = new View(db)
    this.now = now
  }

  /** Each job of which there is a trace, once; those that were deleted are in `tombstones` afterwards. */
  async *jobs(): AsyncGenerator<Salvaged> {
    await this.readCommits((entry) => this.last.set(entry[0], entry), true)
    for (const id of await this.ids()) {
      const prunedAt = await this.prunedAt(id)
      if (prunedAt !== undefined) this.tombstones.push({ id, prunedAt })
      else yield await this.job(id)
    }
  }

  /** When a job was deleted: where the commits say that it was, or there is a tombstone and no job. */
  private async prunedAt(id: string): Promise<number | undefined> {
    const key = keys.tombstone(id)
    const value = await this.view.get(key)
    const text = value === undefined ? undefined : attempt(() => unseal(key, value))
    const last = this.last.get(id)
    if (last?.[5] === 1) return Number(text ?? this.now)
    const stored = await this.view.getMany([keys.row(id), keys.event(id, 0)])
    return text !== undefined && stored.every((each) => each === undefined) ? Number(text) : undefined
  }

  /** The first `kept` events of a job. */
  async *events(jobId: string, kept: number): AsyncGenerator<JobEvent[]> {
    let [seq, previous] = [0, genesisHash]
    for await (const values of this.view.values({ gte: keys.event(jobId, 0), lt: keys.event(jobId, kept) })) {
      const opened = values.map((value) => {
        const event = openEvent(jobId, seq, previous, value)
        previous = event.event.hash
        seq += 1
        return event
      })
      const blobs = await readBlobs(this.view, jobId, opened)
      yield opened.map((event) => wholeEvent(event, blobs))
    }
  }

  private async ids(): Promise<Set<string>> {
    const ids = new Set<string>(this.last.keys())
    for (const prefix of ['j', 'e', 'x']) {
      for (let { gte, lt } = under(prefix); ; ) {
        const [key] = await collect(this.view.keys({ gte, lt, limit: 1 }))
        if (key === undefined) break
        const id = keyParts(key)[0] as string
        ids.add(id)
        gte = `${prefix}!${id}"`
      }
    }
    return ids
  }

  private async job(id: string): Promise<Salvaged> {
    const key = keys.row(id)
    const value = await this.view.get(key)
    const row = value === undefined ? undefined : attempt(() => decodeRow(key, value))
    const last = this.last.get(id)
    const { hashes, stored } = await this.chain(id)
    const known = Math.max(row?.seq ?? 0, last?.[1] ?? 0, stored)
    const kept = await this.lastCommitted(id, hashes, row)
    const isWhole = kept === known
    const losses = row === undefined ? ['Its row was damaged: its priority is the default.'] : []
    const rest = isWhole
      ? await this.besides(id, row, losses)
      : { timers: [], inbox: await this.unread(id, losses), taken: [] }
    return {
      ...{
        id,
        row: isWhole && row?.seq === kept && row.hash === hashes[kept - 1] ? publicRow(row) : undefined,
        kept,
        hash: hashes[kept - 1] ?? genesisHash,
        known,
      },
      ...{ epoch: Math.max(row?.epoch ?? 1, last?.[3] ?? 1), priority: row?.priority, agent: row?.agent, losses },
      ...rest,
    }
  }

  /** Hashes of the events whose chain and content are whole, and where the last stored event is. */
  private async chain(id: string): Promise<{ hashes: string[]; stored: number }> {
    const hashes: string[] = []
    for await (const chunk of this.view.entries(under(`e!${id}`))) {
      for (const [key, value] of chunk) {
        const seq = hashes.length
        if (key !== keys.event(id, seq) || !(await this.isWhole(id, seq, hashes.at(-1) ?? genesisHash, value))) {
          const [lastKey] = await collect(this.view.keys({ ...under(`e!${id}`), reverse: true, limit: 1 }))
          return { hashes, stored: Number(keyParts(lastKey ?? key)[1]) + 1 }
        }
        hashes.push(splitHash(value).hash)
      }
    }
    return { hashes, stored: hashes.length }
  }

  private async isWhole(id: string, seq: number, previous: string, value: string): Promise<boolean> {
    try {
      const opened = openEvent(id, seq, previous, value)
      wholeEvent(opened, await readBlobs(this.view, id, [opened]))
      return true
    } catch {
      return false
    }
  }

  /** The last place in a chain where a commit is known to have ended. */
  private async lastCommitted(id: string, hashes: readonly string[], row: StoredRow | undefined): Promise<number> {
    const isEnd = (seq: number, hash: string) => seq > 0 && hashes[seq - 1] === hash
    let end = row !== undefined && isEnd(row.seq, row.hash) ? row.seq : 0
    const last = this.last.get(id)
    if (last !== undefined && isEnd(last[1], last[2])) end = Math.max(end, last[1])
    if (end === hashes.length) return end
    this.ends ??= await this.allEnds()
    for (const [seq, hash] of this.ends.get(id) ?? []) if (isEnd(seq, hash)) end = Math.max(end, seq)
    return end
  }

  /** Where commits of each job have ended; only asked for where a history is damaged. */
  private async allEnds(): Promise<Map<string, [seq: number, hash: string][]>> {
    const ends = new Map<string, [number, string][]>()
    await this.readCommits(([jobId, seq, hash]) => {
      const known = ends.get(jobId)
      if (known === undefined) ends.set(jobId, [[seq, hash]])
      else known.push([seq, hash])
    })
    return ends
  }

  private async readCommits(each: (entry: CommitEntry) => void, isFirst = false): Promise<void> {
    let [expected, previous] = [1, firstCommitHash]
    for await (const chunk of this.view.entries(under('c'))) {
      for (const [key, value] of chunk) {
        const commit = attempt(() => commitOf(key))
        if (commit === undefined) continue
        const { hash, text } = splitHash(value)
        const fits = expected !== commit || chainHash(previous, key, text) === hash
        if (isFirst) this.missed(expected, fits ? commit - 1 : commit)
        if (isFirst) this.commits.last = commit
        const entries = fits ? attempt(() => JSON.parse(text) as CommitEntry[]) : undefined
        if (Array.isArray(entries)) for (const entry of entries) if (isEntry(entry)) each(entry)
        ;[expected, previous] = [commit + 1, hash]
      }
    }
  }

  private missed(from: number, to: number): void {
    if (from > to) return
    const run = this.commits.missing.at(-1)
    if (run !== undefined && run[1] + 1 === from) run[1] = to
    else this.commits.missing.push([from, to])
  }

  /** Timers and messages of a job whose history is whole. */
  private async besides(
    id: string,
    row: StoredRow | undefined,
    losses: string[],
  ): Promise<Pick<Salvaged, 'timers' | 'inbox' | 'taken'>> {
    const timers: Salvaged['timers'] = []
    for (const [key, value] of await collect(this.view.entries(under(`T!${id}`)))) {
      const text = attempt(() => unseal(key, value))
      if (text !== undefined) timers.push({ id: keyParts(key)[1] as string, dueAt: Number(text) })
    }
    const inbox = await this.unread(id, losses)
    const unread = new Set(inbox.map((message) => message.id))
    const taken: string[] = []
    let found = 0
    for (const [key, value] of await collect(this.view.entries(under(`d!${id}`)))) {
      found += 1
      const message = keyParts(key)[1] as string
      if (unread.has(message)) continue
      const arrival = attempt(() => unseal(key, value))
      if (arrival === 'taken' || (row !== undefined && hasEnded(row))) taken.push(message)
      else losses.push(`The message "${message}" is lost; it may be sent again.`)
    }
    if (row !== undefined && found < row.arrivals) {
      const many = row.arrivals - found
      losses.push(`The ids of ${many} earlier messages are lost: one of them that is sent again has an effect again.`)
    }
    return { timers, inbox, taken }
  }

  private async unread(id: string, losses: string[]): Promise<InboxMessage[]> {
    const inbox: InboxMessage[] = []
    for (const [key, value] of await collect(this.view.entries(under(`i!${id}`)))) {
      const message = attempt(() => JSON.parse(unseal(key, value)) as Omit<InboxMessage, 'jobId'>)
      if (message !== undefined) inbox.push({ jobId: id, ...message })
      else losses.push(`A message that was not taken yet (${key}) is damaged.`)
    }
    return inbox
  }
}

function isEntry(value: unknown): value is CommitEntry {
  return Array.isArray(value) && typeof value[0] === 'string' && Number.isSafeInteger(value[1])
}

/** What is damaged counts as absent. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
