import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { NoPlan, type PlanRequest } from '../../src/agent/planner.ts'
import { limits } from '../../src/base/limits.ts'
import { agent } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { dataOf, Script, turns, typesOf } from '../support/scripted.ts'

/** A planner whose every answer is given by the test. */
async function started(answersMax?: number, budget = {}) {
  const script = new Script()
  const tools = [script.tool('read', 'read')]
  const asked: { request: PlanRequest; answer: (plan: unknown) => void }[] = []
  const it = agent({
    name: 'thinker',
    input: z.any(),
    output: z.any(),
    tools,
    budget,
    planner: {
      name: 'oracle',
      ...(answersMax === undefined ? {} : { answersMax }),
      plan: (request) => new Promise((resolve) => asked.push({ request, answer: (plan) => resolve(plan as never) })),
    },
  })
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, { goal: 'x' }, { id: 'job' })
  await turns()
  const answer = async (plan: unknown) => {
    asked.at(-1)?.answer(plan)
    await turns()
  }
  const check = async (same = job) => expect((await replay(it, same.events())).divergence).toBeUndefined()
  return { script, asked, answer, runtime, job, check }
}

const valid = { nodes: [{ id: 'a', kind: 'call', tool: 'read', input: null }], output: { $ref: ['a'] } }
const unknownTool = { nodes: [{ id: 'a', kind: 'call', tool: 'delete', input: null }], output: null }

describe('a planner that may answer more than once', () => {
  test('is told what is wrong with what it answered, and each answer is an event', async () => {
    const { script, asked, answer, runtime, job, check } = await started(3)
    asked[0]?.request.charge(7)
    await answer(unknownTool)
    await answer(new NoPlan('I would rather not.', [{ path: [], code: 'no_json', message: 'It is no JSON.' }]))
    expect(asked.map(({ request }) => request.rejected.length)).toEqual([0, 1, 2])
    expect(asked[2]?.request.rejected).toMatchObject([
      { answer: JSON.stringify(unknownTool), issues: [{ path: ['nodes', 0, 'tool'] }] },
      { answer: 'I would rather not.', issues: [{ code: 'no_json' }] },
    ])
    await answer(valid)
    script.answer('a', 5)
    await runtime.settle()
    expect(await job.result()).toBe(5)
    expect(await typesOf(job)).toEqual([
      ...['job.created', 'plan.requested', 'node.started', 'plan.rejected', 'node.attempted', 'plan.rejected'],
      ...['node.attempted', 'plan.adopted', 'node.started', 'node.completed', 'job.completed'],
    ])
    expect(await dataOf(job, 'plan.rejected')).toMatchObject([{ attempt: 1, cost: 7 }, { attempt: 2 }])
    expect(job.getSnapshot().usage.cost).toBe(7)
    await check()
  })

  test('fails the job with what is wrong when its last answer is no plan', async () => {
    const { answer, job, check } = await started(2)
    await answer(unknownTool)
    await answer(unknownTool)
    expect(job.getSnapshot().error).toMatchObject({ code: 'PLAN_INVALID', message: expect.stringContaining('delete') })
    expect(await dataOf(job, 'plan.rejected')).toHaveLength(2)
    await check()
  })

  test('has its answers kept through a crash, and is asked on with them', async () => {
    const { asked, answer, runtime, check } = await started(3)
    await answer(unknownTool)
    await runtime.crash()
    const after = await runtime.reopen()
    await turns()
    expect(asked.at(-1)?.request.rejected).toHaveLength(1)
    await answer(unknownTool)
    await answer(unknownTool)
    const job = await after.job('job')
    expect(job.getSnapshot().status).toBe('error')
    await check(job as never)
  })

  test('is not asked again when the budget is used up', async () => {
    const { asked, answer, job, runtime } = await started(5, { tokens: 100 })
    asked[0]?.request.charge({ model: 'm', inputTokens: 90, outputTokens: 10 })
    await answer(unknownTool)
    expect(asked).toHaveLength(1)
    expect(job.getSnapshot().value).toEqual({ budgetExceeded: 'planning' })
    await job.resume({ budget: { tokens: 1_000 } })
    await turns()
    expect(asked).toHaveLength(2)
    await runtime.close()
  })
})

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['a function', () => {}],
  ['a cycle', Object.assign([], { 0: {} })],
  ['prose', 'Certainly! Here is the plan.'],
  [
    'itself',
    (() => {
      const self: Record<string, unknown> = {}
      self['self'] = self
      return self
    })(),
  ],
  ['a hundred thousand nodes', { nodes: Array.from({ length: 100_000 }, (_, index) => ({ id: `n${index}` })) }],
  ['a hundred thousand levels', JSON.parse('['.repeat(3_000) + ']'.repeat(3_000))],
  ['a prototype', JSON.parse('{"__proto__": {"nodes": []}}')],
])('a planner that answers %s fails its job', async (_, plan) => {
  const { answer, job, check } = await started()
  await answer(plan)
  expect(job.getSnapshot().error?.code).toBe('PLAN_INVALID')
  expect((await dataOf(job, 'plan.rejected'))[0]?.issues.length).toBeGreaterThan(0)
  await check()
})

test('a planner that asks for the next plan for ever fails its job', async () => {
  let plans = 0
  const endless = agent({
    name: 'endless',
    input: z.any(),
    output: z.any(),
    planner: {
      name: 'endless',
      plan() {
        plans += 1
        return { nodes: [], output: null, revise: { onSettled: true } } as never
      },
    },
  })
  await using runtime = await testRuntime({ agents: [endless] })
  const job = await runtime.spawn(endless, null)
  await runtime.settle()
  expect(job.getSnapshot().error).toMatchObject({ code: 'LIMIT_EXCEEDED', message: expect.stringContaining('revise') })
  expect(plans).toBe(limits.planRoundsMax)
  expect((await replay(endless, job.events())).divergence).toBeUndefined()
})
