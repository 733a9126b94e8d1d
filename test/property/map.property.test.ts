import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { EffectClass, JobEvent } from '../../src/event/event.ts'
import { agent, RetryableError, TerminalError, tool } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import type { JobHandle } from '../../src/runtime/job-handle.ts'
import { type Crash, Lives } from '../support/crash-lives.ts'
import { historyOf } from '../support/plans-run.ts'
import { check } from '../support/property.ts'
import { turns } from '../support/scripted.ts'

/** A map over any list, with any failures, at any width: each item ends in its place, and is called as often as it should be. */

/** What becomes of one item: how often it fails before it ends, how it ends, and how long an attempt takes. */
interface Item {
  value: number
  failures: number
  end: 'ok' | 'terminal' | 'always'
  turns: number
}

interface Given {
  items: Item[]
  concurrency: number
  collect: boolean
  effect: EffectClass
  goesOn: boolean
}

const item: fc.Arbitrary<Item> = fc.record({
  value: fc.nat({ max: 5 }),
  failures: fc.constantFrom(0, 0, 0, 1, 2),
  end: fc.constantFrom(...Array<'ok'>(10).fill('ok'), 'terminal' as const, 'always' as const),
  turns: fc.nat({ max: 4 }),
})
const given: fc.Arbitrary<Given> = fc.record({
  items: fc.array(item, { maxLength: 12 }),
  concurrency: fc.integer({ min: 1, max: 5 }),
  collect: fc.boolean(),
  effect: fc.constantFrom('read' as const, 'idempotent' as const),
  goesOn: fc.boolean(),
})
const crash: fc.Arbitrary<Crash> = fc.record({ after: fc.integer({ min: 1, max: 12 }), stored: fc.boolean() })

const attemptsMax = 3

/** The work of one process, as the items see it. */
class World {
  /** Attempts begun, by item; never less than those that the history knows. */
  readonly begun = new Map<number, number>()
  /** Items that gave a value, as often as they did. */
  readonly returned: number[] = []
  underWay = 0
  underWayMax = 0
  private readonly failed = new Map<number, number>()

  async attempt(index: number, { value, failures, end, turns: count }: Item): Promise<number> {
    this.begun.set(index, (this.begun.get(index) ?? 0) + 1)
    this.underWay += 1
    this.underWayMax = Math.max(this.underWayMax, this.underWay)
    try {
      await turns(count)
      const failed = this.failed.get(index) ?? 0
      if (end === 'terminal') throw new TerminalError(`no ${index}`)
      if (end === 'always' || failed < failures) {
        this.failed.set(index, failed + 1)
        throw new RetryableError(`not yet ${index}`)
      }
      this.returned.push(index)
      return value * 10 + (index % 10)
    } finally {
      this.underWay -= 1
    }
  }
}

function mapper({ items, concurrency, collect, effect, goesOn }: Given, world: World) {
  const work = tool({
    name: 'work',
    input: z.object({ item: z.any(), index: z.int() }),
    output: z.number(),
    effect,
    retry: { maxAttempts: attemptsMax, initialDelayMs: 100 },
    run: ({ item: each, index }) => world.attempt(index, each as Item),
  })
  return agent({
    name: 'mapper',
    input: z.any(),
    output: z.any(),
    tools: [work],
    plan: (graph) => ({
      all: graph.map('all', work, items, (each, index) => ({ item: each, index }), {
        concurrency,
        onItemFailure: collect ? 'collect' : 'fail',
        onFailure: goesOn ? 'continue' : 'compensate',
      }),
    }),
  })
}

/** What an item gives, or fails with. */
function outcomeOf({ value, end }: Item, index: number): { output: number } | { error: object } {
  if (end === 'terminal') return { error: { name: 'TerminalError', message: `no ${index}` } }
  if (end === 'always') return { error: { name: 'RetryableError', message: `not yet ${index}` } }
  return { output: value * 10 + (index % 10) }
}

