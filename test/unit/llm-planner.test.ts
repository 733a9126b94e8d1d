import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { agent, signal, tool } from '../../src/index.ts'
import { llmPlanner, rulePlanner, staticPlanner } from '../../src/planners/planners.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { type FakeModel, fakeModel } from '../support/model.ts'
import { dataOf } from '../support/scripted.ts'

const search = tool({
  name: 'search',
  description: 'Finds pages.',
  input: z.object({ query: z.string() }),
  output: z.object({ urls: z.array(z.string()) }),
  effect: 'read',
  run: ({ query }) => ({ urls: [`${query}/1`, `${query}/2`] }),
})

const read = tool({
  name: 'read',
  input: z.object({ url: z.string() }),
  output: z.string(),
  effect: 'read',
  run: ({ url }) => `text of ${url}`,
})

async function started(model: FakeModel, options = {}) {
  const it = agent({
    name: 'explorer',
    input: z.object({ goal: z.string() }),
    output: z.any(),
    tools: [search, read],
    signals: [signal('approval', z.object({ ok: z.boolean() }))],
    planner: llmPlanner({ model, ...options }),
  })
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, { goal: 'lsm' }, { id: 'job' })
  await runtime.settle()
  const check = async (same = job) => expect((await replay(it, same.events())).divergence).toBeUndefined()
  return { runtime, job, check, it }
}

const plan = {
  nodes: [
    { id: 'find', kind: 'call', tool: 'search', input: { query: { $input: ['goal'] } } },
    { id: 'read', kind: 'map', tool: 'read', over: { $ref: ['find', 'urls'] }, input: { url: { $item: [] } } },
  ],
  output: { $ref: ['read'] },
}

describe('a model that plans', () => {
  test('is shown what a plan may name, and its plan runs', async () => {
    const model = fakeModel([{ text: JSON.stringify(plan) }])
    const { job, check } = await started(model, { instructions: 'Prefer few pages.' })
    expect(await job.result()).toEqual(['text of lsm/1', 'text of lsm/2'])
    const [asked] = model.asked
    expect(asked?.responseFormat).toMatchObject({ type: 'json', name: 'TaskGraph', schema: { type: 'object' } })
    const said = JSON.stringify(asked?.prompt)
    for (const part of ['lsm', 'search: Finds pages.', 'approval', 'Prefer few pages.', 'TaskGraph'])
      expect(said).toContain(part)
    const [adopted] = await dataOf(job, 'plan.adopted')
    expect(adopted?.usage).toMatchObject([{ model: 'fake/model-1', inputTokens: 10 }])
    await check()
    expect(model.asked).toHaveLength(1)
  })

  test('is told what is wrong, for a bounded number of rounds, each of them an event', async () => {
    const answers = [
      'Certainly! I will search first.',
      '{"nodes": [',
      JSON.stringify({ ...plan, output: { $ref: ['nope'] } }),
    ]
    const model = fakeModel((_, nth) => ({ text: answers[nth] ?? JSON.stringify(plan) }))
    const { job, check } = await started(model, { maxRounds: 4 })
    expect(job.getSnapshot().status).toBe('done')
    expect((await dataOf(job, 'plan.rejected')).map(({ answer }) => answer)).toEqual(answers)
    const last = model.asked[3]?.prompt
    expect(last?.filter(({ role }) => role === 'assistant')).toHaveLength(3)
    expect(JSON.stringify(last?.at(-1))).toContain('nope')
    await check()
  })

  test.each<[string, object]>([
    ['prose', { text: 'I would rather not.' }],
    ['nothing', { text: '' }],
    ['a list', { text: '[]' }],
    ['a cycle', { text: JSON.stringify({ nodes: [{ id: 'a', kind: 'sleep', ms: 1, after: ['a'] }], output: null }) }],
    [
      'an unknown tool',
      { text: JSON.stringify({ nodes: [{ id: 'a', kind: 'call', tool: 'rm', input: null }], output: null }) },
    ],
    ['a prototype key', { text: '{"nodes":[{"id":"__proto__","kind":"sleep","ms":1}],"output":null}' }],
    [
      'very many nodes',
      {
        text: JSON.stringify({
          nodes: Array.from({ length: 100_000 }, (_, n) => ({ id: `n${n}`, kind: 'sleep', ms: 1 })),
          output: null,
        }),
      },
    ],
    ['deep nesting', { text: '['.repeat(200_000) + ']'.repeat(200_000) }],
    ['a call of a function', { calls: [{ name: 'search', input: {} }] }],
    ['what the provider withheld', { text: '', finishReason: 'content-filter' }],
    ['what was cut off', { text: '{"nodes": [{"id": "a"', finishReason: 'length' }],
  ])('%s ends in a failure that says so', async (_, reply) => {
    const { job, check } = await started(
      fakeModel(() => reply),
      { maxRounds: 2 },
    )
    expect(job.getSnapshot().error).toMatchObject({ code: 'PLAN_INVALID' })
    expect(await dataOf(job, 'plan.rejected')).toHaveLength(2)
    await check()
  })

  test('is asked for the next plan with what came of the one before', async () => {
    const first = { nodes: [plan.nodes[0]], output: null, revise: { onSettled: true } }
    const second = { nodes: [plan.nodes[1]], output: { $ref: ['read'] } }
    const model = fakeModel([{ text: JSON.stringify(first) }, { text: JSON.stringify(second) }])
    const { job, check } = await started(model)
    expect(await job.result()).toEqual(['text of lsm/1', 'text of lsm/2'])
    expect(JSON.stringify(model.asked[1]?.prompt)).toContain('lsm/1')
    await check()
  })
})

test('a rule planner takes the first rule that fits; a static one always gives its plan', async () => {
  const fixed = { nodes: [], output: 'fixed' }
  const planner = rulePlanner('rules', [
    { when: ({ input }) => input === 'a', plan: { nodes: [], output: 'first' } },
    { when: ({ input }) => input === 'b', plan: ({ input }) => ({ nodes: [], output: { got: input } }) },
  ])
  const rules = agent({ name: 'rules', input: z.string(), output: z.any(), planner })
  const always = agent({ name: 'always', input: z.string(), output: z.any(), planner: staticPlanner('fixed', fixed) })
  const runtime = await testRuntime({ agents: [rules, always] })
  const outputs = []
  for (const [it, input] of [
    [rules, 'a'],
    [rules, 'b'],
    [always, 'c'],
  ] as const) {
    const job = await runtime.spawn(it, input)
    await runtime.settle()
    outputs.push(job.getSnapshot().output)
  }
  expect(outputs).toEqual(['first', { got: 'b' }, 'fixed'])
  const none = await runtime.spawn(rules, 'z')
  await runtime.settle()
  expect(none.getSnapshot().error).toMatchObject({ code: 'PLAN_INVALID', message: expect.stringContaining('rules') })
})
