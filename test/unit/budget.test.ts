import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Budget } from '../../src/event/budget.ts'
import { agent, tool } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { dataOf, Script } from '../support/scripted.ts'

/** What a job may use up. Reaching a limit stops it where it is, until somebody raises it. */

const step = tool({
  name: 'step',
  input: z.any(),
  output: z.any(),
  effect: 'read',
  run(_, { charge }) {
    charge(10)
    return 'stepped'
  },
})

function walker(budget?: Budget) {
  return agent({
    name: 'walker',
    input: z.any(),
    output: z.any(),
    tools: [step],
    ...(budget === undefined ? {} : { budget }),
    plan(graph) {
      let last = graph.call('s1', step, null)
      for (let nth = 2; nth <= 5; nth += 1) last = graph.call(`s${nth}`, step, last)
      return last
    },
  })
}

async function walked(own?: Budget, given?: Budget) {
  const it = walker(own)
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, null, { id: 'job', ...(given === undefined ? {} : { budget: given }) })
  await runtime.settle()
  const check = async (same = job) => expect((await replay(it, same.events())).divergence).toBeUndefined()
  return { it, runtime, job, check }
}

describe.each<[Budget, object]>([
  [{ toolCalls: 2 }, { limit: 'toolCalls', max: 2, used: 2 }],
  [{ cost: 20 }, { limit: 'cost', max: 20, used: 20 }],
  [{ steps: 4 }, { limit: 'steps', max: 4, used: 4 }],
])('%o', (budget, exceeded) => {
  test('stops the job at its limit, and it goes on when the limit is raised', async () => {
    const { runtime, job, check } = await walked(budget)
    expect(job.getSnapshot().value).toMatchObject({ budgetExceeded: {} })
    expect(await dataOf(job, 'budget.exceeded')).toEqual([exceeded])
    expect((await runtime.store.get('job'))?.status).toBe('waiting')
    await using after = await runtime.reopen()
    await after.settle()
    const same = await after.job('job')
    expect(same.getSnapshot().value).toMatchObject({ budgetExceeded: {} })
    // Without a higher limit it gets no further.
    await same.resume({ by: 'ana' })
    await after.settle()
    expect(same.getSnapshot().value).toMatchObject({ budgetExceeded: {} })
    await same.resume({ by: 'ana', budget: { toolCalls: 100, cost: 100, steps: 100 } })
    await after.settle()
    expect(same.getSnapshot().output).toBe('stepped')
    await check(same as never)
  })
})

test('the limits of a job override those of its agent, one by one', async () => {
  const { job } = await walked({ toolCalls: 2, cost: 30 }, { toolCalls: 100 })
  expect(job.getSnapshot().budget).toEqual({ toolCalls: 100, cost: 30 })
  expect(await dataOf(job, 'budget.exceeded')).toMatchObject([{ limit: 'cost' }])
})

test('wall time runs also while nothing does, and what is under way may end', async () => {
  const script = new Script()
  const slow = script.tool('slow', 'idempotent')
  const it = agent({
    name: 'slow',
    input: z.any(),
    output: z.any(),
    tools: [slow],
    budget: { wallMs: 10_000 },
    plan: (graph) => graph.call('b', slow, graph.call('a', slow, null)),
  })
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, null, { id: 'job' })
  await runtime.advance(10_000)
  expect(job.getSnapshot().value).toEqual({ budgetExceeded: { a: 'running' } })
  expect(script.call('a').context.abortSignal.aborted).toBe(false)
  script.answer('a')
  await runtime.settle()
  expect(job.getSnapshot().value).toEqual({ budgetExceeded: { b: 'running' } })
  expect(script.begun).toEqual(['slow a'])
  await job.resume({ budget: { wallMs: 100_000 } })
  await runtime.settle()
  script.answer('b', 'end')
  await runtime.settle()
  expect(await job.result()).toBe('end')
  expect((await replay(it, job.events())).divergence).toBeUndefined()
})

test('a job over its budget can be cancelled, and may still undo what it did', async () => {
  const { job, runtime, check } = await walked({ toolCalls: 2 })
  await job.cancel()
  await runtime.settle()
  expect(job.getSnapshot().value).toBe('cancelled')
  await check()
})

test.each([{ toolCalls: 0 }, { cost: -1 }, { steps: 1.5 }, { money: 3 }])('%o is no budget', async (budget) => {
  expect(() => walker(budget as Budget)).toThrow(expect.objectContaining({ code: 'AGENT_INVALID' }))
  await expect(walked(undefined, budget as Budget)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
})
