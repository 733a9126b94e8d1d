import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { tool } from '../../src/index.ts'
import { type ReactAgentOptions, reactAgent } from '../../src/models/models.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { type FakeModel, fakeModel } from '../support/model.ts'
import { dataOf, Script, turns, typesOf } from '../support/scripted.ts'

/** A model that calls tools until it can answer. */

type Options = Omit<ReactAgentOptions<z.ZodType, z.ZodType>, 'name' | 'model'>

async function started(model: FakeModel, options: Options = {}, question: unknown = 'How high is it?') {
  const it = reactAgent({ name: 'react', model, ...options })
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, question as never, { id: 'job' })
  await turns(100)
  const check = async (same = job) => expect((await replay(it, same.events())).divergence).toBeUndefined()
  return { runtime, job, check, it }
}

const height = () =>
  tool({
    name: 'height',
    description: 'How high a mountain is.',
    input: z.object({ of: z.string() }),
    output: z.number(),
    effect: 'read',
    run: ({ of }) => {
      if (of === 'Nowhere') throw new Error('there is no such mountain')
      return of.length * 1_000
    },
  })

const ask = (...of: unknown[]) => ({
  thought: 'I have to look it up.',
  calls: of.map((each, index) => ({ name: 'height', id: `c${index}`, input: { of: each } })),
})

describe('the loop', () => {
  test('thinks, acts, observes and answers; every thought, call and result is in the history', async () => {
    const model = fakeModel([ask('Eiger', 'Mönch'), { text: 'The Eiger is 5000 m.' }])
    const { job, check } = await started(model, { tools: [height()], instructions: 'You know mountains.' })
    expect(await job.result()).toBe('The Eiger is 5000 m.')
    expect(model.asked[0]).toMatchObject({
      prompt: [
        { role: 'system', content: 'You know mountains.' },
        { role: 'user', content: [{ type: 'text', text: 'How high is it?' }] },
      ],
      tools: [{ type: 'function', name: 'height', description: 'How high a mountain is.' }],
      toolChoice: { type: 'auto' },
    })
    expect(model.asked[1]?.prompt.slice(2)).toEqual([
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'I have to look it up.' },
          { type: 'tool-call', toolCallId: 'c0', toolName: 'height', input: { of: 'Eiger' } },
          { type: 'tool-call', toolCallId: 'c1', toolName: 'height', input: { of: 'Mönch' } },
        ],
      },
      {
        role: 'tool',
        content: [
          { type: 'tool-result', toolCallId: 'c0', toolName: 'height', output: { type: 'json', value: 5_000 } },
          { type: 'tool-result', toolCallId: 'c1', toolName: 'height', output: { type: 'json', value: 5_000 } },
        ],
      },
    ])
    expect((await dataOf(job, 'node.completed')).map(({ effect }) => effect)).toEqual([
      'think',
      'act/0',
      'act/1',
      'think#2',
    ])
    await check()
  })

  test('tells the model what failed, what does not exist and what is no JSON, and calls none of it', async () => {
    const calls = [
      { name: 'height', id: 'a', input: { of: 'Nowhere' } },
      { name: 'delete', id: 'b', input: {} },
      { name: 'height', id: 'c', input: '{"of": ' },
      { name: 'height', id: 'd', input: { of: 7 } },
      { name: 'height', id: 'e', input: { of: 'Eiger' } },
    ]
    const model = fakeModel([{ calls }, { text: 'ok' }])
    const { runtime, job, check } = await started(model, { tools: [height()] })
    await runtime.advance(60_000)
    expect(await job.result()).toBe('ok')
    const results = model.asked[1]?.prompt.at(-1)?.content as { toolCallId: string; output: unknown }[]
    expect(results.map(({ toolCallId }) => toolCallId)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(results.map(({ output }) => output)).toEqual([
      { type: 'error-text', value: 'Error: there is no such mountain' },
      { type: 'error-text', value: 'There is no tool "delete". There are: height.' },
      { type: 'error-text', value: 'The input of this call is no JSON.' },
      { type: 'error-text', value: expect.stringContaining('does not match its schema') },
      { type: 'json', value: 5_000 },
    ])
    await check()
  })

  test('ends with an answer at its last step, for which tools are not offered', async () => {
    const model = fakeModel((call, nth) => (call.toolChoice?.type === 'none' ? { text: `after ${nth}` } : ask('Eiger')))
    const { job, check } = await started(model, { tools: [height()], stepsMax: 4 })
    expect(await job.result()).toBe('after 3')
    await check()
  })

  test('fails when the model does not answer in its steps', async () => {
    const { job, check } = await started(
      fakeModel(() => ask('Eiger')),
      { tools: [height()], stepsMax: 3 },
    )
    expect(job.getSnapshot().error).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringContaining('3 steps'),
    })
    await check()
  })

  test('calls no more at a time than a reply may ask for', async () => {
    const model = fakeModel([ask(...Array.from({ length: 1_000 }, () => 'Eiger')), { text: 'ok' }])
    const { job } = await started(model, { tools: [height()], callsMax: 3 })
    expect(await job.result()).toBe('ok')
    expect((await typesOf(job)).filter((type) => type === 'node.started')).toHaveLength(2 + 3)
  })

  test('shows the model the begin of a long result', async () => {
    const long = tool({ name: 'read', input: z.any(), output: z.any(), effect: 'read', run: () => 'x'.repeat(50_000) })
    const model = fakeModel([{ calls: [{ name: 'read', input: {} }] }, { text: 'ok' }])
    const { job } = await started(model, { tools: [long], resultCharactersMax: 10 })
    expect(await job.result()).toBe('ok')
    const content = model.asked[1]?.prompt.at(-1)?.content as unknown as [{ output: unknown }]
    expect(content[0].output).toEqual({ type: 'json', value: 'xxxxxxxxxx… (49990 characters more)' })
  })
})

