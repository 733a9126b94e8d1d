import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { agent } from '../../src/index.ts'
import { modelTool, priceTable } from '../../src/models/models.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { type FakeModel, type FakeReply, fakeModel } from '../support/model.ts'
import { dataOf, eventsOf, turns } from '../support/scripted.ts'

/** A model as a node of a plan. */

const prices = priceTable({
  currency: 'USD',
  models: { 'fake/model-1': { input: 1_000_000, cached: 100_000, output: 8_000_000 } },
})

async function started(model: FakeModel, options: { stream?: boolean; timeoutMs?: number } = {}) {
  const write = modelTool({ name: 'write', model, prices, ...options })
  const it = agent({
    name: 'writer',
    input: z.string(),
    output: z.any(),
    tools: [write],
    plan: (graph, topic) => graph.call('draft', write, { system: 'Be brief.', prompt: `Write of ${topic}` }),
  })
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, 'LSM trees', { id: 'job' })
  await turns()
  const check = async (same = job) => expect((await replay(it, same.events())).divergence).toBeUndefined()
  return { runtime, job, check, it }
}

const text: FakeReply = {
  thought: 'Hm.',
  text: 'They merge.',
  usage: { input: 100, cached: 40, output: 20, reasoning: 5 },
}

describe.each([true, false])('streamed: %s', (stream) => {
  test('the reply is recorded, with what it used and cost, and nothing of headers and bodies', async () => {
    const model = fakeModel([text])
    const { job, check } = await started(model, { stream })
    expect(await job.result()).toEqual({
      text: 'They merge.',
      toolCalls: [],
      content: [
        { type: 'reasoning', text: 'Hm.' },
        { type: 'text', text: 'They merge.' },
      ],
      finishReason: 'stop',
      model: 'fake/model-1-2026',
      responseId: 'response-1',
    })
    const [completed] = await dataOf(job, 'node.completed')
    expect(completed?.usage).toEqual([
      {
        model: 'fake/model-1',
        inputTokens: 100,
        cachedTokens: 40,
        outputTokens: 20,
        reasoningTokens: 5,
        price: { microUnits: 60 + 4 + 160, currency: 'USD', table: prices.digest },
      },
    ])
    expect(JSON.stringify(await eventsOf(job))).not.toMatch(/secret|timestamp/)
    expect(model.asked[0]?.prompt).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'Write of LSM trees' }] },
    ])
    await check()
    expect(model.asked).toHaveLength(1)
  })

  test('a failure that may pass is tried again, as an event, after the delay that the provider asks for', async () => {
    const limited = Object.assign(new Error('slow down'), { statusCode: 429, responseHeaders: { 'retry-after': '7' } })
    const model = fakeModel([
      { error: limited },
      { error: Object.assign(new Error('oops'), { statusCode: 500 }) },
      text,
    ])
    const { runtime, job, check } = await started(model, { stream })
    await runtime.advance(6_999)
    expect(model.asked).toHaveLength(1)
    await runtime.advance(1)
    await turns()
    expect(model.asked).toHaveLength(2)
    await runtime.advance(60_000)
    expect(job.getSnapshot().status).toBe('done')
    expect((await dataOf(job, 'node.retried')).map(({ error }) => error.message)).toEqual([
      'Model fake/model-1 answered with status 429: slow down',
      'Model fake/model-1 answered with status 500: oops',
    ])
    await check()
  })

  test('a reply that its provider broke off is no answer, but what it used is counted', async () => {
    const { runtime, job } = await started(fakeModel([{ text: 'They mer', finishReason: 'error' }, text]), { stream })
    expect(await dataOf(job, 'node.retried')).toMatchObject([
      {
        error: { message: 'Model fake/model-1 did not answer: it broke off its reply.' },
        usage: [{ inputTokens: 10 }],
      },
    ])
    await runtime.advance(60_000)
    expect(await job.result()).toMatchObject({ text: 'They merge.' })
  })

  test('a refusal of the request is final', async () => {
    const model = fakeModel([{ error: Object.assign(new Error('no such key'), { statusCode: 401 }) }])
    const { job } = await started(model, { stream })
    expect(job.getSnapshot().error).toMatchObject({ name: 'TerminalError', message: expect.stringContaining('401') })
  })

  test('a call that was cut off by a crash is made again, and one that was recorded is not', async () => {
    const model = fakeModel((_, nth) => (nth === 0 ? new Promise<FakeReply>(() => {}) : text))
    const { runtime, check } = await started(model, { stream })
    await runtime.crash()
    const second = await runtime.reopen()
    await turns()
    expect((await second.job('job')).getSnapshot().status).toBe('done')
    const third = await second.reopen()
    await turns()
    expect(model.asked).toHaveLength(2)
    await check((await third.job('job')) as never)
  })
})

test('those who watch see the tokens as they come, and what the history has at the end', async () => {
  const { job } = await started(fakeModel([text]))
  const parts: string[] = []
  for await (const part of job.stream()) {
    if (part.type === 'text') parts.push(part.text)
    if (part.type === 'event') parts.push(part.event.type)
  }
  expect(parts.at(-1)).toBe('job.completed')
})

test('a request that is not the recorded one is found by its digest', async () => {
  const { job, it } = await started(fakeModel([text]))
  const events = await eventsOf(job)
  const changed = events.map((event) => {
    if (event.type !== 'node.started') return event
    const input = { ...(event.data.input as object), digest: 'another' }
    return { ...event, data: { ...event.data, input } }
  })
  expect((await replay(it, changed)).divergence).toMatchObject({ path: 'data.input.digest', recorded: 'another' })
})

test.each([
  ['a name', 'openai/gpt-5'],
  ['a model of an older kind', { specificationVersion: 'v2', doGenerate() {}, doStream() {} }],
  ['nothing', undefined],
])('%s is refused as a model', (_, model) => {
  expect(() => modelTool({ name: 'write', model: model as never })).toThrow(
    expect.objectContaining({ code: 'AGENT_INVALID' }),
  )
})

test('a model without a price is refused where there is a price table', () => {
  const table = priceTable({ currency: 'USD', models: { 'fake/other': { input: 1, output: 1 } } })
  expect(() => modelTool({ name: 'write', model: fakeModel([]), prices: table })).toThrow(/fake\/model-1.*fake\/other/)
})

test.each([
  [{ currency: '', models: {} }],
  [{ currency: 'USD', models: { a: { input: 1.5, output: 1 } } }],
  [{ currency: 'USD', models: { a: { input: -1, output: 1 } } }],
  [{ currency: 'USD', models: { a: { input: 1 } } }],
])('the price table %j is refused', (table) => {
  expect(() => priceTable(table as never)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
})
