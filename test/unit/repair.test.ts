import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { seededRandom } from '../../src/base/random.ts'
import { agent, signal, tool } from '../../src/index.ts'
import type { RepairReport } from '../../src/operations/rebuild.ts'
import { repair } from '../../src/operations/repair.ts'
import { verifyFold } from '../../src/replay/verify-fold.ts'
import { seal } from '../../src/store/chain.ts'
import { levelStore } from '../../src/store/level-store.ts'
import type { JobStore } from '../../src/store/store.ts'
import { all, codeOf } from '../../src/testing/job-store-bench.ts'
import { testRuntime } from '../../src/testing/testing.ts'
import { commitNumber, copyOf, newDirectory, removeDirectories } from '../support/store-data.ts'

/** Jobs with timers, messages, an approval, a child that has ended and one that has not; closed. */
let whole: string
const original = new Map<string, string[]>()
const go = signal('go', z.any())
const work = tool({ name: 'work', input: z.any(), output: z.any(), effect: 'read', run: async () => 'worked' })
const child = agent({
  name: 'child',
  input: z.any(),
  output: z.any(),
  tools: [work],
  plan: (graph) => graph.call('work', work, null),
})
const waiter = agent({
  name: 'waiter',
  input: z.any(),
  output: z.any(),
  tools: [work],
  signals: [go],
  plan(graph) {
    const first = graph.wait('first', go)
    const second = graph.wait('second', go, { after: [first], timeoutMs: 60_000 })
    return graph.call('work', work, { second })
  },
})
const parent = agent({
  name: 'parent',
  input: z.any(),
  output: z.any(),
  tools: [work],
  agents: [child],
  plan: (graph) => graph.call('after', work, { given: graph.spawn('kid', child, null) }),
})
const agents = [child, waiter, parent]

beforeAll(async () => {
  whole = await newDirectory()
  const runtime = await testRuntime({ agents, store: levelStore(whole) })
  for (const id of ['w0', 'w1', 'w2'])
    await (await runtime.spawn(waiter, null, { id })).signal(go, 1, { id: `m-${id}` })
  await (await runtime.spawn(parent, null, { id: 'p' })).result()
  await runtime.settle(Number.POSITIVE_INFINITY)
  await (await runtime.spawn(child, null, { id: 'gone' })).result()
  await runtime.store.prune(['gone'], 7)
  for await (const copy of runtime.store.copies())
    if ('row' in copy)
      original.set(
        copy.row.id,
        (await all(copy.events)).flat().map((event) => JSON.stringify(event)),
      )
  await runtime.close()
})

afterAll(removeDirectories)

type Level = ClassicLevel<string, string>

async function damaged(damage: (db: Level) => Promise<void>): Promise<string> {
  const copy = await copyOf(whole)
  const db: Level = new ClassicLevel(join(copy, 'db'))
  await damage(db)
  await db.close()
  return copy
}

/** Repairs, and checks what holds of every repair: the result is whole, and holds nothing that was not there. */
async function repaired(from: string): Promise<{ report: RepairReport; directory: string }> {
  const before = namesIn(from)
  const directory = join(await newDirectory(), 'new')
  const report = await repair(from, directory)
  expect(namesIn(from)).toEqual(before)
  const store = levelStore(directory)
  await store.open()
  expect(await all(store.verify())).toEqual([])
  for (const { id, seq } of await all(store.list())) {
    const events = (await all(store.read(id))).flat().map((event) => JSON.stringify(event))
    expect(events).toEqual(original.get(id)?.slice(0, seq))
    const loss = report.damaged.find(({ jobId }) => jobId === id)
    expect([id, seq]).toEqual([id, loss?.kept ?? original.get(id)?.length])
  }
  for await (const copy of store.copies()) if ('row' in copy) expect((await verifyFold(copy)).findings).toEqual([])
  const lost = report.damaged.filter(({ kept }) => kept === 0).map(({ jobId }) => jobId)
  expect([...(await all(store.list())).map(({ id }) => id), ...lost].sort()).toEqual([...original.keys()].sort())
  await store.close()
  expect(readdirSync(join(directory, '..'))).toEqual(['new'])
  return { report, directory }
}

function namesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()
}

const event = (jobId: string, seq: number) => `e!${jobId}!${String(seq).padStart(10, '0')}`
const lengthOf = (jobId: string) => original.get(jobId)?.length ?? 0

describe('of one damage, repair keeps the rest and says what is lost', () => {
  test('nothing, where all is whole', async () => {
    const { report } = await repaired(await copyOf(whole))
    expect(report).toMatchObject({ jobs: original.size, pruned: 1, damaged: [], doubts: [], paused: [] })
  })

  test('events from one that was changed on, back to the end of a commit', async () => {
    const from = await damaged(async (db) => {
      const key = event('w1', 4)
      await db.put(key, ((await db.get(key)) as string).replace('"v":1', '"v":2'))
    })
    const { report, directory } = await repaired(from)
    // The event before it is of the same commit: the plan and what it asks for.
    expect(report.damaged).toMatchObject([{ jobId: 'w1', known: lengthOf('w1') }])
    const { kept } = report.damaged[0] as { kept: number }
    expect(kept).toBeLessThanOrEqual(4)
    expect(report.paused).toEqual(['w1'])
    expect(report.doubts).toEqual([])

    const runtime = await testRuntime({ agents, store: levelStore(directory) })
    await runtime.settle(Number.POSITIVE_INFINITY)
    const job = await runtime.job('w1')
    expect(job.getSnapshot()).toMatchObject({ isPaused: true })
    // The message that was lost with its event counts when it is sent again.
    await job.signal(go, 1, { id: 'm-w1' })
    await job.signal(go, 2)
    await job.resume()
    expect(await job.result()).toBe('worked')
    expect(runtime.problems).toEqual([])
    await runtime.close()
  })

  test('whichever event it is, what is kept ends with a commit, and the job goes on to its end', async () => {
    const seen = new Set<number>()
    for (let seq = 1; seq < lengthOf('w1'); seq += 1) {
      const { report, directory } = await repaired(await damaged((db) => db.put(event('w1', seq), 'x')))
      const { kept } = report.damaged[0] as { kept: number }
      expect(kept).toBeLessThanOrEqual(seq)
      seen.add(kept)
      if (kept === 0) continue
      const runtime = await testRuntime({ agents, store: levelStore(directory) })
      await runtime.settle(Number.POSITIVE_INFINITY)
      const job = await runtime.job('w1')
      for (const id of ['one', 'two']) await job.signal(go, 1, { id })
      await job.resume()
      expect(await job.result()).toBe('worked')
      expect(runtime.problems).toEqual([])
      await runtime.close()
    }
    // It is made in one commit of several events, and moved on in another one.
    expect(seen.size).toBeGreaterThan(1)
    expect(seen.size).toBeLessThan(lengthOf('w1') - 1)
  })

  test('the whole job, where its first event is damaged', async () => {
    const from = await damaged((db) => db.put(event('w2', 0), 'x'))
    const { report } = await repaired(from)
    expect(report.damaged).toMatchObject([{ jobId: 'w2', kept: 0, known: lengthOf('w2') }])
  })

  test('a row: the job is made anew from its history', async () => {
    const { report } = await repaired(await damaged((db) => db.del('j!w0')))
    expect(report.damaged).toMatchObject([{ jobId: 'w0', kept: lengthOf('w0'), known: lengthOf('w0') }])
    expect(report.damaged[0]?.losses).toEqual([expect.stringContaining('row')])
  })

  test('keys that nobody has written, and a tombstone of a job that is there: nothing is lost by them', async () => {
    const from = await damaged(async (db) => {
      await db.put('x!w0', seal('x!w0', '1'))
      await db.put('e!\u0001!0000000000', 'x')
      await db.put('c!9007199254740991', 'x')
      await db.put('zoo', 'x')
    })
    const report = await repair(from, join(await newDirectory(), 'new'))
    expect(report.jobs).toBe(original.size)
    expect(report.damaged).toMatchObject([{ jobId: '\u0001', kept: 0 }])
    expect(report.doubts).toEqual([expect.stringMatching(/\d+ to 9007199254740990/)])
  })

  test('a tombstone: the id stays taken', async () => {
    const { report, directory } = await repaired(await damaged((db) => db.del('x!gone')))
    expect(report).toMatchObject({ pruned: 1, damaged: [] })
    const store = levelStore(directory)
    await store.open()
    expect(await codeOf(store.claim('gone'))).toBe('JOB_PRUNED')
    await store.close()
  })

  test('indexes: made anew, with nothing lost', async () => {
    const from = await damaged(async (db) => {
      await db.del('u!w0')
      for await (const key of db.keys()) if (/^[tT]!/.test(key)) await db.del(key)
    })
    const { report, directory } = await repaired(from)
    expect(report.damaged).toEqual([])
    const store = levelStore(directory)
    await store.open()
    expect((await store.dueTimers(Number.MAX_SAFE_INTEGER)).map(({ jobId }) => jobId)).toEqual(['w0', 'w1', 'w2'])
    await store.close()
  })

  test('the answer of a child: it is told again', async () => {
    const from = await damaged(async (db) => {
      // The commit with which the parent took it, and all later ones of the parent.
      const events = (original.get('p') ?? []).map((text) => JSON.parse(text))
      const spawned = events.findIndex(({ type }) => type === 'child.spawned')
      for (let seq = spawned + 1; seq < events.length; seq += 1) await db.del(event('p', seq))
    })
    const { report, directory } = await repaired(from)
    expect(report.damaged).toMatchObject([{ jobId: 'p' }])
    const runtime = await testRuntime({ agents, store: levelStore(directory) })
    await runtime.settle(Number.POSITIVE_INFINITY)
    const job = await runtime.job('p')
    await job.resume()
    expect(await job.result()).toBe('worked')
    await runtime.close()
  })

  test('a child: its parent pauses, and is named', async () => {
    const from = await damaged(async (db) => {
      const events = (original.get('p') ?? []).map((text) => JSON.parse(text))
      const spawned = events.findIndex(({ type }) => type === 'child.spawned')
      for (let seq = spawned + 1; seq < events.length; seq += 1) await db.del(event('p', seq))
      await db.put(event('p/kid', 0), 'x')
    })
    const { report } = await repaired(from).catch(() => ({ report: undefined }))
    expect(report?.damaged.find(({ jobId }) => jobId === 'p')?.losses).toContainEqual(
      expect.stringContaining('"p/kid"'),
    )
  })

  test('a commit record: what it had changed is not known, so every job pauses', async () => {
    const { report } = await repaired(await damaged((db) => db.del(`c!${'3'.padStart(16, '0')}`)))
    expect(report.doubts).toEqual([expect.stringContaining('3')])
    expect(report.paused).toEqual(['w0', 'w1', 'w2'])
  })

  test('the last commits, which the witness outside knows of', async () => {
    const from = await damaged(async (db) => {
      const [last] = await db.keys({ gte: 'c!', lt: 'c"', reverse: true, limit: 1 }).all()
      await db.del(last as string)
    })
    const { report } = await repaired(from)
    expect(report.doubts).toEqual([expect.stringMatching(/Commit \d+ was acknowledged/)])
  })
})

