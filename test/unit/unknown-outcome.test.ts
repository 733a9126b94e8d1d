import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { agent, type Tool } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { dataOf, Script, turns, typesOf } from '../support/scripted.ts'

/** A `once` call whose process died: it is not made again, and somebody has to say how it ended. */

type Reconcile = NonNullable<Tool<z.ZodAny, z.ZodAny>['reconcile']>

async function crashed(reconcile?: Reconcile, output: z.ZodType = z.any()) {
  const script = new Script()
  const pay = script.tool('pay', 'once', { output: output as never, ...(reconcile === undefined ? {} : { reconcile }) })
  const it = agent({
    name: 'payer',
    input: z.any(),
    output: z.any(),
    tools: [pay],
    plan: (graph) => graph.call('pay', pay, { amount: 5 }),
  })
  const before = await testRuntime({ agents: [it] })
  await before.spawn(it, null, { id: 'job' })
  await before.settle()
  const runtime = await before.reopen()
  await runtime.settle()
  const job = await runtime.job('job')
  const check = async () => {
    const past = await replay(it, job.events())
    expect(past.divergence).toBeUndefined()
    expect(past.snapshot.value).toEqual(job.getSnapshot().value)
  }
  return { it, script, runtime, job, check }
}

const who = { by: 'ana', reason: 'looked at the bank statement' }

describe('a person decides', () => {
  test('that it completed, with an output that fits the tool', async () => {
    const { script, runtime, job, check } = await crashed(undefined, z.object({ receipt: z.string() }))
    expect(job.getSnapshot().matches('pay.unknown')).toBe(true)
    await expect(job.resolve('pay', { completed: { receipt: 7 } }, who)).rejects.toMatchObject({
      code: 'COMMAND_REFUSED',
    })
    await job.resolve('pay', { completed: { receipt: 'r1' } }, who)
    await runtime.settle()
    expect(await job.result()).toEqual({ receipt: 'r1' })
    expect(await dataOf(job, 'node.resolved')).toEqual([
      { effect: 'pay', attempt: 1, as: 'completed', output: { receipt: 'r1' }, ...who },
    ])
    expect(script.begun).toEqual(['pay pay'])
    await check()
  })

  test('that it failed', async () => {
    const { runtime, job, check } = await crashed()
    await job.resolve('pay', { failed: 'the bank knows nothing of it' }, who)
    await runtime.settle()
    expect(job.getSnapshot().error?.message).toBe('the bank knows nothing of it')
    await check()
  })

  test('that it is made again, once, with the same key', async () => {
    const { script, runtime, job, check } = await crashed()
    const key = script.call('pay').context.idempotencyKey
    script.answer('pay')
    await job.resolve('pay', 'again', who)
    await job.resolve('pay', 'again', who)
    await runtime.settle()
    expect(script.begun).toEqual(['pay pay', 'pay pay'])
    expect(script.call('pay').context).toMatchObject({ attempt: 2, idempotencyKey: key })
    expect(await dataOf(job, 'node.attempted')).toEqual([{ effect: 'pay', attempt: 2, cause: 'resolved' }])
    await using after = await runtime.reopen()
    await after.settle()
    expect(script.begun).toHaveLength(2)
    expect((await after.job('job')).getSnapshot().matches('pay.unknown')).toBe(true)
    await check()
  })

  test('only where there is something to decide', async () => {
    const { runtime, job } = await crashed()
    await expect(job.resolve('nobody', 'again', who)).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
    await expect(job.resolve('pay', 'again', { by: '', reason: '' })).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await job.resolve('pay', { completed: 1 }, who)
    await runtime.settle()
    await expect(job.resolve('pay', { failed: 'no' }, who)).rejects.toMatchObject({ code: 'JOB_SETTLED' })
  })
})

describe('a tool that can be asked', () => {
  test('that it completed: nobody is bothered', async () => {
    const asked: unknown[] = []
    const { script, job, check } = await crashed((input, context) => {
      asked.push([input, context.idempotencyKey])
      return { status: 'completed', output: 'paid' }
    })
    expect(asked).toEqual([[{ amount: 5 }, 'job/pay']])
    expect(await job.result()).toBe('paid')
    expect(script.begun).toEqual(['pay pay'])
    expect((await typesOf(job)).slice(-5)).toEqual([
      'job.recovered',
      'node.outcome_unknown',
      'node.reconciled',
      'node.completed',
      'job.completed',
    ])
    await check()
  })

  test('that it failed', async () => {
    const { job, check } = await crashed(() => ({ status: 'failed', message: 'declined' }))
    expect(job.getSnapshot().error?.message).toBe('declined')
    await check()
  })

  test('that it surely did nothing: it is made again', async () => {
    const { script, job, check } = await crashed(() => ({ status: 'absent' }))
    expect(script.begun).toEqual(['pay pay', 'pay pay'])
    expect(await dataOf(job, 'node.attempted')).toEqual([{ effect: 'pay', attempt: 2, cause: 'resolved' }])
    await check()
  })

  test.each<[string, Reconcile]>([
    ['that does not know', () => ({ status: 'unknown' })],
    ['that throws', () => Promise.reject(new Error('bank is closed'))],
    ['that answers nonsense', () => ({ status: 'maybe' }) as never],
  ])('%s leaves it to a person, and is asked again only by the next owner', async (_, reconcile) => {
    let asked = 0
    const { runtime, job, check } = await crashed((...args) => {
      asked += 1
      return reconcile(...args)
    })
    await turns()
    expect(asked).toBe(1)
    expect(job.getSnapshot().matches('pay.unknown')).toBe(true)
    expect((await runtime.store.get('job'))?.status).toBe('waiting')
    await job.resolve('pay', { completed: 'by hand' }, who)
    await runtime.settle()
    expect(await job.result()).toBe('by hand')
    await check()
  })

  test('whose process dies while it is asked is asked again', async () => {
    let asked = 0
    const { runtime } = await crashed(() => {
      asked += 1
      return asked === 1 ? new Promise(() => {}) : { status: 'completed', output: 'paid' }
    })
    expect((await runtime.store.get('job'))?.status).toBe('running')
    await using after = await runtime.reopen()
    await after.settle()
    expect(asked).toBe(2)
    expect(await (await after.job('job')).result()).toBe('paid')
  })

  test('a person who is faster wins', async () => {
    let answer = (_: never) => {}
    const { runtime, job, check } = await crashed(() => new Promise((resolve) => (answer = resolve)))
    await job.resolve('pay', { completed: 'by hand' }, who)
    await runtime.settle()
    answer({ status: 'completed', output: 'by the tool' } as never)
    await runtime.settle()
    expect(await job.result()).toBe('by hand')
    await check()
  })
})
