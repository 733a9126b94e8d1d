import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AnyAgent } from '../../src/agent/agent.ts'
import { digest, type Json } from '../../src/base/json.ts'
import { compile } from '../../src/compile/compile.ts'
import type { JobEvent } from '../../src/event/event.ts'
import { parseGraph } from '../../src/graph/validate.ts'
import { replay } from '../../src/replay/replay.ts'
import type { Crash } from '../support/crash-lives.ts'
import { type Sample, samples } from '../support/plans.ts'
import { graphOf, known } from '../support/plans-graph.ts'
import { type Expected, expected, failingNodes, iterationsOf, needsOf } from '../support/plans-model.ts'
import { type Outcome, runPlan } from '../support/plans-run.ts'
import { planRunner, World } from '../support/plans-world.ts'
import { check } from '../support/property.ts'

/** Random plans against a model that walks through them, with and without crashes. */

const crash: fc.Arbitrary<Crash> = fc.record({ after: fc.integer({ min: 1, max: 14 }), stored: fc.boolean() })
const crashes = fc.array(crash, { minLength: 1, maxLength: 4 })

/** Snapshots and slots as scarce as they can be. */
const options = fc.record({ snapshotEvery: fc.constantFrom(1, 2, 5, 100), maxEffects: fc.constantFrom(1, 2, 100) })

/** The seq of the last event that is about the end of a node, or of one of its parts. */
function settledAt(events: readonly JobEvent[]): Map<string, number> {
  const at = new Map<string, number>()
  const timers = new Map<string, string>()
  const settle = (effect: string | undefined, seq: number) => at.set(rootOf(effect ?? ''), seq)
  for (const { type, data, seq } of events) {
    if (type === 'node.skipped' || type === 'node.chosen') settle(data.node, seq)
    if (type === 'node.completed' || type === 'node.failed' || type === 'node.cancelled') settle(data.effect, seq)
    if (type === 'timer.armed' && (data.purpose === 'sleep' || data.purpose === 'timeout'))
      timers.set(data.timer, data.effect ?? '')
    if (type === 'timer.fired' && timers.has(data.timer)) settle(timers.get(data.timer), seq)
  }
  return at
}

/** The node that an effect is a part of. */
function rootOf(effect: string): string {
  return effect.split('/')[0] as string
}

/** A node without calls of its own settles in the step that starts it, so it has no event. */
function isSilent(node: Sample, result: Expected | undefined): boolean {
  return node.kind === 'map' && node.items.length === 0 && result?.status === 'completed'
}

const beginnings: ReadonlySet<string> = new Set(['approval.requested', 'node.started', 'node.waiting', 'node.chosen'])

function startedAt(events: readonly JobEvent[], id: string): number[] {
  return events.flatMap(({ type, data, seq }) => {
    const isSleep = type === 'timer.armed' && data.purpose === 'sleep'
    if (!isSleep && !beginnings.has(type)) return []
    const about = 'effect' in data ? data.effect : 'node' in data ? data.node : undefined
    return rootOf(about ?? '') === id ? [seq] : []
  })
}

