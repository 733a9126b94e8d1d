import { join } from 'node:path'
import { agent, signal, tool, undo } from 'aetheris'
import {
  crashEverywhere,
  expectGolden,
  type FindingsError,
  failEverywhere,
  faulty,
  faultyStore,
  memoryStore,
  SimulatedClock,
  testRuntime,
} from 'aetheris/testing'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { block, page } from '../support/docs.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

/** What docs/testing.md shows is this code, and what it says comes out of it does. */

afterAll(removeDirectories)

// #region agent
/** The world outside, as far as the tests need one. */
const world = { reserved: new Map<string, string>(), charged: [] as number[] }

const reserve = tool({
  name: 'reserve',
  input: z.object({ item: z.string() }),
  output: z.object({ reservation: z.string() }),
  effect: 'idempotent', // the shop knows a key that it has seen
  timeoutMs: 10_000,
  run({ item }, { idempotencyKey }) {
    world.reserved.set(idempotencyKey, item)
    return { reservation: idempotencyKey }
  },
})

const release = tool({
  name: 'release',
  input: z.object({ item: z.string() }),
  output: z.null(),
  effect: 'idempotent',
  run({ item }) {
    for (const [key, each] of world.reserved) if (each === item) world.reserved.delete(key)
    return null
  },
})

const charge = tool({
  name: 'charge', // `once` is the default
  input: z.object({ cents: z.int() }),
  output: z.object({ receipt: z.string() }),
  timeoutMs: 10_000,
  run({ cents }) {
    world.charged.push(cents)
    return { receipt: `receipt ${world.charged.length}` }
  },
})

const agreed = signal('agreed', z.object({ by: z.string() }))

const order = agent({
  name: 'order',
  input: z.object({ item: z.string(), cents: z.int() }),
  output: z.object({ receipt: z.string() }),
  tools: [reserve, release, charge],
  signals: [agreed],
  plan(graph, { item, cents }) {
    const held = graph.call('reserve', reserve, { item }, { compensate: () => undo(release, { item }) })
    const answer = graph.wait('agree', agreed, { after: [held] })
    return graph.call('charge', charge, { cents }, { after: [answer] })
  },
})
// #endregion

function reset(): void {
  world.reserved.clear()
  world.charged = []
}
beforeEach(reset)

// #region runtime
test('an order waits for somebody to agree, through a crash and a night', async () => {
  const before = await testRuntime({ agents: [order] })
  await before.spawn(order, { item: 'tea', cents: 500 }, { id: 'order-1' })
  await before.settle() // until nothing moves any more
  await before.crash() // as kill -9 would

  await using after = await before.reopen({ afterMs: 8 * 3_600_000 })
  const job = await after.job('order-1')
  expect(job.getSnapshot().matches('agree.waiting')).toBe(true)
  await job.signal(agreed, { by: 'ana' })
  expect(await job.result()).toEqual({ receipt: 'receipt 1' })
})
// #endregion

test('a test goes on from where another one was', async () => {
  // #region snapshot
  const first = await testRuntime({ agents: [order] })
  await first.spawn(order, { item: 'tea', cents: 500 }, { id: 'order-1' })
  await first.advance(3_600_000)
  const snapshot = await first.snapshot() // JSON

  const second = await testRuntime({ agents: [order], snapshot })
  await (await second.job('order-1')).signal(agreed, { by: 'ana' })
  // #endregion
  expect(await (await second.job('order-1')).result()).toEqual({ receipt: 'receipt 1' })
  expect((await first.job('order-1')).getSnapshot().matches('agree.waiting')).toBe(true)
})

// #region crash
test('an order comes to the same, wherever its process dies', async () => {
  const { points } = await crashEverywhere(order, async (stage) => {
    world.reserved.clear() // it is called anew for each run
    world.charged = []
    const job = await stage.spawn(order, { item: 'tea', cents: 500 })
    await stage.settle()
    await job.signal(agreed, { by: 'ana' })
    expect(await job.result()).toEqual({ receipt: 'receipt 1' })
    return world // compared with the run without a crash
  })
  expect(points).toBe(24)
})
// #endregion

