import { agent, openRuntime, tool } from 'aetheris'
import { ledgerOf, type ModelPort, modelTool, priceTable, reactAgent } from 'aetheris/models'
import { rulePlanner } from 'aetheris/planners'
import { memoryStore } from 'aetheris/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ModelServer, modelAt } from '../support/model-server.ts'

/** What docs/models.md shows is this code, and it runs: against a server on this machine, which answers what is in a request. */

const server = await ModelServer.start({ chunkSize: 10 })
const usage = { prompt_tokens: 1_000, completion_tokens: 100 }
server.mock.on({ userMessage: 'Write' }, { content: 'All about tea, at some length.', usage })
server.mock.on({}, { content: 'Tea is a drink.', usage })
afterAll(() => server.stop())
const model: ModelPort = modelAt(server.url, 'small')

// #region tool
const write = modelTool({ name: 'write', model })

const writer = agent({
  name: 'writer',
  input: z.object({ topic: z.string() }),
  output: z.string(),
  tools: [write],
  plan(graph, { topic }) {
    const draft = graph.call('draft', write, { prompt: `Write about ${topic}.`, maxOutputTokens: 1_000 })
    const short = graph.call('short', write, {
      system: 'You are an editor.',
      messages: [
        { role: 'user', content: 'Make it short.' },
        { role: 'user', content: draft.text },
      ],
    })
    return short.text
  },
})
// #endregion

const forbid = tool({ name: 'forbid', input: z.null(), output: z.string(), run: () => 'No.' })
const greet = tool({ name: 'greet', input: z.null(), output: z.string(), run: () => 'Hello.' })

// #region rules
const rules = rulePlanner('by-age', [
  {
    when: ({ input }) => (input as { age: number }).age < 18,
    plan: { nodes: [{ id: 'forbid', kind: 'call', tool: 'forbid', input: null }], output: { $ref: ['forbid'] } },
  },
  { plan: { nodes: [{ id: 'greet', kind: 'call', tool: 'greet', input: null }], output: { $ref: ['greet'] } } },
])
// #endregion

describe('what the page shows', () => {
  test('a model as a tool', async () => {
    await using runtime = await openRuntime({ store: memoryStore(), agents: [writer] })
    const job = await runtime.spawn(writer, { topic: 'tea' })
    expect(await job.result()).toBe('Tea is a drink.')
  })

  test('a planner of rules', async () => {
    const input = z.object({ age: z.int() })
    const door = agent({ name: 'door', input, output: z.string(), tools: [forbid, greet], planner: rules })
    await using runtime = await openRuntime({ store: memoryStore(), agents: [door] })
    expect(await (await runtime.spawn(door, { age: 17 })).result()).toBe('No.')
    expect(await (await runtime.spawn(door, { age: 18 })).result()).toBe('Hello.')
  })

  test('prices, budgets and the ledger', async () => {
    // #region prices
    const prices = priceTable({
      currency: 'USD',
      // For a million tokens, in millionths of a dollar: 0.25 for input, 0.025 for cached input, 2 for output.
      models: { 'local/small': { input: 250_000, cached: 25_000, output: 2_000_000 } },
    })

    const assistant = reactAgent({
      name: 'assistant',
      model,
      prices,
      budget: { tokens: 100_000, microUnits: 500_000 }, // at most about 0.50 dollars
    })
    // #endregion
    await using runtime = await openRuntime({ store: memoryStore(), agents: [assistant] })
    const job = await runtime.spawn(assistant, 'What is tea?', { id: 'tea' })
    await job.result()
    const { jobs } = await ledgerOf(job.events())
    expect(jobs['tea']).toMatchObject({ calls: 1, inputTokens: 1_000, microUnits: { USD: 250 + 200 } })
  })

  test('a stream, from where one was', async () => {
    await using runtime = await openRuntime({ store: memoryStore(), agents: [writer] })
    const job = await runtime.spawn(writer, { topic: 'tea' })
    let cursor: string | undefined
    // #region stream
    let shown = ''
    for await (const part of job.stream(cursor === undefined ? {} : { after: cursor })) {
      if (part.type === 'text') {
        if (part.offset === 0) shown = '' // another attempt, or another call: from its begin
        shown += part.text
      }
      cursor = part.cursor // whoever keeps it can come again, and goes on from here
    }
    // #endregion
    expect(shown).toBe('Tea is a drink.')
    const again: unknown[] = []
    for await (const part of job.stream({ after: cursor as string })) again.push(part)
    expect(again).toEqual([])
  })
})