function checkOrder({ events }: Outcome, sample: readonly Sample[], results: readonly Expected[]): void {
  const settled = settledAt(events)
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
function checkWorld({ world }: Outcome, sample: readonly Sample[], results: readonly Expected[]): void {
  const log = world.log.filter(({ job }) => job === 'job')
  for (const [at, { what, effect }] of log.entries()) {
    const node = sample.find(({ id }) => id === rootOf(effect))
    if (what !== 'begin' || node === undefined) continue
    for (const need of needsOf(node)) {
      const other = sample[need] as Sample
      if (other.kind !== 'call' || results[need]?.status !== 'completed') continue
      const ended = log.findIndex((entry) => entry.effect === other.id && entry.what === 'end')
      expect(ended !== -1 && ended < at, `${effect} began before ${other.id} had ended`).toBe(true)
    }
  }
}

function checkResult({ job }: Outcome, sample: readonly Sample[], results: readonly Expected[]): void {
  const snapshot = job.getSnapshot()
  if (failingNodes(sample, results).length > 0) {
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

/** The calls that a node makes which completes, by effect. */
function callsOf(node: Sample, results: readonly Expected[]): string[] {
  if (node.kind === 'call' || node.kind === 'spawn') return [node.id]
  if (node.kind === 'map') return node.script.end === 'ok' ? node.items.map((_, item) => `${node.id}/${item}`) : []
  if (node.kind !== 'loop') return []
  return Array.from({ length: iterationsOf(node, results) }, (_, iteration) => `${node.id}/${iteration}/step`)
}

/** Every call of a plan that completed returned exactly once, outside as in the history. */
function checkOnce({ world, events }: Outcome, sample: readonly Sample[], results: readonly Expected[]): void {
  if (failingNodes(sample, results).length > 0) return
  const completed = sample.filter((_, index) => results[index]?.status === 'completed')
  const ids = new Set(completed.map(({ id }) => id))
  const wanted = completed.flatMap((node) => callsOf(node, results)).sort()
  const waits = new Set(sample.filter(({ kind }) => kind === 'wait').map(({ id }) => id))
  const done = events.flatMap(({ type, data }) => (type === 'node.completed' ? [data.effect] : []))
  expect(done.filter((effect) => !waits.has(effect) && ids.has(rootOf(effect))).sort()).toEqual(wanted)
  // Of a job that was started, its own call is what happens outside.
  const spawned = new Map(completed.flatMap(({ id, kind }) => (kind === 'spawn' ? [[`job/${id}`, id]] : [])))
  const ended = world.log
    .filter(({ what }) => what === 'end')
    .map(({ job, effect }) => (job === 'job' ? effect : (spawned.get(job) ?? '')))
  const isDetached = (id: string) => sample.some((node) => node.id === id && node.kind === 'spawn' && node.detach)
  // Nobody waits for the end of a job that was let go of.
  const waited = (list: string[]) => list.filter((effect) => ids.has(rootOf(effect)) && !isDetached(effect)).sort()
  expect(waited(ended)).toEqual(waited(wanted))
}

/** No `once` call ran twice for one event that started it; every attempt of a call had the same key, and no other call had it. */
function checkEffects({ world, events }: Outcome): void {
  const log = world.log.filter(({ job }) => job === 'job')
  const attempts = new Set<string>()
  const keys = new Map<string, string>()
  for (const { what, effect, key, attempt, class: effectClass } of log) {
    if (what !== 'begin') continue
    if (effectClass === 'once') expect(attempts.has(`${effect} ${attempt}`), `once ${effect} ran twice`).toBe(false)
    attempts.add(`${effect} ${attempt}`)
    expect(keys.get(effect) ?? key).toBe(key)
    keys.set(effect, key)
  }
  expect(new Set(keys.values()).size).toBe(keys.size)
  const returned = log
    .filter(({ what, class: effectClass }) => what === 'end' && effectClass === 'once')
    .map(({ effect }) => effect)
  expect(new Set(returned).size, 'a once call returned twice').toBe(returned.length)
  for (const { what, effect, attempt } of log) {
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

/** The histories of all jobs, also of those that were started by the first one, replay to where they are. */
async function checkReplay({ runtime, job, events }: Outcome): Promise<void> {
  const runner = planRunner(new World())
  const agents = new Map([runner, ...runner.agents.values()].map((agent) => [agent.name, agent]))
  for await (const { id, agent } of runtime.store.list()) {
    const each = id === 'job' ? job : await runtime.job(id)
    const past = await replay(agents.get(agent) as AnyAgent, id === 'job' ? events : each.events())
    expect(past.divergence).toBeUndefined()
    expect(past.snapshot).toEqual(each.getSnapshot())
  }
}

test('plans settle; each node runs once, after what it needs; the result is that of the model', async () => {
  await check(
    fc.asyncProperty(samples(), options, async (sample, given) => {
      const results = expected(sample)
      const run = await runPlan(sample, [], given)
      expect(run.world.underWayMax).toBeLessThanOrEqual(given.maxEffects)
      checkResult(run, sample, results)
      checkOrder(run, sample, results)
      checkWorld(run, sample, results)
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
      checkWorld(run, sample, results)
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
        checkWorld(run, sample, results)
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
    'choose blocked',
    'choose completed',
    'choose skipped',
    'loop blocked',
    'loop completed',
    'loop failed',
    'loop skipped',
    'map blocked',
    'map completed',
    'map failed',
    'map skipped',
    'sleep blocked',
    'sleep completed',
    'sleep skipped',
    'spawn blocked',
    'spawn completed',
    'spawn failed',
    'spawn skipped',
    'wait blocked',
    'wait completed',
    'wait skipped',
    'wait timedOut',
  ])
})
