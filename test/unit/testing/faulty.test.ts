import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { agent, tool } from '../../../src/index.ts'
import { replay } from '../../../src/replay/replay.ts'
import {
  type CallFault,
  faulty,
  faultyStore,
  memoryStore,
  SimulatedClock,
  testRuntime,
  type WriteFault,
} from '../../../src/testing/testing.ts'
import { historyOf } from '../../support/plans-run.ts'

const any = { input: z.any(), output: z.any() }
let paid = 0
const look = tool({
  ...any,
  name: 'look',
  effect: 'read',
  timeoutMs: 60_000,
  run: () => 1,
  retry: { maxAttempts: 100 },
})
const pay = tool({ ...any, name: 'pay', run: () => (paid += 1) })
const shop = agent({
  ...any,
  name: 'shop',
  tools: [look, pay],
  plan: (graph) =>
    graph.call(
      'pay',
      pay,
      graph.map('looks', look, [1, 2, 3, 4], (each) => each),
    ),
})

const ids = Array.from({ length: 10 }, (_, index) => `job-${index}`)
const dayMs = 86_400_000

async function run(options: {
  seed: number
  calls?: Partial<Record<CallFault, number>>
  writes?: Partial<Record<WriteFault, number>>
}) {
  const { seed, calls = {}, writes = {} } = options
  paid = 0
  const clock = new SimulatedClock()
  const faults: string[] = []
  const onFault = (fault: string) => faults.push(fault)
  const [bad] = faulty([shop], { clock, seed, rates: calls, onFault })
  const store = faultyStore(memoryStore(), { clock, seed, rates: writes, onFault })
  await using runtime = await testRuntime({ agents: [bad], store, clock, seed })
  const spawned = Promise.allSettled(ids.map((id) => runtime.spawn(bad, null, { id })))
  await runtime.advance(dayMs)
  const jobs = (await spawned).flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  const ends: string[] = []
  const histories: string[] = []
  for (const job of jobs) {
    const { phase, pending } = job.getSnapshot()
    ends.push(pending.some(({ status }) => status === 'unknown') ? 'unknown' : phase)
    const events = await historyOf(job)
    expect((await replay(shop, events)).divergence).toBeUndefined()
    histories.push(JSON.stringify(events))
  }
  return { ends, faults, histories, paid, spawned: jobs.length }
}

const countOf = (all: readonly string[], one: string) => all.filter((each) => each === one).length

describe('calls that go wrong', () => {
  test('in every way: what is once is done at most once, and every job ends or says what is unknown', async () => {
    const rates = { fails: 0.1, failsForGood: 0.02, hangs: 0.05, slow: 0.1, losesAnswer: 0.1 }
    const kinds = new Set<string>()
    for (let seed = 1; seed <= 5; seed += 1) {
      const { ends, faults, paid } = await run({ seed, calls: rates })
      for (const fault of faults) kinds.add(fault)
      // A `once` call has no time limit here, so one that hangs is still under way.
      expect(ends.every((end) => ['completed', 'failed', 'unknown', 'running'].includes(end))).toBe(true)
      expect(paid).toBeLessThanOrEqual(ids.length)
      expect(paid).toBeGreaterThanOrEqual(countOf(ends, 'completed'))
    }
    expect([...kinds].sort()).toEqual(Object.keys(rates).sort())
  })

  test('each as it says', async () => {
    const all = async (calls: Partial<Record<CallFault, number>>) => new Set((await run({ seed: 1, calls })).ends)
    expect(await all({})).toEqual(new Set(['completed']))
    expect(await all({ slow: 1 })).toEqual(new Set(['completed']))
    expect(await all({ failsForGood: 1 })).toEqual(new Set(['failed']))
  })
})

describe('writes that go wrong', () => {
  test('in every way: nothing is lost that was acknowledged, and nothing done twice', async () => {
    const rates = { refused: 0.1, stored: 0.1, lost: 0.1, slow: 0.1 }
    const kinds = new Set<string>()
    for (let seed = 1; seed <= 5; seed += 1) {
      const { ends, faults, paid, spawned } = await run({ seed, writes: rates })
      for (const fault of faults) kinds.add(fault)
      expect(ends).toEqual(Array(spawned).fill('completed'))
      expect(paid).toBe(spawned)
    }
    expect([...kinds].sort()).toEqual(Object.keys(rates).sort())
  })

  test('refused: nobody is told that there is a job', async () => {
    expect(await run({ seed: 1, writes: { refused: 1 } })).toMatchObject({ spawned: 0, paid: 0 })
  })
})

test('a seed gives the same run', async () => {
  const options = { seed: 3, calls: { fails: 0.2, slow: 0.2 }, writes: { stored: 0.2, slow: 0.1 } }
  const [one, two] = [await run(options), await run(options)]
  expect(two).toEqual(one)
  expect((await run({ ...options, seed: 4 })).faults).not.toEqual(one.faults)
})

test.each([
  ['a sum above 1', { fails: 0.6, hangs: 0.6 }],
  ['below 0', { fails: -1 }],
  ['no number', { fails: Number.NaN }],
  ['an unknown kind', { explodes: 0.1 }],
])('rates are checked: %s', (_, rates) => {
  const options = { clock: new SimulatedClock(), rates: rates as never }
  expect(() => faulty([shop], options)).toThrow('Expected rates from 0 to 1, together at most 1, of fails')
  expect(() => faultyStore(memoryStore(), options)).toThrow('of refused, stored, lost, slow')
})

test('agents whose jobs are started have to be given too', () => {
  const parent = agent({ ...any, name: 'parent', agents: [shop], plan: (graph) => graph.spawn('shop', shop, null) })
  const options = { clock: new SimulatedClock(), rates: {} }
  expect(() => faulty([parent], options)).toThrow('Plans start jobs of shop')
  const [one, two] = faulty([parent, shop], options)
  expect(one.agents.get('shop')).toBe(two)
})
