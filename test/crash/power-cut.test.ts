import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import type { JobEvent } from '../../src/index.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { all } from '../../src/testing/job-store-bench.ts'
import { type Crash, crashes, Disk } from '../support/disk-image.ts'
import { canRecord, type DiskOp, record, unpacked, type Workload } from '../support/disk-record.ts'
import { commitNumber, fastFolder, newDirectory, removeDirectories } from '../support/store-data.ts'
import { some } from '../support/thorough.ts'

/**
 * What a process did to its files was recorded by strace. For every moment of it, what a crash may leave is made on disk
 * and opened: all that was acknowledged by then is there, nothing is there that was never written, batches are whole,
 * and the store goes on. The kept recordings are of version 0.1.0; where there is strace, new ones are made too.
 */

const jobs = 5
const jobIds = Array.from({ length: jobs }, (_, job) => `job-${job}`)

function kept(workload: Workload): DiskOp[] {
  return unpacked(readFileSync(join(import.meta.dirname, `recordings/${workload}.jsonl.gz`)))
}

const recordings: [string, DiskOp[]][] = (['usual', 'small'] as const).flatMap((workload): [string, DiskOp[]][] => [
  [`${workload}, kept`, kept(workload)],
  ...(canRecord ? ([[`${workload}, of now`, record(workload)]] as [string, DiskOp[]][]) : []),
])

afterAll(removeDirectories)

describe('a crash at any moment', () => {
  test.each(recordings)('%s', async (name, ops) => {
    // With small logs LevelDB begins new ones more often than the store looks for them, so their names are not synced.
    const promised = crashes.filter((crash) => !name.startsWith('small') || !crash.includes('names'))
    const tried = some(momentsOf(ops, promised), 80)
    console.info(`${name}: ${tried.length} crashes at ${ops.length} calls`)
    expect(await brokenIn(ops, tried)).toEqual([])
  })
})

describe('that this bites: a store that leaves out', () => {
  const ops = kept('usual')
  test.each([
    ['to sync its logs', 'dropped', (path: string) => path.endsWith('.log')],
    ['to sync its logs, of which a part is written late', 'holes', (path: string) => path.endsWith('.log')],
    ['to sync its folders', 'names by directory', (path: string) => path === 'data' || path === 'data/db'],
  ] as const)('%s', async (_, crash, isLeftOut) => {
    const lazy = ops.filter((op) => op.op !== 'sync' || !isLeftOut(op.path))
    const late = momentsOf(lazy, [crash]).filter(({ at }) => at > lazy.length / 2 && at % 10 === 0)
    expect(await brokenIn(lazy, late)).not.toEqual([])
  })
})

interface Moment {
  /** How many calls were made. */
  at: number
  crash: Crash
}

function momentsOf(ops: readonly DiskOp[], of: readonly Crash[]): Moment[] {
  return ops.flatMap((_, index) => of.map((crash) => ({ at: index + 1, crash })))
}

/** A sentence for each of the moments after which something is not as promised. */
async function brokenIn(ops: readonly DiskOp[], moments: readonly Moment[]): Promise<string[]> {
  const histories = await written(ops)
  const broken: string[] = []
  const disk = new Disk()
  for (const [index, op] of ops.entries()) {
    disk.apply(op)
    const at = index + 1
    for (const { crash } of moments.filter((moment) => moment.at === at)) {
      const problem = await problemAfter(disk, crash, at, ackedIn(ops.slice(0, at)), histories)
      if (problem !== undefined) broken.push(`${crash} after call ${at} (${op.op} ${op.path}): ${problem}`)
    }
  }
  return broken
}

/** The numbers of the commits that were acknowledged. */
function ackedIn(ops: readonly DiskOp[]): number[] {
  const texts = ops.flatMap((op) => (op.op === 'append' && op.path === 'ACKS' ? [String(op.bytes)] : []))
  return texts.join('').split('\n').filter(Boolean).map(Number)
}

/** What every job comes to in the end. */
async function written(ops: readonly DiskOp[]): Promise<Map<string, JobEvent[]>> {
  const disk = new Disk()
  for (const op of ops) disk.apply(op)
  const directory = await newDirectory(fastFolder)
  disk.write(directory, 'kill', seededRandom(0))
  const store = levelStore(join(directory, 'data'))
  await store.open()
  const histories = new Map<string, JobEvent[]>()
  for (const id of jobIds) histories.set(id, (await all(store.read(id))).flat())
  await store.close()
  expect([...histories.values()].flat()).toHaveLength(2 * ackedIn(ops).length)
  return histories
}

async function problemAfter(
  disk: Disk,
  crash: Crash,
  at: number,
  acked: readonly number[],
  histories: ReadonlyMap<string, JobEvent[]>,
): Promise<string | undefined> {
  const directory = await newDirectory(fastFolder)
  disk.write(directory, crash, seededRandom(at))
  mkdirSync(join(directory, 'data'), { recursive: true })
  const store = levelStore(join(directory, 'data'))
  try {
    await store.open()
    const problem = await lossIn(store, acked, histories)
    if (problem !== undefined) return problem
    await commitNumber(store, 5, 7) // goes on, with the first commit of another job
    const [finding] = await all(store.verify())
    return finding?.message
  } catch (error) {
    // LevelDB removes an old manifest before it is durable that CURRENT names the new one. Journals keep that order; a
    // file system that does not leaves a database that says what it misses.
    if (crash === 'some names' && /A file of the database is missing.*MANIFEST/.test(String(error))) return undefined
    return String(error)
  } finally {
    await store.close()
    rmSync(directory, { recursive: true })
  }
}

async function lossIn(
  store: ReturnType<typeof levelStore>,
  acked: readonly number[],
  histories: ReadonlyMap<string, JobEvent[]>,
): Promise<string | undefined> {
  for (const [job, id] of jobIds.entries()) {
    const row = await store.get(id)
    const events = row === undefined ? [] : (await all(store.read(id))).flat()
    const least = 2 * acked.filter((n) => n % jobs === job).length
    if (events.length < least) return `job ${id} has ${events.length} events, and ${least} were acknowledged`
    if (events.length % 2 !== 0) return `half a batch of job ${id} is there`
    const wanted = histories.get(id)?.slice(0, events.length)
    if (JSON.stringify(events) !== JSON.stringify(wanted)) return `job ${id} holds something else`
  }
  return undefined
}