describe('the answer', () => {
  const output = z.object({ metres: z.number() })

  test('fits a schema, and the model is told where it does not', async () => {
    const model = fakeModel([
      { text: 'high' },
      { text: '{"metres": "many"}' },
      { text: '```json\n{"metres": 3967}\n```' },
    ])
    const { job, check } = await started(model, { output })
    expect(await job.result()).toEqual({ metres: 3_967 })
    expect(model.asked[0]?.responseFormat).toMatchObject({ type: 'json', schema: { type: 'object' } })
    const said = model.asked[2]?.prompt.map(({ content }) => JSON.stringify(content)).join('\n')
    expect(said).toMatch(/no JSON/)
    expect(said).toMatch(/metres/)
    await check()
  })

  test('is not empty, and not one that was cut off', async () => {
    const model = fakeModel([{ text: ' ' }, { text: 'It is', finishReason: 'length' }, { text: 'High.' }])
    const { job } = await started(model)
    expect(await job.result()).toBe('High.')
  })
})

describe('a crash', () => {
  test('asks the model only for what is not recorded, and calls no tool twice that may not be', async () => {
    const script = new Script()
    const climb = script.tool('climb', 'once')
    const model = fakeModel([{ calls: [{ name: 'climb', input: { of: 'Eiger' } }] }, { text: 'done' }])
    const { runtime, check } = await started(model, { tools: [climb] })
    expect(script.begun).toEqual(['climb act/0'])
    await runtime.crash()
    const after = await runtime.reopen()
    await turns(100)
    const job = await after.job('job')
    expect(job.getSnapshot().pending).toMatchObject([{ effect: 'act/0', status: 'unknown' }])
    await job.resolve('act/0', { completed: 'climbed' }, { by: 'ana', reason: 'seen on top' })
    await turns(100)
    expect(await job.result()).toBe('done')
    expect(script.begun).toHaveLength(1)
    expect(model.asked).toHaveLength(2)
    await check(job as never)
  })

  test('at every turn leads to the same answer', async () => {
    const replies = [ask('Eiger'), ask('Mönch', 'Nowhere'), { text: 'Both are 5000 m.' }]
    for (let crashAt = 1; crashAt < 30; crashAt += 3) {
      const model = fakeModel((call) => replies[call.prompt.filter(({ role }) => role === 'assistant').length] ?? {})
      const it = reactAgent({ name: 'react', model, tools: [height()] })
      const before = await testRuntime({ agents: [it] })
      await before.spawn(it, 'How high?', { id: 'job' })
      await turns(crashAt)
      const after = await before.reopen()
      await turns(100)
      await after.advance(100_000)
      const job = await after.job('job')
      expect(job.getSnapshot().output).toBe('Both are 5000 m.')
      expect((await replay(it, job.events())).divergence).toBeUndefined()
    }
  })
})

