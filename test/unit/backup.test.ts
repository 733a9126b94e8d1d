import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { agent, signal, tool } from '../../src/index.ts'
import { backup } from '../../src/operations/backup.ts'
import { restore } from '../../src/operations/restore.ts'
import { verifyFold } from '../../src/replay/verify-fold.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { JobStore } from '../../src/store/store.ts'
import { all, codeOf, eventsOf } from '../../src/testing/job-store-bench.ts'
import { type TestRuntime, testRuntime } from '../../src/testing/testing.ts'
import { commitNumber, contentsOf, newDirectory, removeDirectories } from '../support/store-data.ts'

afterEach(removeDirectories)

/** A store with something in every index, jobs of several epochs, and one that was deleted. */
async function filled(store: JobStore): Promise<JobStore> {
  await store.open()
  for (let n = 0; n < 40; n += 1) await commitNumber(store, n)
  const create = { agent: 'agent', priority: 3 }
  await store.commit({ lease: { jobId: 'done', epoch: 1 }, expectedSeq: 0, create, events: eventsOf('done', 0, 2) })
  await store.send({ jobId: 'done', id: 'unread', at: 1, kind: 'signal', body: 1 })
  await store.claim('done')
  const { epoch } = await store.claim('done')
  const last = eventsOf('done', 2, 1)
  await store.commit({ lease: { jobId: 'done', epoch }, expectedSeq: 2, events: last, status: 'failed' })
  await store.commit({ lease: { jobId: 'taken-over', epoch: 1 }, expectedSeq: 0, create, events: eventsOf('o', 0, 1) })
  await store.claim('taken-over')
  await store.commit({
    lease: { jobId: 'gone', epoch: 1 },
    expectedSeq: 0,
    create,
    events: eventsOf('gone', 0, 1),
    status: 'completed',
  })
  await store.prune(['gone'], 99)
  return store
}

/** What has to be the same in every store that holds the same. */
async function comparable(store: JobStore): Promise<unknown> {
  const ids = (await all(store.list())).map(({ id }) => id)
  const contents = await contentsOf(store, ids)
  for (const id of ids) delete contents[`snapshot ${id}`]
  const copies: unknown[] = []
  for await (const copy of store.copies()) copies.push('row' in copy ? copy.taken : copy)
  return JSON.parse(JSON.stringify({ contents, copies }, (key, value) => (key === 'owner' ? undefined : value)))
}

/** The same without what keeps a restored job from going on. */
function unmarked(contents: unknown): unknown {
  const text = JSON.stringify(contents, (key, value) => (key === 'unread' ? undefined : value))
  return JSON.parse(text, (_, value) =>
    Array.isArray(value) ? value.filter((each) => !(each?.kind === 'pause' && each.body?.by === 'restore')) : value,
  )
}

describe('a backup', () => {
  test.each([
    ['memory', () => memoryStore()],
    ['level', async () => levelStore(await newDirectory())],
  ])('of a store (%s) that is open gives back all of it', async (_name, make) => {
    const store = await filled(await make())
    const [file, directory] = [join(await newDirectory(), 'b.jsonl'), join(await newDirectory(), 'deep/data')]
    const report = await backup(store, file)
    const jobs = (await all(store.list())).length
    expect(report).toEqual({ file, jobs, events: expect.any(Number), pruned: 1 })
    const before = await comparable(store)
    await store.close()

    const restored = await restore(file, directory)
    expect(restored).toMatchObject({ jobs, events: report.events, pruned: 1 })
    expect(restored.paused).toEqual(['job-0', 'job-1', 'job-2', 'job-3', 'job-4', 'taken-over'])
    const again = levelStore(directory)
    await again.open()
    expect(await all(again.verify())).toEqual([])
    expect(unmarked(await comparable(again))).toEqual(unmarked(before))
    const create = { agent: 'agent', priority: 3 }
    const gone = again.commit({
      lease: { jobId: 'gone', epoch: 1 },
      expectedSeq: 0,
      create,
      events: eventsOf('gone', 0, 1),
    })
    expect(await codeOf(gone)).toBe('JOB_PRUNED')
    await again.close()
  })

  test('shows one moment while the store is written to', async () => {
    const store = levelStore(await newDirectory())
    await filled(store)
    let n = 40
    const file = join(await newDirectory(), 'b.jsonl')
    const writes: Promise<void>[] = []
    const { events } = await backup(store, file, { onProgress: () => void writes.push(commitNumber(store, n++)) })
    await Promise.all(writes)
    const rows = await all(store.list())
    expect(rows.reduce((sum, { seq }) => sum + seq, 0)).toBeGreaterThan(events)
    expect(events).toBe(40 * 2 + 4)
    await restore(file, join(await newDirectory(), 'data'))
    await store.close()
  })

  test('goes into a directory under a name of its own, and never over a file', async () => {
    const store = await filled(memoryStore())
    const directory = await newDirectory()
    const { file } = await backup(store, directory)
    expect(readdirSync(directory)).toEqual([expect.stringMatching(/^aetheris-\d+\.jsonl$/)])
    const text = readFileSync(file, 'utf8')
    expect(await codeOf(backup(store, file))).toBe('INPUT_INVALID')
    expect(readFileSync(file, 'utf8')).toBe(text)
    expect(await codeOf(backup(store, join(directory, 'no/such/b.jsonl')))).toBe('STORE_IO')
    await store.close()
    expect(await codeOf(backup(store, join(directory, 'closed.jsonl')))).toBe('STORE_CLOSED')
    expect(readdirSync(directory)).toHaveLength(1)
  })

  test('of large histories, in several commits', async () => {
    const store = memoryStore()
    await store.open()
    const create = { agent: 'agent', priority: 3 }
    await store.commit({ lease: { jobId: 'job', epoch: 1 }, expectedSeq: 0, create, events: eventsOf('job', 0, 2_500) })
    const file = join(await newDirectory(), 'b.jsonl')
    await backup(store, file)
    const directory = join(await newDirectory(), 'data')
    expect(await restore(file, directory)).toMatchObject({ jobs: 1, events: 2_500 })
  })
})