describe('mistakes that are found', () => {
  const found = async (...args: Parameters<typeof crashEverywhere>): Promise<string> => {
    const error = await crashEverywhere(...args).catch((thrown: FindingsError) => thrown)
    return (error as FindingsError).message
  }

  test('a read tool that does more than read', async () => {
    // #region number
    let last = 0
    const number = tool({
      name: 'number',
      input: z.null(),
      output: z.int(),
      effect: 'read', // wrong: asked again after a crash, it uses up another number
      run: () => {
        last += 1
        return last
      },
    })
    const invoice = agent({
      name: 'invoice',
      input: z.null(),
      output: z.int(),
      tools: [number],
      plan: (graph) => graph.call('number', number, null),
    })
    const scenario: Parameters<typeof crashEverywhere>[1] = async (stage) => {
      last = 0
      await (await stage.spawn(invoice, null)).result()
    }
    // #endregion
    expect(`${await found(invoice, scenario)}\n`).toBe(block('docs/testing.md', 'output of: number'))
  })

  test('a plan that looks at the clock', async () => {
    // #region clock
    const daily = agent({
      name: 'daily',
      input: z.null(),
      output: z.any(),
      tools: [charge],
      plan: (graph) => graph.call('charge', charge, { cents: new Date().getDate() }), // wrong
    })
    // #endregion
    const message = await found(daily, async (stage) => {
      reset()
      await stage.spawn(daily, null)
    })
    expect(message.split('\n').slice(0, 3).join('\n')).toBe(block('docs/testing.md', 'output of: clock').trimEnd())
  })
})

// #region fail
test('what an order comes to, whatever goes wrong', async () => {
  const { text } = await failEverywhere(order, async (stage) => {
    const job = await stage.spawn(order, { item: 'tea', cents: 500 })
    await stage.settle()
    await job.signal(agreed, { by: 'ana' })
  })
  expect(text).toMatchInlineSnapshot(`
    "call     goes wrong         the job                                                                                                              undone
    reserve  fails once         completed
    reserve  fails for good     failed: It fails for good, for a test.
    reserve  times out          failed: reserve took longer than 10000 ms.                                                                           reserve
    reserve  hangs past cancel  cancelled                                                                                                            reserve
    reserve  invalid output     failed: What tool "reserve" returned does not match its schema: ✖ Invalid input: expected object, received function  reserve
    reserve  outcome lost       completed
    charge   fails once         failed: The first attempt fails, for a test.                                                                         reserve
    charge   fails for good     failed: It fails for good, for a test.                                                                               reserve
    charge   times out          waits: Nobody knows how attempt 1 of charge ended, and it must not be made twice.
    charge   hangs past cancel  cancelled                                                                                                            reserve
    charge   invalid output     failed: What tool "charge" returned does not match its schema: ✖ Invalid input: expected object, received function   reserve
    charge   outcome lost       waits: Nobody knows how attempt 1 of charge ended, and it must not be made twice."
  `)
})
// #endregion

// #region chance
test.each([1, 2, 3])('orders in a bad world, seed %i', async (seed) => {
  const clock = new SimulatedClock()
  const [bad] = faulty([order], { clock, seed, rates: { fails: 0.2, slow: 0.2 } })
  const store = faultyStore(memoryStore(), { clock, seed, rates: { refused: 0.05, stored: 0.1 } })
  await using runtime = await testRuntime({ agents: [bad], store, clock, seed })
  const spawned = runtime.spawn(bad, { item: 'tea', cents: 500 })
  await runtime.advance(60_000) // also for a write that is tried again
  const job = await spawned
  const sent = job.signal(agreed, { by: 'ana' })
  await runtime.advance(3_600_000)
  await sent
  expect(job.getSnapshot().status).not.toBe('active')
  expect(world.charged.length).toBeLessThanOrEqual(1)
})
// #endregion

test('a golden history', async () => {
  const folder = await newDirectory()
  const update = true
  for (const isFirst of [true, false]) {
    // #region golden
    await using runtime = await testRuntime({ agents: [order] })
    const job = await runtime.spawn(order, { item: 'tea', cents: 500 }, { id: 'order' })
    await runtime.settle()
    await expectGolden(join(folder, 'order.jsonl'), job, { update: isFirst && update })
    // #endregion
  }
})

test('the page names every function of the package that it is about', async () => {
  const functions = Object.keys(await import('aetheris/testing')).filter((name) => /^[a-z]/.test(name))
  for (const name of functions) expect(page('docs/testing.md')).toContain(`\`${name}`)
})
