import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { agent } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { dataOf } from '../support/scripted.ts'

/** Durable timers: of any length, across downtime, and whatever somebody does to the clock. */

const sleeper = agent({
  name: 'sleeper',
  input: z.object({ ms: z.number() }),
  output: z.any(),
  plan: (graph, { ms }) => graph.sleep('nap', ms),
})

async function asleep(ms: number) {
  const runtime = await testRuntime({ agents: [sleeper] })
  const job = await runtime.spawn(sleeper, { ms }, { id: 'job' })
  await runtime.settle()
  return { runtime, job }
}

async function firedOnce(job: Parameters<typeof dataOf>[0]) {
  expect(await dataOf(job, 'timer.fired')).toHaveLength(1)
  expect((await replay(sleeper, job.events())).divergence).toBeUndefined()
}

const year = 365 * 86_400_000

test.each([0, 1, 999, 86_400_000, year, 100 * year])('of %i ms fires not a millisecond early, and once', async (ms) => {
  const { runtime, job } = await asleep(ms)
  if (ms > 0) {
    await runtime.advance(ms - 1)
    expect(job.getSnapshot().status).toBe('active')
  }
  await runtime.advance(1)
  expect(job.getSnapshot().status).toBe('done')
  await runtime.advance(year)
  await firedOnce(job)
})

test('that was due while nothing ran fires at the next opening, and once however often it opens', async () => {
  const { runtime } = await asleep(year)
  const after = await runtime.reopen({ afterMs: 5 * year })
  await after.settle()
  await using later = await after.reopen()
  await later.settle()
  await firedOnce((await later.job('job')) as never)
})

describe('the clock is set', () => {
  test('forward: what is due by it fires', async () => {
    const { runtime, job } = await asleep(86_400_000)
    runtime.clock.jump(86_400_000)
    await runtime.advance(0)
    expect(job.getSnapshot().status).toBe('done')
    await firedOnce(job)
  })

  test('back: the timer waits until the clock has come there again', async () => {
    const { runtime, job } = await asleep(1_000)
    runtime.clock.jump(-year)
    await runtime.advance(year)
    expect(job.getSnapshot().status).toBe('active')
    await runtime.advance(1_000)
    expect(job.getSnapshot().status).toBe('done')
    await firedOnce(job)
  })

  test('back, after the timer had fired: it does not fire again', async () => {
    const { runtime, job } = await asleep(1_000)
    await runtime.advance(1_000)
    runtime.clock.jump(-year)
    await runtime.advance(2 * year)
    await firedOnce(job)
  })

  test('to and fro while nothing runs', async () => {
    const { runtime } = await asleep(1_000)
    const after = await runtime.reopen({ afterMs: -year })
    await after.advance(1_000)
    expect((await after.job('job')).getSnapshot().status).toBe('active')
    await using later = await after.reopen({ afterMs: 3 * year })
    await later.settle()
    await firedOnce((await later.job('job')) as never)
  })
})

test('a thousand that are due at one moment all fire, once each', async () => {
  await using runtime = await testRuntime({ agents: [sleeper], maxJobs: 50 })
  for (let nth = 0; nth < 1_000; nth += 1) await runtime.spawn(sleeper, { ms: 1_000 }, { id: `job-${nth}` })
  await runtime.advance(1_000)
  for (let nth = 0; nth < 1_000; nth += 1) {
    const job = await runtime.job(`job-${nth}`)
    expect(job.getSnapshot().status).toBe('done')
  }
})
