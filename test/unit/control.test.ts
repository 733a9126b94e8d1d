import { describe, expect, test } from 'vitest'
import { createMachine, fromPromise, setup } from 'xstate'
import { z } from 'zod'
import type { EffectClass } from '../../src/event/event.ts'
import { agent, fromMachine, TerminalError, undo } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { dataOf, Script, typesOf } from '../support/scripted.ts'

/** Pause, resume, cancel, terminate, retry and restart: who asked is in the history, and the state shows it. */

function twoSteps(script: Script, effect: EffectClass = 'once') {
  const work = script.tool('work', effect)
  const revert = script.tool('revert', 'idempotent')
  return agent({
    name: 'two-steps',
    input: z.any(),
    output: z.any(),
    tools: [work, revert],
    graceMs: 1_000,
    plan(graph) {
      const first = graph.call('first', work, 1, { compensate: (output) => undo(revert, output) })
      return graph.call('second', work, first, { compensate: () => undo(revert, 'second') })
    },
  })
}

async function started(script: Script, make = twoSteps) {
  const it = make(script)
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, null, { id: 'job' })
  await runtime.settle()
  return { it, runtime, job }
}

async function replays(it: Parameters<typeof replay>[0], job: { events(): never }): Promise<void> {
  const past = await replay(it, job.events())
  expect(past.divergence).toBeUndefined()
  expect(past.snapshot.value).toEqual((job as unknown as { getSnapshot(): { value: unknown } }).getSnapshot().value)
}