test('a tool that needs an approval waits for it, and the model is told when it is denied', async () => {
  const script = new Script()
  const climb = script.tool('climb', 'once', { approval: 'always' })
  const model = fakeModel([{ calls: [{ name: 'climb', input: {} }] }, { text: 'Then not.' }])
  const { job } = await started(model, { tools: [climb] })
  await job.deny('act/0', { by: 'ana', reason: 'too cold' })
  await turns(100)
  expect(await job.result()).toBe('Then not.')
  expect(script.begun).toEqual([])
  expect(JSON.stringify(model.asked[1]?.prompt)).toMatch(/too cold/)
})

test('a budget of tokens stops it before the next call, until somebody raises it', async () => {
  const model = fakeModel((_, nth) => (nth < 3 ? ask('Eiger') : { text: 'ok' }))
  const { job, runtime } = await started(model, { tools: [height()], budget: { tokens: 30 } })
  expect(model.asked).toHaveLength(2)
  expect(job.getSnapshot().value).toMatchObject({ budgetExceeded: 'acting' })
  await job.resume({ budget: { tokens: 1_000 } })
  await turns(100)
  expect(await job.result()).toBe('ok')
  await runtime.close()
})

describe('a conversation of 1,000 turns', () => {
  const count = 1_000
  const kept = 20
  const sizeOf = (value: unknown) => JSON.stringify(value).length

  test('keeps what a step writes, holds and asks from growing', async () => {
    const held: number[] = []
    const model = fakeModel((_, nth) => {
      held.push(sizeOf(job.getSnapshot().context))
      return nth < count ? ask('Eiger') : { text: 'ok' }
    })
    const it = reactAgent({ name: 'react', model, tools: [height()], stepsMax: 2_000, turnsKept: kept })
    const runtime = await testRuntime({ agents: [it] })
    const job = await runtime.spawn(it, 'Go on', { id: 'job' })
    await job.waitFor(({ status }) => status !== 'active')
    expect(job.getSnapshot().output).toBe('ok')

    const written: number[] = []
    for await (const event of job.events()) written.push(sizeOf(event))
    const asked = model.asked.map(({ prompt }) => sizeOf(prompt))
    expect(model.asked.at(-1)?.prompt).toHaveLength(1 + 1 + kept * 2)
    // Each turn is four events. Numbers of turns have one digit more, and are named a few times in each.
    for (const [sizes, perTurn] of [
      [written, 4],
      [held, 1],
      [asked, 1],
    ] as const) {
      const early = Math.max(...sizes.slice(50 * perTurn, 90 * perTurn))
      const late = Math.max(...sizes.slice(-100 * perTurn))
      expect(late).toBeLessThanOrEqual(early + 40)
    }
    expect((await replay(it, job.events())).divergence).toBeUndefined()
  })
})

test.each([{ stepsMax: 0 }, { callsMax: 0 }, { turnsKept: 1.5 }, { concurrency: -1 }])('%j is refused', (options) => {
  expect(() => reactAgent({ name: 'react', model: fakeModel([]), ...options })).toThrow(
    expect.objectContaining({ code: 'AGENT_INVALID' }),
  )
})
