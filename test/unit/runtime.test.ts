import { beforeEach, describe, expect, test } from 'vitest'
import { toPromise, waitFor } from 'xstate'
import { openRuntime } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { approval, calls, researcher, reviewTimeoutMs } from '../support/agents.ts'

beforeEach(() => {
  calls.length = 0
})

async function eventsOf(job: { events(): AsyncIterable<{ type: string }> }) {
  const types: string[] = []
  for await (const event of job.events()) types.push(event.type)
  return types
}

describe('a planned job', () => {
  test('runs to its result, every step an event', async () => {
    await using runtime = await openRuntime({ store: memoryStore(), agents: [researcher] })
    const job = await runtime.spawn(researcher, { topic: 'tea' }, { id: 'report-42' })
    await job.waitFor((snapshot) => snapshot.matches('review.waiting'))
    expect(job.getSnapshot().value).toEqual({ running: { review: 'waiting' } })
    await job.signal(approval, { approved: true, by: 'ana' })
    expect(await job.result()).toEqual({ page: 'http://localhost/reports/1' })
    expect(calls).toEqual(['search', 'write', 'publish'])
    expect(await eventsOf(job)).toEqual([
      'job.created',
      'plan.requested',
      'plan.adopted',
      'node.started',
      'node.completed',
      'node.started',
      'node.completed',
      'node.waiting',
      'timer.armed',
      'signal.received',
      'node.completed',
      'node.started',
      'node.completed',
      'job.completed',
    ])
    const past = await replay(researcher, job.events())
    expect(past.divergence).toBeUndefined()
    expect(past.snapshot).toEqual(job.getSnapshot())
  })

  test("spawning twice with one id gives the same job, and works with XState's waitFor and toPromise", async () => {
    await using runtime = await openRuntime({ store: memoryStore(), agents: [researcher] })
    const job = await runtime.spawn(researcher, { topic: 'tea' }, { id: 'a' })
    const again = await runtime.spawn(researcher, { topic: 'other' }, { id: 'a' })
    await waitFor(job as never, (snapshot: never) =>
      (snapshot as { matches(path: string): boolean }).matches('review.waiting'),
    )
    await again.signal(approval, { approved: false, by: 'ana' })
    expect(await toPromise(job as never)).toEqual({})
    expect(job.getSnapshot().nodes['publish']).toBe('skipped')
    expect(calls).toEqual(['search', 'write'])
  })

  test('a wait times out after three days, across a crash', async () => {
    const before = await testRuntime({ agents: [researcher], seed: 7 })
    const job = await before.spawn(researcher, { topic: 'LSM trees' })
    await before.settle()
    const snapshot = job.getSnapshot()
    expect(snapshot.matches('review.waiting')).toBe(true)
    await before.crash()

    await using after = await before.reopen()
    const same = await after.job(job.id)
    expect(same.getSnapshot()).toEqual(snapshot)
    await after.advance(reviewTimeoutMs - 1)
    expect(same.getSnapshot()).toEqual(snapshot)
    await after.advance(1)
    expect(same.getSnapshot().matches('review.timedOut')).toBe(true)
    expect(same.getSnapshot().matches('completed')).toBe(true)
    expect((await replay(researcher, same.events() as never)).divergence).toBeUndefined()
  })

  test('a signal sent before anyone waits is kept, and one sent twice counts once', async () => {
    await using runtime = await testRuntime({ agents: [researcher] })
    const job = await runtime.spawn(researcher, { topic: 'tea' })
    await job.signal(approval, { approved: true, by: 'ana' }, { id: 'm1' })
    await job.signal(approval, { approved: false, by: 'bob' }, { id: 'm1' })
    await runtime.settle()
    expect(await job.result()).toEqual({ page: 'http://localhost/reports/1' })
    expect((await eventsOf(job)).filter((type) => type === 'signal.received')).toHaveLength(1)
  })

  test('bad input, unknown signals and signals to a settled job are refused with a code', async () => {
    await using runtime = await testRuntime({ agents: [researcher] })
    await expect(runtime.spawn(researcher, { topic: 7 } as never)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await expect(runtime.spawn(researcher, { topic: 'x' }, { id: 'no spaces' })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    })
    const job = await runtime.spawn(researcher, { topic: 'tea' })
    await expect(job.signal('nope', 1)).rejects.toMatchObject({ code: 'SIGNAL_UNKNOWN' })
    await expect(job.signal(approval, { approved: 'yes' } as never)).rejects.toMatchObject({ code: 'SIGNAL_INVALID' })
    await expect(job.signal('xstate.done.actor.publish', {})).rejects.toMatchObject({ code: 'SIGNAL_INVALID' })
    await job.cancel({ by: 'ana', reason: 'test' })
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('cancelled')
    await expect(job.result()).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
    await expect(job.signal(approval, { approved: true, by: 'ana' })).rejects.toMatchObject({ code: 'JOB_SETTLED' })
    await expect(runtime.job('nobody')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' })
  })

  test('a paused job finishes what is under way, starts nothing new, and goes on', async () => {
    await using runtime = await testRuntime({ agents: [researcher] })
    const job = await runtime.spawn(researcher, { topic: 'tea' })
    await job.pause({ by: 'ana' })
    await runtime.settle()
    expect(job.getSnapshot().value).toMatchObject({ paused: {} })
    const before = calls.length
    await runtime.advance(1_000)
    expect(calls.length).toBe(before)
    await job.resume({ by: 'ana' })
    await runtime.settle()
    expect(job.getSnapshot().matches('review.waiting')).toBe(true)
  })
})