describe('cancel', () => {
  test('asks what is under way to stop, waits for it, and undoes what was done', async () => {
    const script = new Script()
    const { it, runtime, job } = await started(script)
    script.answer('first', 'one')
    await runtime.settle()
    await job.cancel({ by: 'ana', reason: 'changed my mind' })
    await runtime.settle()
    expect(script.call('second').context.abortSignal.aborted).toBe(true)
    expect(job.getSnapshot().value).toEqual({ cancelling: { second: 'running' } })
    script.obey('second')
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('compensating')
    expect(script.call('job.undo/first').input).toBe('one')
    script.answer('job.undo/first')
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('cancelled')
    expect(job.getSnapshot().status).toBe('stopped')
    expect(script.begun).toEqual(['work first', 'work second', 'revert job.undo/first'])
    expect(await dataOf(job, 'job.cancel_requested')).toEqual([{ by: 'ana', reason: 'changed my mind' }])
    await replays(it, job as never)
  })

  test('undoes also what completed while it was asked to stop', async () => {
    const script = new Script()
    const { it, runtime, job } = await started(script)
    await job.cancel()
    await runtime.settle()
    script.answer('first', 'done after all')
    await runtime.settle()
    expect(script.begun).toEqual(['work first', 'revert job.undo/first'])
    script.answer('job.undo/first')
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('cancelled')
    await replays(it, job as never)
  })

  test.each(['once', 'idempotent'] as const)(
    'waits only so long, and undoes what may have happened (%s)',
    async (effect) => {
      const script = new Script()
      const { it, runtime, job } = await started(script, () => twoSteps(script, effect))
      await job.cancel()
      await runtime.advance(999)
      expect(job.getSnapshot().value).toEqual({ cancelling: { first: 'running' } })
      await runtime.advance(1)
      expect(job.getSnapshot().value).toBe('compensating')
      expect(await dataOf(job, 'node.outcome_unknown')).toEqual([{ effect: 'first', attempt: 1, reason: 'cancelled' }])
      script.answer('job.undo/first')
      await runtime.settle()
      script.answer('first', 'late')
      await runtime.settle()
      expect(job.getSnapshot().value).toBe('cancelled')
      expect(await dataOf(job, 'node.late_result')).toEqual([{ effect: 'first', attempt: 1, ok: true, value: 'late' }])
      await replays(it, job as never)
    },
  )

  test('undoes what may have happened when its process died, of a call that it would have repeated', async () => {
    const script = new Script()
    const { it, runtime, job } = await started(script, () => twoSteps(script, 'idempotent'))
    await job.cancel()
    await runtime.settle()
    await using after = await runtime.reopen()
    await after.settle()
    expect(script.begun).toEqual(['work first', 'revert job.undo/first'])
    script.answer('job.undo/first')
    await after.settle()
    const same = await after.job('job')
    expect(same.getSnapshot()).toMatchObject({ value: 'cancelled', nodes: { first: 'unknown' } })
    await replays(it, same as never)
  })

  test('undoes it also where the job was stopped before it could be repeated', async () => {
    const script = new Script()
    const { it, runtime } = await started(script, () => twoSteps(script, 'idempotent'))
    const held = await runtime.reopen({ effects: 'hold' })
    await held.settle()
    await (await held.job('job')).cancel()
    await held.settle()
    await using after = await held.reopen({ effects: 'run' })
    await after.settle()
    expect(script.begun).toEqual(['work first', 'revert job.undo/first'])
    await replays(it, (await after.job('job')) as never)
  })

  test('undoes what an attempt may have done before the one that stopped', async () => {
    const script = new Script()
    const { it, runtime } = await started(script, () => twoSteps(script, 'idempotent'))
    await using after = await runtime.reopen()
    await after.settle()
    const job = await after.job('job')
    await job.cancel()
    await after.settle()
    script.obey('first') // of the process that died, which nobody hears any more
    script.obey('first')
    await after.settle()
    expect(script.begun).toEqual(['work first', 'work first', 'revert job.undo/first'])
    await replays(it, job as never)
  })

  test('undoes what an attempt may have done that ran out of time', async () => {
    const script = new Script()
    const slow = script.tool('slow', 'idempotent', { timeoutMs: 1_000, retry: { initialDelayMs: 60_000 } })
    const revert = script.tool('revert', 'idempotent')
    const { it, runtime, job } = await started(script, () =>
      agent({
        name: 'two-steps',
        input: z.any(),
        output: z.any(),
        tools: [slow, revert],
        plan: (graph) => graph.call('first', slow, 1, { compensate: () => undo(revert, 1) }),
      }),
    )
    await runtime.advance(1_000)
    await job.cancel()
    await runtime.settle()
    expect(script.begun).toEqual(['slow first', 'revert job.undo/first'])
    await replays(it, job as never)
  })

  test('twice is as good as once, and what has ended cannot be cancelled', async () => {
    const script = new Script()
    const { runtime, job } = await started(script)
    await job.cancel()
    await job.cancel()
    await runtime.settle()
    script.obey('first')
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('cancelled')
    expect(await dataOf(job, 'job.cancel_requested')).toHaveLength(1)
    await expect(job.cancel()).rejects.toMatchObject({ code: 'JOB_SETTLED' })
  })

  test('goes on after a crash', async () => {
    const script = new Script()
    const { it, runtime, job } = await started(script)
    script.answer('first', 'one')
    await runtime.settle()
    await job.cancel()
    await runtime.settle()
    await using after = await runtime.reopen()
    await after.advance(1_000)
    const same = await after.job('job')
    expect(same.getSnapshot().value).toBe('compensating')
    script.answer('job.undo/second')
    await after.settle()
    script.answer('job.undo/first')
    await after.settle()
    expect(same.getSnapshot().value).toBe('cancelled')
    await replays(it, same as never)
  })

  test('a failing compensation does not keep the others from being made, and the job says so', async () => {
    const script = new Script()
    const { it, runtime, job } = await started(script)
    script.answer('first', 'one')
    await runtime.settle()
    script.answer('second', 'two')
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('completed')
    const failing = await runtime.spawn(it, null, { id: 'other' })
    await runtime.settle()
    script.answer('first', 'one')
    await runtime.settle()
    script.fail('second', new TerminalError('no'))
    await runtime.settle()
    script.fail('job.undo/first', new TerminalError('cannot'))
    await runtime.settle()
    expect(failing.getSnapshot().error).toMatchObject({
      code: 'COMPENSATION_FAILED',
      message: expect.stringContaining('first'),
    })
    await replays(it, failing as never)
  })
})

describe('terminate', () => {
  test('ends the job where it is, and undoes nothing', async () => {
    const script = new Script()
    const { it, runtime, job } = await started(script)
    await job.terminate({ by: 'ana' })
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('terminated')
    expect(script.call('first').context.abortSignal.aborted).toBe(true)
    expect(script.begun).toEqual(['work first'])
    expect((await runtime.store.get('job'))?.status).toBe('terminated')
    await expect(job.result()).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
    await replays(it, job as never)
  })
})