function checkEnd(job: JobHandle, { items, collect, goesOn }: Given): void {
  const outcomes = items.map(outcomeOf)
  const errors = outcomes.flatMap((each) => ('error' in each ? [each.error] : []))
  const { output, value, error, nodes } = job.getSnapshot()
  if (collect) {
    const all = outcomes.map((each) => ({ status: 'error' in each ? 'failed' : 'completed', ...each }))
    return expect(output).toEqual({ all })
  }
  if (errors.length === 0)
    return expect(output).toEqual({ all: outcomes.map((each) => 'output' in each && each.output) })
  if (goesOn) {
    expect(output).toEqual({})
    return expect(nodes).toEqual({ all: 'failed' })
  }
  expect(value).toBe('failed')
  expect(errors).toContainEqual(error)
}

/** Items settle once each, in the history; where one has failed the map, no other is begun. */
function checkItems(events: readonly JobEvent[], { items, collect }: Given): void {
  const settled = events.flatMap(({ type, data }) =>
    type === 'node.completed' || type === 'node.failed' || type === 'node.cancelled' ? [data.effect] : [],
  )
  expect(new Set(settled).size).toBe(settled.length)
  const failed = collect ? -1 : events.findIndex(({ type }) => type === 'node.failed')
  if (failed < 0) return expect(settled.toSorted()).toEqual(items.map((_, index) => `all/${index}`).sort())
  const later = events.slice(failed).filter(({ type }) => type === 'node.started' || type === 'node.attempted')
  expect(later).toEqual([])
}

/** Never more items are begun and not settled than may be, by the history. */
function checkWidth(events: readonly JobEvent[], { concurrency }: Given): void {
  const open = new Set<string>()
  for (const { type, data } of events) {
    if (type === 'node.started') open.add(data.effect)
    if (type === 'node.completed' || type === 'node.failed' || type === 'node.cancelled') open.delete(data.effect)
    expect(open.size).toBeLessThanOrEqual(concurrency)
  }
}

async function run(map: Given, world: World, crashes: readonly Crash[], options: object): Promise<Lives> {
  const it = mapper(map, world)
  const lives = await Lives.open({ agents: [it], ...options }, crashes)
  await lives.doing((runtime) => runtime.spawn(it, null, { id: 'job' }))
  await lives.advance(60_000)
  const job = await lives.runtime.job('job')
  const events = await historyOf(job)
  checkEnd(job, map)
  checkItems(events, map)
  checkWidth(events, map)
  expect(lives.runtime.problems).toEqual([])
  expect((await replay(it, events)).divergence).toBeUndefined()
  return lives
}

const options = fc.record({ snapshotEvery: fc.constantFrom(1, 5, 100), maxEffects: fc.constantFrom(1, 3, 100) })

test('settles with what each item gave, in order, and calls each as often as it fails and once more', async () => {
  await check(
    fc.asyncProperty(given, options, async (map, rest) => {
      const world = new World()
      await run(map, world, [], rest)
      expect(world.underWayMax).toBeLessThanOrEqual(Math.min(map.concurrency, rest.maxEffects))
      expect(new Set(world.returned).size).toBe(world.returned.length)
      for (const [index, begun] of world.begun) {
        const { end, failures } = map.items[index] as Item
        const wanted = end === 'terminal' ? 1 : end === 'always' ? attemptsMax : failures + 1
        // One of a map that has failed is not tried again.
        if (map.collect || map.items.every(({ end: other }) => other === 'ok')) expect(begun).toBe(wanted)
        else expect(begun).toBeLessThanOrEqual(wanted)
      }
    }),
    150,
  )
})

test('settles with the same through crashes', async () => {
  let died = 0
  const crashes = fc.array(crash, { minLength: 1, maxLength: 4 })
  await check(
    fc.asyncProperty(given, crashes, options, async (map, planned, rest) => {
      died += (await run(map, new World(), planned, rest)).crashes
    }),
    150,
  )
  expect(died).toBeGreaterThan(50)
})
