import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { agent, tool } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { memoryStore, type TestSnapshot, testRuntime } from '../../src/testing/testing.ts'
import { approval, calls, researcher, reviewTimeoutMs } from '../support/agents.ts'
import { historyOf } from '../support/plans-run.ts'

/** Snapshots of a test runtime: a place from which tests start, as often as they like. */

/** A job that waits for its review, a day after it began, and one that has not found its way there. */
async function saved(): Promise<TestSnapshot> {
  await using runtime = await testRuntime({ agents: [researcher], seed: 7 })
  const job = await runtime.spawn(researcher, { topic: 'tea' }, { id: 'job' })
  await runtime.spawn(researcher, { topic: 'coffee' }, { id: 'other' })
  await runtime.advance(86_400_000)
  await job.pause({ by: 'ana' })
  // Through text, as it would be kept in a file.
  return JSON.parse(JSON.stringify(await runtime.snapshot()))
}

test('a runtime starts where another one was, and needs nothing done again', async () => {
  const snapshot = await saved()
  calls.length = 0
  await using runtime = await testRuntime({ agents: [researcher], snapshot })
  const job = await runtime.job('job')
  expect(job.getSnapshot().value).toEqual({ paused: { review: 'waiting' } })
  expect(runtime.clock.now()).toBe(snapshot.now)
  await job.resume()
  await job.signal(approval, { approved: true, by: 'ana' })
  await runtime.settle()
  expect(await job.result()).toEqual({ page: 'http://localhost/reports/1' })
  expect(calls).toEqual(['publish'])
  expect((await replay(researcher, job.events())).divergence).toBeUndefined()
})

test('runtimes from one snapshot know nothing of each other, and it stays what it is', async () => {
  const snapshot = await saved()
  const before = JSON.stringify(snapshot)
  await using one = await testRuntime({ agents: [researcher], snapshot })
  await using two = await testRuntime({ agents: [researcher], snapshot })
  const [first, second] = [await one.job('job'), await two.job('job')]
  await first.cancel()
  await one.settle()
  expect(first.getSnapshot().value).toBe('cancelled')
  await second.resume()
  await two.advance(reviewTimeoutMs)
  expect(second.getSnapshot().matches('review.timedOut')).toBe(true)
  expect(JSON.stringify(snapshot)).toBe(before)
})

test('time goes on: a timer is due when it would have been', async () => {
  await using runtime = await testRuntime({ agents: [researcher], snapshot: await saved() })
  const other = await runtime.job('other')
  await runtime.advance(reviewTimeoutMs - 86_400_000 - 1)
  expect(other.getSnapshot().matches('review.waiting')).toBe(true)
  await runtime.advance(1)
  expect(other.getSnapshot().matches('review.timedOut')).toBe(true)
})

test('it goes on as the first runtime does, to the last id', async () => {
  const histories = []
  const first = await testRuntime({ agents: [researcher], seed: 7 })
  await first.spawn(researcher, { topic: 'tea' }, { id: 'job' })
  const snapshot = await first.snapshot()
  for (const runtime of [first, await testRuntime({ agents: [researcher], snapshot })]) {
    const job = await runtime.job('job')
    await job.signal(approval, { approved: true, by: 'ana' })
    await runtime.settle()
    const events = await historyOf(job)
    // The epoch tells openings apart, and is part of what is hashed.
    histories.push(events.map(({ epoch: _, hash: __, ...event }) => event))
  }
  expect(histories[1]).toEqual(histories[0])
})

test('ids made after a restore are new ones, so that no message is taken for an old one', async () => {
  let snapshot = await saved()
  for (const payload of [1, 2, 3]) {
    await using runtime = await testRuntime({ agents: [researcher], snapshot })
    await (await runtime.job('job')).signal(approval, { approved: true, by: `${payload}` })
    snapshot = await runtime.snapshot()
  }
  await using runtime = await testRuntime({ agents: [researcher], snapshot })
  const received = (await historyOf(await runtime.job('job'))).filter(({ type }) => type === 'signal.received')
  expect(received).toHaveLength(3)
})

test('a tool that was under way is in the same case as after a crash', async () => {
  let runs = 0
  const slow = (effect: 'once' | 'idempotent') =>
    tool({
      name: effect,
      input: z.null(),
      output: z.number(),
      effect,
      run: () => {
        runs += 1
        return runs > 2 ? runs : new Promise<number>(() => {})
      },
    })
  const [once, again] = [slow('once'), slow('idempotent')]
  const caller = agent({
    name: 'caller',
    input: z.any(),
    output: z.any(),
    tools: [once, again],
    plan: (graph) => ({ once: graph.call('once', once, null), again: graph.call('again', again, null) }),
  })
  const first = await testRuntime({ agents: [caller] })
  await first.spawn(caller, null, { id: 'job' })
  await using runtime = await testRuntime({ agents: [caller], snapshot: await first.snapshot() })
  await runtime.settle()
  const { pending, context } = (await runtime.job('job')).getSnapshot()
  expect(pending).toMatchObject([{ effect: 'once', status: 'unknown' }])
  expect(context).toMatchObject({ nodes: { again: { output: 3 } } })
})

test('only a store in memory can be kept, and a runtime begins with one thing', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aetheris-'))
  const onDisk = await testRuntime({ agents: [], store: levelStore(directory) })
  await expect(onDisk.snapshot()).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  await onDisk.close()
  await rm(directory, { recursive: true })
  const both = { agents: [], store: memoryStore(), snapshot: await saved() }
  await expect(testRuntime(both)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
})