describe('pause', () => {
  test('lets what is under way end, starts nothing new, and survives a restart', async () => {
    const script = new Script()
    const { it, runtime, job } = await started(script)
    await job.pause({ by: 'ana', reason: 'lunch' })
    await runtime.settle()
    script.answer('first', 1)
    await runtime.settle()
    expect(job.getSnapshot().value).toEqual({ paused: { second: 'running' } })
    expect(script.begun).toEqual(['work first'])
    await using after = await runtime.reopen()
    await after.settle()
    const same = await after.job('job')
    expect(same.getSnapshot().value).toEqual({ paused: { second: 'running' } })
    expect((await after.store.get('job'))?.status).toBe('paused')
    await same.resume({ by: 'bob' })
    await after.settle()
    expect(script.begun).toEqual(['work first', 'work second'])
    script.answer('second', 2)
    await after.settle()
    expect(same.getSnapshot().output).toBe(2)
    expect((await typesOf(same)).filter((type) => /paused|resumed/.test(type))).toEqual(['job.paused', 'job.resumed'])
    await replays(it, same as never)
  })

  test('a paused job can be cancelled', async () => {
    const script = new Script()
    const { it, runtime, job } = await started(script)
    script.answer('first', 1)
    await job.pause()
    await runtime.settle()
    await job.cancel()
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('compensating')
    script.answer('job.undo/first')
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('cancelled')
    await replays(it, job as never)
  })
})

describe('retry and restart', () => {
  const make = (script: Script) => {
    const work = script.tool('work')
    return agent({
      name: 'diamond',
      input: z.any(),
      output: z.any(),
      tools: [work],
      plan(graph) {
        const a = graph.call('a', work, 'a')
        const b = graph.call('b', work, a)
        const c = graph.call('c', work, a)
        return graph.call('d', work, { b, c })
      },
    })
  }

  test('a failed job goes on where its node had failed, and repeats nothing else', async () => {
    const script = new Script()
    const { it, runtime, job } = await started(script, make)
    script.answer('a', 1)
    await runtime.settle()
    script.fail('b', new TerminalError('no disk'))
    await runtime.settle()
    script.answer('c', 3)
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('failed')
    expect(job.getSnapshot().nodes).toEqual({ a: 'completed', b: 'failed', c: 'completed', d: 'cancelled' })
    await expect(job.retry('a')).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
    for (const nobody of ['nobody', 'constructor', '__proto__', 'toString']) {
      await expect(job.retry(nobody)).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
      await expect(job.restart(nobody)).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
      expect(job.getSnapshot().matches(nobody)).toBe(false)
    }
    await job.retry('b', { by: 'ana', reason: 'disk replaced' })
    await runtime.settle()
    expect(job.getSnapshot().nodes).toEqual({ a: 'completed', b: 'running', c: 'completed', d: 'blocked' })
    expect((await runtime.store.get('job'))?.status).toBe('running')
    script.answer('b#2', 2)
    await runtime.settle()
    expect(script.call('d').input).toEqual({ b: 2, c: 3 })
    script.answer('d', 'end')
    await runtime.settle()
    expect(job.getSnapshot().output).toBe('end')
    expect(script.begun).toEqual(['work a', 'work b', 'work c', 'work b#2', 'work d'])
    await replays(it, job as never)
  })

  test('a job that goes on after it had waited for what was under way waits anew when it ends again', async () => {
    const script = new Script()
    const { it, runtime, job } = await started(script, (each) => {
      const work = each.tool('work')
      return agent({
        name: 'both',
        input: z.any(),
        output: z.any(),
        tools: [work],
        graceMs: 1_000,
        plan: (graph) => ({ a: graph.call('a', work, 'a'), b: graph.call('b', work, 'b') }),
      })
    })
    script.fail('a', new TerminalError('no disk'))
    await runtime.settle()
    script.obey('b')
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('failed')
    await job.retry('a', { by: 'ana' })
    await runtime.settle()
    await job.cancel()
    await runtime.advance(999)
    expect(job.getSnapshot().phase).toBe('cancelling')
    await runtime.advance(1)
    expect(job.getSnapshot().value).toBe('cancelled')
    await replays(it, job as never)
  })

  test('a node of a running job runs again with what comes after it, and a crash changes nothing', async () => {
    const script = new Script()
    const { it, runtime, job } = await started(script, make)
    script.answer('a', 1)
    await runtime.settle()
    script.answer('b', 2)
    await runtime.settle()
    await job.restart('b', { by: 'ana' })
    await runtime.settle()
    // c was under way and is not concerned.
    expect(script.isOpen('c')).toBe(true)
    await using after = await runtime.reopen()
    await after.settle()
    const same = await after.job('job')
    expect(same.getSnapshot().nodes).toEqual({ a: 'completed', b: 'unknown', c: 'unknown', d: 'blocked' })
    await same.resolve('b', { completed: 20 }, { by: 'ana', reason: 'saw it' })
    await same.resolve('c', { completed: 30 }, { by: 'ana', reason: 'saw it' })
    await after.settle()
    expect(script.call('d').input).toEqual({ b: 20, c: 30 })
    script.answer('d')
    await after.settle()
    expect(same.getSnapshot().status).toBe('done')
    await replays(it, same as never)
  })
})

