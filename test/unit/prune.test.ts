import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { agent, signal, tool } from '../../src/index.ts'
import { prune } from '../../src/operations/prune.ts'
import { restore } from '../../src/operations/restore.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { JobStore } from '../../src/store/store.ts'
import { all, codeOf, eventsOf } from '../../src/testing/job-store-bench.ts'
import { testRuntime } from '../../src/testing/testing.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

afterEach(removeDirectories)

async function job(store: JobStore, id: string, agentName: string, at: number, ended = true): Promise<void> {
  const events = eventsOf(id, 0, 3).map((event) => ({ ...event, at }))
  const create = { agent: agentName, priority: 5 }
  const status = ended ? 'completed' : 'waiting'
  await store.commit({ lease: { jobId: id, epoch: 1 }, expectedSeq: 0, create, events, status })
}

async function filled(): Promise<JobStore> {
  const store = memoryStore()
  await store.open()
  for (const at of [1, 2, 3, 4]) await job(store, `a${at}`, 'a', at)
  for (const at of [1, 2]) await job(store, `b${at}`, 'b', at)
  await job(store, 'live', 'a', 1, false)
  return store
}

const idsOf = async (store: JobStore) => (await all(store.list())).map(({ id }) => id)

test.each([
  ['age', { settledBefore: 3 }, ['a1', 'a2', 'b1', 'b2']],
  ['number of each agent', { keep: 1 }, ['a1', 'a2', 'a3', 'b1']],
  ['age and number', { settledBefore: 3, keep: 3 }, ['a1']],
  ['agent', { settledBefore: 9, agent: 'b' }, ['b1', 'b2']],
  ['an agent that nobody knows', { keep: 0, agent: 'c' }, [] as string[]],
])('by %s, and never a job that has not ended', async (_by, policy, pruned) => {
  const store = await filled()
  const before = await idsOf(store)
  expect(await prune(store, { ...policy, dryRun: true })).toEqual({ pruned, events: pruned.length * 3 })
  expect(await idsOf(store)).toEqual(before)
  expect(await prune(store, policy)).toEqual({ pruned, events: pruned.length * 3 })
  expect(await idsOf(store)).toEqual(before.filter((id) => !pruned.includes(id)))
})

test('a policy that says nothing, or nonsense, is refused', async () => {
  const store = await filled()
  for (const policy of [{}, { agent: 'a' }, { keep: -1 }, { keep: 1.5 }, { settledBefore: Number.NaN }])
    expect(await codeOf(prune(store, policy))).toBe('INPUT_INVALID')
  expect(await idsOf(store)).toHaveLength(7)
})

test('what is deleted is archived first; where that fails nothing is deleted', async () => {
  const store = await filled()
  const archive = join(await newDirectory(), 'a.jsonl')
  writeFileSync(archive, 'mine')
  expect(await codeOf(prune(store, { keep: 0, archive }))).toBe('INPUT_INVALID')
  expect(await codeOf(prune(store, { keep: 0, archive: join(archive, 'no') }))).toBe('STORE_IO')
  expect(await idsOf(store)).toHaveLength(7)
  expect(readFileSync(archive, 'utf8')).toBe('mine')
  const events = (await all(store.read('a1'))).flat()
  const { file } = await prune(store, { keep: 0, archive: `${archive}2` })
  const directory = join(await newDirectory(), 'data')
  expect(await restore(file as string, directory)).toMatchObject({ jobs: 6, paused: [] })
  const archived = levelStore(directory)
  await archived.open()
  expect((await all(archived.read('a1'))).flat()).toEqual(events)
  await archived.close()
})

test('spawning with the id of a deleted job is refused, and nothing runs', async () => {
  let calls = 0
  const work = tool({ name: 'work', input: z.any(), output: z.any(), run: () => ++calls })
  const worker = agent({
    name: 'worker',
    input: z.any(),
    output: z.any(),
    tools: [work],
    plan: (g) => g.call('w', work, null),
  })
  const runtime = await testRuntime({ agents: [worker] })
  await (await runtime.spawn(worker, null, { id: 'once' })).result()
  await prune(runtime.store, { keep: 0 })
  expect(await codeOf(runtime.spawn(worker, null, { id: 'once' }))).toBe('JOB_PRUNED')
  const next = await runtime.reopen()
  expect(await codeOf(next.spawn(worker, null, { id: 'once' }))).toBe('JOB_PRUNED')
  expect(calls).toBe(1)
  await next.close()
})

test('a job that another one has started stays until that one has ended', async () => {
  const go = signal('go', z.any())
  const kid = agent({
    name: 'kid',
    input: z.any(),
    output: z.any(),
    signals: [go],
    plan: (g) => g.wait('w', go, { timeoutMs: 5 }),
  })
  const parent = agent({
    name: 'parent',
    input: z.any(),
    output: z.any(),
    signals: [go],
    agents: [kid],
    plan: (g) => g.wait('later', go, { after: [g.spawn('kid', kid, null)] }),
  })
  const runtime = await testRuntime({ agents: [kid, parent] })
  const job = await runtime.spawn(parent, null, { id: 'p' })
  await runtime.settle()
  await (await runtime.job('p/kid')).signal(go, 1)
  await runtime.settle()
  expect((await runtime.store.get('p/kid'))?.status).toBe('completed')
  expect((await prune(runtime.store, { keep: 0 })).pruned).toEqual([])
  await job.signal(go, 1)
  await job.result()
  expect((await prune(runtime.store, { keep: 0 })).pruned).toEqual(['p', 'p/kid'])
  await runtime.close()
})

test('the space comes back', async () => {
  const directory = await newDirectory()
  const store = levelStore(directory)
  await store.open()
  for (let n = 0; n < 40; n += 1) {
    // Of no repeating text, which would be compressed away.
    const payload = Array.from({ length: 4_000 }, (_, at) => Math.imul(at + n * 7919, 2654435761).toString(36)).join('')
    const events = eventsOf(`job-${n}`, 0, 2).map((event) => ({
      ...event,
      data: { name: 'go', payload, message: 'm' },
    }))
    const create = { agent: 'a', priority: 5 }
    const commit = { lease: { jobId: `job-${n}`, epoch: 1 }, expectedSeq: 0, create, events: events as never }
    await store.commit({ ...commit, status: n < 36 ? 'completed' : 'waiting' })
  }
  const before = bytesIn(join(directory, 'db'))
  await prune(store, { keep: 0 })
  const after = bytesIn(join(directory, 'db'))
  // A tenth of the jobs is left.
  expect(after).toBeLessThan(before * 0.2)
  expect(await all(store.verify())).toEqual([])
  await store.close()
})

function bytesIn(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
}
