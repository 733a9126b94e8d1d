import { describe, expect, test } from 'vitest'
import { createMachine } from 'xstate'
import { z } from 'zod'
import type { Graph } from '../../src/graph/builder.ts'
import { agent, fromMachine, signal, TerminalError } from '../../src/index.ts'
import { why } from '../../src/replay/why.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { Script } from '../support/scripted.ts'

/** Every job that does not move can say why, and what would move it. */

const go = signal('go', z.any())

async function stuck(
  plan: (graph: Graph, script: ReturnType<typeof tools>) => unknown,
  script = new Script(),
  options = {},
) {
  const own = tools(script)
  const child = agent({
    name: 'child',
    input: z.any(),
    output: z.any(),
    tools: [own.work],
    plan: (graph) => graph.call('inside', own.work, 1),
  })
  const it = agent({
    name: 'it',
    input: z.any(),
    output: z.any(),
    tools: Object.values(own),
    signals: [go],
    agents: [child],
    plan: (graph) => plan(graph, own) as never,
    ...options,
  })
  const runtime = await testRuntime({ agents: [it, child] })
  const job = await runtime.spawn(it, null, { id: 'job' })
  await runtime.settle()
  return { script, runtime, job, child }
}

function tools(script: Script) {
  return {
    work: script.tool('work', 'idempotent', { retry: { maxAttempts: 3, initialDelayMs: 1_000 } }),
    pay: script.tool('pay', 'once'),
    ask: script.tool('ask', 'once', { approval: { by: ['ana', 'bob'], timeoutMs: 60_000 } }),
  }
}

describe('why', () => {
  test('a call under way', async () => {
    const { job } = await stuck((graph, { work }) => graph.call('a', work, 1))
    expect(await job.why()).toMatchObject([
      { kind: 'call', effect: 'a', owes: 'the tool work', since: expect.any(Number) },
    ])
  })

  test('a signal', async () => {
    const { job, runtime } = await stuck((graph) => graph.wait('w', go, { timeoutMs: 5_000 }))
    expect(await job.why()).toMatchObject([
      { kind: 'signal', effect: 'w', moves: ['signal go JSON'], dueAt: runtime.clock.now() + 5_000 },
    ])
  })

  test('a timer', async () => {
    const { job, runtime } = await stuck((graph) => graph.sleep('s', 5_000))
    expect(await job.why()).toMatchObject([{ kind: 'timer', owes: 'the clock', dueAt: runtime.clock.now() + 5_000 }])
  })

  test('a retry', async () => {
    const { job, runtime, script } = await stuck((graph, { work }) => graph.call('a', work, 1))
    script.fail('a')
    await runtime.settle()
    expect(await job.why()).toMatchObject([
      { kind: 'retry', what: expect.stringContaining('Attempt 1'), dueAt: expect.any(Number) },
    ])
  })

  test('an approval', async () => {
    const { job } = await stuck((graph, { ask }) => graph.call('a', ask, 1))
    expect(await job.why()).toMatchObject([{ kind: 'approval', owes: 'ana or bob', moves: ['approve a', 'deny a'] }])
  })

  test('an outcome that nobody knows', async () => {
    const { runtime } = await stuck((graph, { pay }) => graph.call('a', pay, 1))
    await using after = await runtime.reopen()
    await after.settle()
    expect(await (await after.job('job')).why()).toMatchObject([
      { kind: 'outcome', moves: ['resolve a --completed JSON', 'resolve a --failed MESSAGE', 'resolve a --again'] },
    ])
  })

  test('a job of another agent', async () => {
    const { job } = await stuck((graph) => graph.spawn('kid', { name: 'child', input: z.any(), output: z.any() }, 1))
    expect(await job.why()).toMatchObject([{ kind: 'child', owes: 'job job/kid' }])
  })

  test('a pause, before all else', async () => {
    const { job, runtime } = await stuck((graph, { work }) => graph.call('a', work, 1))
    await job.pause({ by: 'ana', reason: 'lunch' })
    await runtime.settle()
    expect(await job.why()).toMatchObject([
      { kind: 'paused', what: 'Paused by ana: lunch.', moves: ['resume'] },
      { kind: 'call' },
    ])
  })

  test('a budget', async () => {
    const { job, runtime, script } = await stuck(
      (graph, { work }) => graph.call('b', work, graph.call('a', work, 1)),
      new Script(),
      {
        budget: { toolCalls: 1 },
      },
    )
    script.answer('a')
    await runtime.settle()
    expect(await job.why()).toMatchObject([
      { kind: 'budget', what: expect.stringContaining('toolCalls is at 1 of 1') },
      { kind: 'call' },
    ])
  })

  test('that it has failed, and what can be tried again', async () => {
    const { job, runtime, script } = await stuck((graph, { work }) => graph.call('a', work, 1))
    script.fail('a', new TerminalError('no disk'))
    await runtime.settle()
    expect(await job.why()).toMatchObject([
      { kind: 'ended', what: 'The job is failed: no disk.', owes: 'nobody', moves: ['retry a'] },
    ])
  })

  test('a hand-written machine: the signals that it takes where it is, or that it takes none', async () => {
    const door = fromMachine(
      'door',
      createMachine({ initial: 'shut', states: { shut: { on: { open: 'wide' } }, wide: {} } }),
    )
    await using runtime = await testRuntime({ agents: [door] })
    const job = await runtime.spawn(door, null)
    expect(await job.why()).toMatchObject([
      { kind: 'signal', what: 'The job takes the signal "open".', moves: ['signal open JSON'] },
    ])
    await job.signal('open', {})
    await runtime.settle()
    expect(await job.why()).toMatchObject([{ kind: 'machine', moves: ['cancel', 'terminate'] }])
  })

  test('that nobody runs it, as somebody sees it who only reads', async () => {
    const { job } = await stuck((graph, { work }) => graph.call('a', work, 1))
    expect(why(job.getSnapshot(), { unread: 1, isOwned: false, takes: [] })).toMatchObject([
      { kind: 'owner', moves: ['run'] },
      { kind: 'call', what: 'a: attempt 1 was under way when its process ended.', owes: 'whoever runs the job' },
      { kind: 'message', what: 'A message in its inbox is unread.', moves: [] },
    ])
  })

  test('that it is ending', async () => {
    const { job, runtime } = await stuck((graph, { work }) => graph.call('a', work, 1))
    await job.cancel({ by: 'ana' })
    await runtime.settle()
    expect(await job.why()).toMatchObject([{ kind: 'cancelling', what: 'Being cancelled by ana.' }, { kind: 'call' }])
    await job.terminate()
    await runtime.settle()
    expect(await job.why()).toMatchObject([{ kind: 'ended', moves: [] }])
  })
})
