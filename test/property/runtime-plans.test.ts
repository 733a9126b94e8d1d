import fc from 'fast-check'
import { expect, test } from 'vitest'
import { digest, type Json } from '../../src/base/json.ts'
import { compile } from '../../src/compile/compile.ts'
import type { JobEvent } from '../../src/event/event.ts'
import { parseGraph } from '../../src/graph/validate.ts'
import { replay } from '../../src/replay/replay.ts'
import type { Crash } from '../support/crash-lives.ts'
import { type Expected, expected, graphOf, needsOf, planRunner, type Sample, samples, World } from '../support/plans.ts'
import { type Outcome, runPlan } from '../support/plans-run.ts'
import { check } from '../support/property.ts'

/** Random plans against a model that walks through them, with and without crashes. */

const known = {
  tools: new Set(['do-read', 'do-idempotent', 'do-once']),
  signals: new Set(Array.from({ length: 20 }, (_, i) => `go-n${i}`)),
}

const crash: fc.Arbitrary<Crash> = fc.record({ after: fc.integer({ min: 1, max: 14 }), stored: fc.boolean() })
const crashes = fc.array(crash, { minLength: 1, maxLength: 4 })

/** Snapshots and slots as scarce as they can be. */
const options = fc.record({ snapshotEvery: fc.constantFrom(1, 2, 5, 100), maxEffects: fc.constantFrom(1, 2, 100) })

/** The seq at which a node had settled, by its id. */
function settledAt(events: readonly JobEvent[], sample: readonly Sample[]): Map<string, number> {
  const at = new Map<string, number>()
  const items = new Map<string, number>()
  const timers = new Map<string, string>()
  for (const { type, data, seq } of events) {
    if (type === 'node.skipped') at.set(data.node, seq)
    if (type === 'timer.armed' && data.purpose !== 'retry') timers.set(data.timer, data.effect ?? '')
    if (type === 'timer.fired' && timers.has(data.timer)) at.set(timers.get(data.timer) as string, seq)
    if (type !== 'node.completed') continue
    const [node = '', item] = data.effect.split('/')
    items.set(node, (items.get(node) ?? 0) + 1)
    const size = sample.find(({ id }) => id === node)
    if (item === undefined || (size?.kind === 'map' && items.get(node) === size.items.length)) at.set(node, seq)
  }
  return at
}

/** A node without calls of its own settles in the step that starts it, so it has no event. */
function isSilent(node: Sample, result: Expected | undefined): boolean {
  return node.kind === 'map' && node.items.length === 0 && result?.status === 'completed'
}

function startedAt(events: readonly JobEvent[], id: string): number[] {
  return events.flatMap((event) => {
    if (
      event.type !== 'node.started' &&
      event.type !== 'node.waiting' &&
      !(event.type === 'timer.armed' && event.data.purpose === 'sleep')
    )
      return []
    return event.data.effect?.split('/')[0] === id ? [event.seq] : []
  })
}

function checkOrder({ events }: Outcome, sample: readonly Sample[], results: readonly Expected[]): void {
  const settled = settledAt(events, sample)
  for (const node of sample) {
    for (const start of startedAt(events, node.id)) {
      for (const need of needsOf(node)) {
        if (isSilent(sample[need] as Sample, results[need])) continue
        expect(settled.get(`n${need}`) ?? Number.NaN, `${node.id} after n${need}`).toBeLessThan(start)
      }
    }
  }
}

/** Outside, where the history cannot gloss over anything: nothing begins before what it needs has returned. */
function checkWorld({ world }: Outcome, sample: readonly Sample[]): void {
  for (const [at, { what, effect }] of world.log.entries()) {
    if (what !== 'begin') continue
    const node = sample.find(({ id }) => id === effect.split('/')[0]) as Sample
    for (const need of needsOf(node)) {
      const other = sample[need] as Sample
      if (other.kind !== 'call') continue
      const began = world.log.findIndex((entry) => entry.effect === other.id)
      const ended = world.log.findIndex((entry) => entry.effect === other.id && entry.what === 'end')
      if (began !== -1) expect(ended !== -1 && ended < at, `${effect} began before ${other.id} had ended`).toBe(true)
    }
  }
}

function checkResult({ job }: Outcome, sample: readonly Sample[], results: readonly Expected[]): void {
  const snapshot = job.getSnapshot()
  if (results.some(({ status }) => status === 'failed')) {
    expect(snapshot.status).toBe('error')
    return
  }
  expect(snapshot.status, JSON.stringify(snapshot)).toBe('done')
  const outputs = sample.flatMap(({ id }, index) => {
    const result = results[index]
    return result?.status === 'completed' ? [[id, result.output]] : []
  })
  expect(snapshot.output).toEqual(Object.fromEntries(outputs))
  expect(snapshot.nodes).toEqual(Object.fromEntries(sample.map(({ id }, index) => [id, results[index]?.status])))
}

/** Every call of a plan that completed returned exactly once, outside as in the history. */
function checkOnce({ world, events }: Outcome, sample: readonly Sample[], results: readonly Expected[]): void {
  if (results.some(({ status }) => status === 'failed')) return
  const wanted = sample.flatMap((node, index) => {
    if (results[index]?.status !== 'completed') return []
    return node.kind === 'call'
      ? [node.id]
      : node.kind === 'map'
        ? node.items.map((_, item) => `${node.id}/${item}`)
        : []
  })
  const done = events.flatMap(({ type, data }) => (type === 'node.completed' ? [data.effect] : []))
  const calls = done.filter((effect) => sample.find(({ id }) => id === effect.split('/')[0])?.kind !== 'wait')
  expect(calls.sort()).toEqual(wanted.sort())
  expect(
    world.log
      .filter(({ what }) => what === 'end')
      .map(({ effect }) => effect)
      .sort(),
  ).toEqual(wanted.sort())
}