describe('of damaged files', () => {
  const newest = (directory: string, pattern: RegExp) =>
    join(directory, 'db', readdirSync(join(directory, 'db')).findLast((name) => pattern.test(name)) as string)

  test.each([
    ['CURRENT', /^CURRENT$/],
    ['the manifest', /^MANIFEST/],
  ])('without %s, LevelDB makes it anew', async (_name, pattern) => {
    const copy = await copyOf(whole)
    rmSync(newest(copy, pattern))
    const { report } = await repaired(copy)
    expect(report.doubts).toEqual([expect.stringContaining('rebuilt')])
    expect(report.damaged).toEqual([])
  })

  test('a log that was cut: what is gone is named', async () => {
    const directory = await newDirectory()
    const store = levelStore(directory)
    await store.open()
    for (let n = 0; n < 30; n += 1) await commitNumber(store, n)
    const commits = 30 + 25 // and the messages
    await store.close()
    const log = newest(directory, /\.log$/)
    truncateSync(log, Math.floor(readFileSync(log).length * 0.7))
    const { doubts, paused, jobs } = await repair(directory, join(await newDirectory(), 'new'))
    expect(doubts.at(-1)).toMatch(new RegExp(`Commits \\d+ to ${commits} were acknowledged and left no trace`))
    expect([jobs, paused.length]).toEqual([5, 5])
  })

  test('random bits: nothing is made up, and the result is whole', { timeout: 120_000 }, async () => {
    const directory = await newDirectory()
    const store = levelStore(directory)
    await store.open()
    for (let n = 0; n < 60; n += 1) await commitNumber(store, n)
    await store.close()
    const again = levelStore(directory)
    await again.open() // what was in the log is in a table now
    for (let n = 60; n < 90; n += 1) await commitNumber(again, n)
    const texts = new Map<string, string[]>()
    for (const { id } of await all(again.list())) texts.set(id, await textsOf(again, id))
    await again.close()
    const random = seededRandom(21)
    let losses = 0
    for (let trial = 0; trial < 8; trial += 1) {
      const copy = await copyOf(directory)
      const names = readdirSync(join(copy, 'db')).filter((name) => /\.(log|ldb)$/.test(name))
      const path = join(copy, 'db', names[trial % names.length] as string)
      const bytes = readFileSync(path)
      const at = Math.floor(random.next() * bytes.length)
      bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random.next() * 8))
      writeFileSync(path, bytes)
      const to = join(await newDirectory(), 'new')
      const report = await repair(copy, to).catch((error) => error)
      if (report instanceof Error) {
        expect(report).toMatchObject({
          code: 'STORE_CORRUPT',
          message: expect.stringContaining('LevelDB reads nothing'),
        })
        continue
      }
      const result = levelStore(to)
      await result.open()
      expect(await all(result.verify())).toEqual([])
      for (const [id, text] of texts) {
        const kept = (await result.get(id)) === undefined ? [] : await textsOf(result, id)
        expect(kept).toEqual(text.slice(0, kept.length))
        // Whatever is not there is said to be lost, or that more may be.
        const named = report.damaged.find((each: { jobId: string }) => each.jobId === id)
        if (kept.length < text.length) expect(named?.kept === kept.length || report.doubts.length > 0).toBe(true)
        if (kept.length < text.length) losses += 1
      }
      await result.close()
    }
    expect(losses).toBeGreaterThan(0)
  })

  async function textsOf(store: JobStore, id: string): Promise<string[]> {
    return (await all(store.read(id))).flat().map((each) => JSON.stringify(each))
  }
})

describe('repair refuses', () => {
  test('a directory in use, a target that is not empty or inside, and what is no data directory', async () => {
    const copy = await copyOf(whole)
    const store = levelStore(copy)
    await store.open()
    expect(await codeOf(repair(copy, join(await newDirectory(), 'new')))).toBe('STORE_LOCKED')
    await store.close()
    const full = await newDirectory()
    writeFileSync(join(full, 'mine'), '')
    expect(await codeOf(repair(copy, full))).toBe('INPUT_INVALID')
    expect(await codeOf(repair(copy, join(copy, 'new')))).toBe('INPUT_INVALID')
    expect(await codeOf(repair(await newDirectory(), join(full, 'new')))).toBe('STORE_CORRUPT')
    writeFileSync(join(copy, 'FORMAT'), '{"aetheris":{"major":3}}')
    expect(await codeOf(repair(copy, join(full, 'new')))).toBe('STORE_FORMAT')
    expect(existsSync(join(full, 'new'))).toBe(false)
  })
})
