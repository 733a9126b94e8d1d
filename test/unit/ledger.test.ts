import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { NewEvent } from '../../src/event/event.ts'
import { agent, tool } from '../../src/index.ts'
import { type Account, createLedger, ledgerOf, modelTool, priceTable } from '../../src/models/models.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { fakeModel } from '../support/model.ts'
import { eventsOf } from '../support/scripted.ts'

const prices = priceTable({ currency: 'USD', models: { 'fake/model-1': { input: 2_000_000, output: 10_000_000 } } })

test('what a job used is counted by node, job, agent and model, and so is what failed', async () => {
  const error = Object.assign(new Error('down'), { statusCode: 503 })
  const usage = { input: 100, cached: 30, output: 10, reasoning: 4 }
  const model = fakeModel([{ text: 'a', usage }, { error }, { text: 'b', usage }])
  const write = modelTool({ name: 'write', model, prices })
  const pay = tool({
    name: 'pay',
    input: z.any(),
    output: z.any(),
    run: (_, context) => context.charge(7),
  })
  const it = agent({
    name: 'writer',
    input: z.any(),
    output: z.any(),
    tools: [write, pay],
    plan(graph) {
      const first = graph.call('first', write, { prompt: 'x' })
      const second = graph.call('second', write, { prompt: first.text })
      graph.call('pay', pay, null, { after: [second] })
      return second.text
    },
  })
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, null, { id: 'job' })
  await runtime.settle()
  await runtime.advance(60_000)
  expect(job.getSnapshot().usage).toMatchObject({ tokens: 220, microUnits: 2 * 300, cost: 7 })

  const once = {
    ...{ calls: 1, inputTokens: 100, cachedTokens: 30, cacheWriteTokens: 0, outputTokens: 10, reasoningTokens: 4 },
    ...{ microUnits: { USD: 300 }, cost: 0, partial: 0 },
  }
  const twice = {
    ...once,
    calls: 2,
    inputTokens: 200,
    cachedTokens: 60,
    outputTokens: 20,
    reasoningTokens: 8,
    microUnits: { USD: 600 },
  }
  const { nodes, jobs, agents, models } = await ledgerOf(job.events())
  expect(nodes['job']).toMatchObject({ first: once, second: once, pay: { calls: 0, cost: 7 } })
  expect(jobs).toEqual({ job: { ...twice, cost: 7 } })
  expect(agents).toEqual({ writer: { ...twice, cost: 7 } })
  expect(models).toEqual({ 'fake/model-1': twice })
})

describe('a ledger', () => {
  const event = fc.record({
    usage: fc.array(
      fc.record({
        model: fc.constantFrom('a/1', 'b/2'),
        inputTokens: fc.nat(1_000_000),
        outputTokens: fc.nat(1_000_000),
        price: fc.record({
          microUnits: fc.nat(1_000_000),
          currency: fc.constantFrom('USD', 'EUR'),
          table: fc.constant('t'),
        }),
      }),
      { maxLength: 3 },
    ),
    cost: fc.nat(100),
    effect: fc.constantFrom('x', 'x/1', 'x/2#3', 'y'),
  })
  const counted = fc.record({
    job: fc.constantFrom('j1', 'j2'),
    agent: fc.constantFrom('p', 'q'),
    event: event.map((data) => ({ type: 'node.completed', data }) as unknown as NewEvent),
  })

  test('comes to the same from every side, whatever is counted', () => {
    fc.assert(
      fc.property(fc.array(counted, { maxLength: 50 }), (all) => {
        const ledger = createLedger()
        for (const each of all) ledger.trigger.count(each)
        const { nodes, jobs, agents, models } = ledger.getSnapshot().context
        const sides = [
          Object.values(nodes).flatMap((each) => Object.values(each)),
          Object.values(jobs),
          Object.values(agents),
          Object.values(models),
        ]
        const totals = sides.map((accounts) => [
          sum(accounts, (each) => each.inputTokens),
          sum(accounts, (each) => each.microUnits['USD'] ?? 0),
          sum(accounts, (each) => each.calls),
        ])
        for (const total of totals) expect(total).toEqual(totals[0])
      }),
    )
  })
})

function sum(accounts: Account[], of: (account: Account) => number): number {
  return accounts.reduce((total, account) => total + of(account), 0)
}

test('events that used nothing change nothing', async () => {
  const it = agent({ name: 'idle', input: z.any(), output: z.any(), plan: () => null as never })
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, null)
  await runtime.settle()
  expect(await ledgerOf(await eventsOf(job))).toEqual({ nodes: {}, jobs: {}, agents: {}, models: {} })
})
