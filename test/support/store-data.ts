import { existsSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { NewEvent } from '../../src/event/event.ts'
import type { JobStore } from '../../src/store/store.ts'
import { all, eventsOf } from '../../src/testing/job-store-bench.ts'

/** Directories and contents for tests of stores on disk. */

const made: string[] = []

/** A folder in memory, where a sync costs nothing: for tests with many small directories, in which no machine crashes. */
export const fastFolder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** A directory that {@link removeDirectories} removes. */
export async function newDirectory(folder = tmpdir()): Promise<string> {
  const directory = await mkdtemp(join(folder, 'aetheris-store-'))
  made.push(directory)
  return directory
}

export async function removeDirectories(): Promise<void> {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true })
}

/** A copy of a data directory, as a power cut would leave it; never of LOCK, as reading that drops LevelDB's lock. */
export async function copyOf(directory: string, folder?: string): Promise<string> {
  const copy = await newDirectory(folder)
  await cp(directory, copy, { recursive: true, filter: (path) => !['LOCK', 'OWNER'].includes(basename(path)) })
  return copy
}

/** One more commit to one of `jobs` jobs, with something in every index. Number `n` always does the same. */
export async function commitNumber(store: JobStore, n: number, jobs = 5): Promise<void> {
  const jobId = `job-${n % jobs}`
  const turn = Math.floor(n / jobs)
  if (turn > 0) await store.send({ jobId, id: `message-${turn}`, at: n, kind: 'signal', body: { n } })
  await store.commit({
    lease: { jobId, epoch: 1 },
    expectedSeq: turn * 2,
    ...(turn === 0 && { create: { agent: 'agent', priority: n % 10 } }),
    events: eventsOf(jobId, turn * 2, 2).map((event, nth) => (n % 7 === 3 && nth === 1 ? withLarge(event, n) : event)),
    timers: { set: [{ id: `timer-${turn}`, dueAt: 1000 + n }], clear: turn > 2 ? [`timer-${turn - 2}`] : [] },
    ...(turn % 4 === 3 && { snapshot: { seq: turn, machine: 'machine', state: { turn } } }),
    ...(turn > 1 && { acks: [`message-${turn - 1}`] }),
  })
}

/** Data that a store keeps apart from its event. */
function withLarge(event: NewEvent, n: number): NewEvent {
  return { ...event, data: { name: 'n', message: `m${n}`, payload: `large ${n % 3} `.repeat(1_500) } } as NewEvent
}

/** Everything that can be read from a store, part by part; a part that is refused is the code of the error. */
export async function contentsOf(store: JobStore, jobIds: readonly string[]): Promise<Record<string, unknown>> {
  const parts: Record<string, unknown> = {
    list: await part(() => all(store.list())),
    unfinished: await part(async () => (await all(store.list({ unfinished: true }))).map((row) => row.id)),
    timers: await part(() => store.dueTimers(Number.MAX_SAFE_INTEGER)),
    next: await part(() => store.nextTimer()),
  }
  for (const id of jobIds) {
    parts[`row ${id}`] = await part(() => store.get(id))
    parts[`events ${id}`] = await part(async () => (await all(store.read(id))).flat())
    parts[`inbox ${id}`] = await part(() => store.inbox(id))
    parts[`snapshot ${id}`] = await part(() => store.snapshot(id, 'machine'))
  }
  return parts
}

/** `undefined` becomes null, so that contents can go through JSON. */
async function part(read: () => Promise<unknown>): Promise<unknown> {
  return read().then(
    (value) => value ?? null,
    (error: { code?: string }) => ({ refused: error.code ?? String(error) }),
  )
}