/** No `once` call ran twice for one event that started it; every attempt of a call had the same key, and no other call had it. */
function checkEffects({ world, events }: Outcome): void {
  const attempts = new Set<string>()
  const keys = new Map<string, string>()
  for (const { what, effect, key, attempt, class: effectClass } of world.log) {
    if (what !== 'begin') continue
    if (effectClass === 'once') expect(attempts.has(`${effect} ${attempt}`), `once ${effect} ran twice`).toBe(false)
    attempts.add(`${effect} ${attempt}`)
    expect(keys.get(effect) ?? key).toBe(key)
    keys.set(effect, key)
  }
  expect(new Set(keys.values()).size).toBe(keys.size)
  const returned = world.log
    .filter(({ what, class: effectClass }) => what === 'end' && effectClass === 'once')
    .map(({ effect }) => effect)
  expect(new Set(returned).size, 'a once call returned twice').toBe(returned.length)
  for (const { what, effect, attempt } of world.log) {
    if (what === 'begin')
      expect(
        events.some(
          ({ type, data }) =>
            (type === 'node.started' && attempt === 1 && data.effect === effect) ||
            (type === 'node.attempted' && data.effect === effect && data.attempt === attempt),
        ),
        `${effect} ran without an event`,
      ).toBe(true)
  }
}

async function checkReplay({ job, events }: Outcome): Promise<void> {
  const past = await replay(planRunner(new World()), events)
  expect(past.divergence).toBeUndefined()
  expect(past.snapshot).toEqual(job.getSnapshot())
}

test('plans settle; each node runs once, after what it needs; the result is that of the model', async () => {
  await check(
    fc.asyncProperty(samples(), options, async (sample, given) => {
      const results = expected(sample)
      const run = await runPlan(sample, [], given)
      expect(run.world.underWayMax).toBeLessThanOrEqual(given.maxEffects)
      checkResult(run, sample, results)
      checkOrder(run, sample, results)
      checkWorld(run, sample)
      checkOnce(run, sample, results)
      checkEffects(run)
      await checkReplay(run)
      expect(run.runtime.problems).toEqual([])
    }),
    300,
  )
})

test('however often a process dies, calls that may be repeated come to the same result', async () => {
  let died = 0
  await check(
    fc.asyncProperty(samples({ classes: ['read', 'idempotent'] }), crashes, options, async (sample, planned, given) => {
      const results = expected(sample)
      const run = await runPlan(sample, planned, given)
      died += run.crashes
      checkResult(run, sample, results)
      checkOrder(run, sample, results)
      checkWorld(run, sample)
      checkEffects(run)
      await checkReplay(run)
      expect(run.runtime.problems).toEqual([])
    }),
    300,
  )
  expect(died).toBeGreaterThan(100)
})

test('a once call is never repeated, and a job whose call has no outcome waits and says so', async () => {
  let unknown = 0
  await check(
    fc.asyncProperty(
      samples({ classes: ['once', 'once', 'read'], failing: false }),
      crashes,
      options,
      async (sample, planned, given) => {
        const results = expected(sample)
        const run = await runPlan(sample, planned, given)
        checkOrder(run, sample, results)
        checkWorld(run, sample)
        checkEffects(run)
        await checkReplay(run)
        const lost = run.events.flatMap(({ type, data }) => (type === 'node.outcome_unknown' ? [data.effect] : []))
        unknown += lost.length
        const snapshot = run.job.getSnapshot()
        if (lost.length === 0) return checkResult(run, sample, results)
        expect(snapshot.status).toBe('active')
        expect(
          snapshot.pending
            .filter(({ status }) => status === 'unknown')
            .map(({ effect }) => effect)
            .sort(),
        ).toEqual(lost.sort())
        expect(snapshot.pending.map(({ status }) => status).filter((status) => status !== 'unknown')).toEqual([])
      },
    ),
    300,
  )
  expect(unknown).toBeGreaterThan(20)
})

test('compiling a plan gives the same bytes, also after the plan was written as text and read again', async () => {
  await check(
    fc.property(samples({ nodesMax: 14 }), (sample) => {
      const graph = parseGraph(graphOf(sample), known)
      const again = parseGraph(JSON.parse(JSON.stringify(graphOf(sample))), known)
      expect(JSON.stringify(compile(again))).toBe(JSON.stringify(compile(graph)))
      expect(digest(again as unknown as Json)).toBe(digest(graph as unknown as Json))
    }),
    300,
  )
})

test('what is checked here can be told apart: the samples hold every kind of node and of ending', () => {
  const found = new Set<string>()
  for (const sample of fc.sample(samples(), { numRuns: 300, seed: 1 })) {
    for (const [index, result] of expected(sample).entries())
      found.add(`${(sample[index] as Sample).kind} ${result.status}`)
  }
  expect([...found].sort()).toEqual([
    'call blocked',
    'call completed',
    'call failed',
    'call skipped',
    'map blocked',
    'map completed',
    'map failed',
    'map skipped',
    'sleep blocked',
    'sleep completed',
    'sleep skipped',
    'wait blocked',
    'wait completed',
    'wait skipped',
    'wait timedOut',
  ])
})
