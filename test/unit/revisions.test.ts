import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Json } from '../../src/base/json.ts'
import type { Node, TaskGraph } from '../../src/graph/graph.ts'
import { agent, TerminalError } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { type TestRuntime, testRuntime } from '../../src/testing/test-runtime.ts'
import { dataOf, Script } from '../support/scripted.ts'

/** A planner that takes its time: the job goes on meanwhile, and its answer meets another state than it knew. */

const call = (id: string, input: Json = 1, more: object = {}): Node => ({
  id,
  kind: 'call',
  tool: 'work',
  input,
  ...more,
})

/** A job that runs its first plan, whose planner is being asked for the next one. */
async function asked(first: Node[]) {
  const script = new Script()
  const [work, revert] = [script.tool('work'), script.tool('revert', 'idempotent')]
  const answers: ((plan: TaskGraph) => void)[] = []
  const it = agent({
    name: 'live',
    input: z.any(),
    output: z.any(),
    tools: [work, revert],
    planner: {
      name: 'slow',
      plan: ({ round }) =>
        round === 1 ? { nodes: first, output: null } : new Promise((resolve) => answers.push(resolve)),
    },
  })
  const runtime = await testRuntime({ agents: [it], snapshotEvery: 1 })
  const job = await runtime.spawn(it, null, { id: 'job' })
  await runtime.settle()
  await job.revise({ by: 'ana' })
  await runtime.settle()
  const answer = async (...nodes: Node[]) => {
    answers.pop()?.({ nodes, output: { $ref: ['more'] } })
    await runtime.settle()
  }
  const check = async (last: TestRuntime) => {
    expect(last.problems).toEqual([])
    expect((await replay(it, (await last.job('job')).events())).divergence).toBeUndefined()
  }
  return { script, runtime, job, answer, check }
}

test('what settles while the planner thinks is not done again', async () => {
  const { script, runtime, job, answer, check } = await asked([call('keep'), call('drop')])
  script.answer('keep', 'K')
  await runtime.settle()
  await answer(call('keep'), call('more', { $ref: ['keep'] }))
  expect(script.begun).toEqual(['work keep', 'work drop', 'work more'])
  expect(script.call('more').input).toBe('K')
  expect(job.getSnapshot().nodes).toEqual({ keep: 'completed', more: 'running' })
  script.answer('more', 'M')
  await runtime.settle()
  expect(job.getSnapshot().output).toBe('M')
  await check(runtime)
})

test('and the next process takes it over where it is', async () => {
  const { script, runtime, answer, check } = await asked([call('keep'), call('drop')])
  script.answer('keep', 'K')
  await runtime.settle()
  await answer(call('keep'), call('more', { $ref: ['keep'] }))
  await using after = await runtime.reopen()
  await after.settle()
  const job = await after.job('job')
  expect(job.getSnapshot().nodes).toEqual({ keep: 'completed', more: 'unknown' })
  await job.resolve('more', { completed: 'M' }, { by: 'ana', reason: 'seen' })
  await after.settle()
  expect(job.getSnapshot().output).toBe('M')
  expect(script.begun).toEqual(['work keep', 'work drop', 'work more'])
  await check(after)
})

const map = (id: string, over: Json): Node => ({
  id,
  kind: 'map',
  tool: 'work',
  over,
  input: { $item: [] },
  concurrency: 1,
})

describe('a map that is under way', () => {
  test('goes on where it is under the next plan that has it', async () => {
    const { script, runtime, job, answer, check } = await asked([map('each', [1, 2, 3]), call('other')])
    script.answer('each/0', 'A')
    await runtime.settle()
    await answer(map('each', [1, 2, 3]), call('more', { $ref: ['each'] }))
    expect(script.call('each/1').context.abortSignal.aborted).toBe(false)
    script.answer('each/1', 'B')
    await runtime.settle()
    script.answer('each/2', 'C')
    await runtime.settle()
    expect(script.begun).toEqual(['work each/0', 'work other', 'work each/1', 'work each/2', 'work more'])
    expect(script.call('more').input).toEqual(['A', 'B', 'C'])
    await check(runtime)
    await using after = await runtime.reopen()
    await after.settle()
    expect((await after.job(job.id)).getSnapshot().nodes).toEqual({ each: 'completed', more: 'unknown' })
    await check(after)
  })

  test('begins anew where the next plan asks for something else', async () => {
    const { script, runtime, answer, check } = await asked([map('each', [1, 2, 3]), call('other')])
    script.answer('each/0', 'A')
    await runtime.settle()
    await answer(map('each', [7, 2, 3]), call('more'))
    expect(script.call('each/0#2').input).toBe(7)
    expect(script.call('each/1').context.abortSignal.aborted).toBe(true)
    await check(runtime)
  })

  test('goes on where it is when another node runs again', async () => {
    const { script, runtime, job, check } = await asked([call('a'), map('each', [1, 2, 3])])
    script.answer('a', 'A')
    script.answer('each/0', 1)
    await runtime.settle()
    await job.restart('a', { by: 'ana' })
    await runtime.settle()
    expect(script.begun).toEqual(['work a', 'work each/0', 'work each/1', 'work a#2'])
    script.answer('each/1', 2)
    await runtime.settle()
    script.answer('each/2', 3)
    script.answer('a#2', 'A')
    await runtime.settle()
    expect(job.getSnapshot().nodes).toEqual({ a: 'completed', each: 'completed' })
    await check(runtime)
  })
})

test('a loop that is under way goes on in its iteration, with the calls of that', async () => {
  const body = { nodes: [call('one', { $state: [] }), call('two', { $ref: ['one'] })], output: { $ref: ['two'] } }
  const loop: Node = { id: 'loop', kind: 'loop', start: 0, body, until: { gte: [{ $state: [] }, 2] }, max: 5 }
  const { script, runtime, job, check } = await asked([call('a'), loop])
  script.answer('a', 'A')
  script.answer('loop/0/one', 0)
  await runtime.settle()
  script.answer('loop/0/two', 1)
  await runtime.settle()
  script.answer('loop/1/one', 1)
  await runtime.settle()
  await job.restart('a', { by: 'ana' })
  await runtime.settle()
  script.answer('loop/1/two', 2)
  script.answer('a#2', 'A')
  await runtime.settle()
  expect(job.getSnapshot().results['loop']).toEqual({ status: 'completed', output: 2 })
  expect(script.begun).toEqual([
    'work a',
    ...['work loop/0/one', 'work loop/0/two', 'work loop/1/one', 'work loop/1/two'],
    'work a#2',
  ])
  await check(runtime)
})

test('a plan that comes when the job is ending is of no use any more', async () => {
  const compensate = { tool: 'revert', input: { $output: [] } }
  const { script, runtime, job, answer, check } = await asked([
    call('done', 1, { compensate }),
    call('bad'),
    call('busy'),
  ])
  script.answer('done', 'D')
  script.fail('bad', new TerminalError('no'))
  await runtime.settle()
  expect(job.getSnapshot().isFailing).toBe(true)
  await answer(call('more'))
  expect(job.getSnapshot().isFailing).toBe(true)
  expect(await dataOf(job, 'plan.revised')).toEqual([])
  script.obey('busy')
  await runtime.settle()
  expect(script.call('job.undo/done').input).toBe('D')
  script.answer('job.undo/done')
  await runtime.settle()
  expect(job.getSnapshot()).toMatchObject({ value: 'failed', error: { message: 'no' } })
  expect(script.begun).toEqual(['work done', 'work bad', 'work busy', 'revert job.undo/done'])
  await check(runtime)
})