describe('restore refuses, and leaves no directory', () => {
  async function written(): Promise<{ file: string; lines: string[]; directory: string }> {
    const file = join(await newDirectory(), 'b.jsonl')
    const store = await filled(memoryStore())
    await backup(store, file)
    return {
      file,
      lines: readFileSync(file, 'utf8').trimEnd().split('\n'),
      directory: join(await newDirectory(), 'data'),
    }
  }

  const at = (lines: string[], text: string) => lines.findIndex((line) => line.includes(text))
  const damages: Record<string, [(lines: string[]) => string[], object]> = {
    'an archive that was cut off': [(lines) => lines.slice(0, -1), { code: 'STORE_CORRUPT', message: /ends early/ }],
    'one without its last job': [(lines) => [...lines.slice(0, 5), lines.at(-1) ?? ''], { code: 'STORE_CORRUPT' }],
    'one of which a line is missing': [
      (lines) => lines.toSpliced(at(lines, '"jobId":"job-0","seq":3,'), 1),
      { code: 'STORE_CORRUPT', jobId: 'job-0', seq: 3 },
    ],
    'an event that was changed': [
      (lines) => lines.map((line) => line.replace('"id":"job-2-4"', '"id":"job-2-x"')),
      { code: 'STORE_CORRUPT', jobId: 'job-2', seq: 4 },
    ],
    'a timer that was changed': [
      (lines) => lines.map((line) => line.replace('"dueAt":10', '"dueAt":20')),
      { code: 'STORE_CORRUPT', message: /sum/ },
    ],
    'lines after the end': [(lines) => [...lines, lines[1] ?? ''], { code: 'STORE_CORRUPT' }],
    'a line that is no JSON': [(lines) => lines.with(3, '{'), { code: 'STORE_CORRUPT', message: /line 4/ }],
    'an empty file': [() => [''], { code: 'STORE_FORMAT' }],
    'something else': [() => ['{"a":1}'], { code: 'STORE_FORMAT' }],
    'an archive of a newer version': [
      (lines) => lines.with(0, '{"aetheris":"archive","version":2,"at":1}'),
      { code: 'STORE_FORMAT', message: /version 2/ },
    ],
  }

  test.each(Object.keys(damages))('%s', async (name) => {
    const [damage, error] = damages[name] as (typeof damages)[string]
    const { file, lines, directory } = await written()
    writeFileSync(file, damage(lines).join('\n'))
    const { message, ...rest } = error as { message?: RegExp }
    await expect(restore(file, directory)).rejects.toMatchObject({
      ...rest,
      ...(message && { message: expect.stringMatching(message) }),
    })
    expect([existsSync(directory), existsSync(`${directory}.part`)]).toEqual([false, false])
  })

  test('a directory that is not empty, and a file that is not there', async () => {
    const { file, directory } = await written()
    mkdirSync(directory)
    expect(await codeOf(restore(join(directory, 'none'), directory))).toBe('STORE_IO')
    writeFileSync(join(directory, 'mine'), 'x')
    expect(await codeOf(restore(file, directory))).toBe('INPUT_INVALID')
    expect(readdirSync(directory)).toEqual(['mine'])
    expect(await codeOf(restore(file, join(directory, 'mine')))).toBe('INPUT_INVALID')
  })
})