describe('a hand-written machine', () => {
  const cleaner = fromMachine(
    'cleaner',
    setup({
      actors: { work: fromPromise(async () => new Promise(() => {})), clean: fromPromise(async () => 'clean') },
    }).createMachine({
      initial: 'working',
      states: {
        working: { invoke: { src: 'work' }, on: { 'job.cancel': 'cleaning' } },
        cleaning: { invoke: { src: 'clean', onDone: 'clean' } },
        clean: { type: 'final' },
      },
    }),
    { graceMs: 5_000 },
  )

  test('is told that its job is cancelled, and cleans up', async () => {
    await using runtime = await testRuntime({ agents: [cleaner] })
    const job = await runtime.spawn(cleaner, null)
    await runtime.settle()
    expect(job.getSnapshot().value).toEqual({ running: 'working' })
    await job.cancel({ by: 'ana' })
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('cancelled')
    expect((await typesOf(job)).filter((type) => type === 'node.completed')).toHaveLength(1)
    expect((await replay(cleaner, job.events())).divergence).toBeUndefined()
  })

  test('that does not listen is cancelled at once, and one that never ends after its grace', async () => {
    const deaf = fromMachine('deaf', createMachine({ initial: 'a', states: { a: { on: { go: 'b' } }, b: {} } }))
    const slow = fromMachine(
      'slow',
      createMachine({ initial: 'a', states: { a: { on: { 'job.cancel': 'b' } }, b: {} } }),
      { graceMs: 5_000 },
    )
    await using runtime = await testRuntime({ agents: [deaf, slow] })
    const one = await runtime.spawn(deaf, null)
    const two = await runtime.spawn(slow, null)
    await one.cancel()
    await two.cancel()
    await runtime.settle()
    expect(one.getSnapshot().value).toBe('cancelled')
    expect(two.getSnapshot().value).toEqual({ cancelling: 'b' })
    await runtime.advance(5_000)
    expect(two.getSnapshot().value).toBe('cancelled')
    for (const [it, job] of [
      [deaf, one],
      [slow, two],
    ] as const) {
      expect((await replay(it, job.events())).divergence).toBeUndefined()
    }
  })
})

test('a name that no node has is answered with those that begin as it does', async () => {
  const names = ['list', 'mail', 'page-1', 'page-2', 'page-77', 'pay', 'sum']
  const sleeping = agent({
    name: 'sleeping',
    input: z.any(),
    output: z.any(),
    plan(graph) {
      for (const name of names) graph.sleep(name, 1_000)
      return null
    },
  })
  await using runtime = await testRuntime({ agents: [sleeping] })
  const job = await runtime.spawn(sleeping, null, { id: 'job' })
  await runtime.settle()
  const likely = '(it has: page-77, page-1, page-2, pay, list, and 2 more)'
  await expect(job.retry('page-7')).rejects.toThrow(`The plan of the job has no node "page-7" ${likely}.`)
  await expect(job.deny('page-7', { by: 'ana' })).rejects.toThrow(`the job has no such node ${likely}.`)
})