describe('a restored job does nothing until somebody resumes it: what it did after the backup is not known', () => {
  const go = signal('go', z.any())

  /** An agent with one `once` call, that waits for a signal first where it is asked to. */
  function shop(calls: string[], run: () => Promise<unknown> = async () => 'shipped') {
    const ship = tool({
      name: 'ship',
      input: z.any(),
      output: z.any(),
      run: (_, { idempotencyKey }) => {
        calls.push(idempotencyKey)
        return run()
      },
    })
    return agent({
      name: 'shop',
      input: z.boolean(),
      output: z.any(),
      tools: [ship],
      signals: [go],
      plan(graph, waits) {
        const after = waits ? { after: [graph.wait('wait', go)] } : {}
        return graph.call('ship', ship, null, after)
      },
    })
  }

  /** Backs up what the runtime holds, ends it, and opens a runtime over the restored store. */
  async function moved(from: TestRuntime, shopAgent: ReturnType<typeof shop>): Promise<TestRuntime> {
    const file = join(await newDirectory(), 'b.jsonl')
    await backup(from.store, file)
    await from.close()
    const directory = join(await newDirectory(), 'data')
    expect((await restore(file, directory)).paused).toEqual(['order'])
    const to = await testRuntime({ agents: [shopAgent], store: levelStore(directory) })
    await to.settle(Number.POSITIVE_INFINITY)
    return to
  }

  async function expectWhole(store: JobStore): Promise<void> {
    expect(await all(store.verify())).toEqual([])
    for await (const copy of store.copies()) if ('row' in copy) expect((await verifyFold(copy)).findings).toEqual([])
  }

  test('a call that was about to begin', async () => {
    const calls: string[] = []
    const shopAgent = shop(calls)
    const held = await testRuntime({ agents: [shopAgent], effects: 'hold' })
    await held.spawn(shopAgent, false, { id: 'order' })
    const restored = await moved(held, shopAgent)
    const job = await restored.job('order')
    expect(job.getSnapshot()).toMatchObject({ isPaused: true, held: { by: 'restore' } })
    expect(calls).toEqual([])
    await job.resume()
    expect(await job.result()).toBe('shipped')
    await expectWhole(restored.store)
    await restored.close()
  })

  test('a call that was under way has an unknown outcome', async () => {
    const calls: string[] = []
    const shopAgent = shop(calls, () => new Promise(() => {}))
    const first = await testRuntime({ agents: [shopAgent], store: levelStore(await newDirectory()) })
    const begun = await first.spawn(shopAgent, false, { id: 'order' })
    await begun.waitFor(({ pending }) => pending[0]?.status === 'started')
    const restored = await moved(first, shopAgent)
    const job = await restored.job('order')
    expect(job.getSnapshot().isPaused).toBe(true)
    await job.resume()
    await restored.settle(Number.POSITIVE_INFINITY)
    expect(job.getSnapshot().pending).toMatchObject([{ effect: 'ship', status: 'unknown' }])
    expect(calls).toHaveLength(1)
    await expectWhole(restored.store)
    await restored.close()
  })

  test('a job that waited takes its signal, and goes no further', async () => {
    const calls: string[] = []
    const shopAgent = shop(calls)
    const first = await testRuntime({ agents: [shopAgent] })
    const order = await first.spawn(shopAgent, true, { id: 'order' })
    await first.settle()
    const file = join(await newDirectory(), 'b.jsonl')
    await backup(first.store, file)
    await order.signal(go, 1)
    await order.result()
    await first.close()
    const directory = join(await newDirectory(), 'data')
    await restore(file, directory)
    const again = await testRuntime({ agents: [shopAgent], store: levelStore(directory) })
    const job = await again.job('order')
    await job.signal(go, 1)
    await again.settle(Number.POSITIVE_INFINITY)
    expect(calls).toHaveLength(1)
    await job.resume()
    await job.result()
    // The same key, so that whoever takes the call can tell.
    expect(calls[1]).toBe(calls[0])
    await again.close()
  })
})
