import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Case } from './case.ts'
import { defects } from './defects.ts'
import { run } from './run.ts'
import { caseOf, faultsOf, search, told } from './search.ts'

/**
 * The whole runtime in a world where everything goes wrong, from a seed: jobs of every kind, processes that die, stop or
 * live on as zombies, writes that fail or lie, clocks that jump, tools that hang, people who do everything twice. What
 * must hold is checked after every step by a model that knows none of the code. `npm run sim` goes on for as long as you like.
 */

describe('a world where everything goes wrong', () => {
  const runsEach = 250
  const kinds = new Set<string>()

  test.each([0, 1, 2, 3])('runs %# hold what is promised', async (part) => {
    const isOver = ({ runs }: { runs: number }) => runs >= runsEach
    const report = await search({ firstSeed: part * runsEach, isOver, shrinkMs: 20_000 })
    expect(report.found && told(report.found)).toBeUndefined()
    expect(faultsOf(report)).toBeGreaterThan(5 * runsEach)
    for (const kind of report.injected.keys()) kinds.add(kind)
  })

  test('has gone wrong in every way there is', () => {
    const dies = ['kill', 'power cut', 'zombie', 'stop', 'clock jump']
    const writes = ['refused', 'stored', 'lost', 'dies before', 'dies after', 'slow'].map((how) => `write ${how}`)
    const tools = ['fails', 'fails for good', 'throws no error', 'hangs', 'is late', 'loses its answer']
    const acts = 'spawn signal approve deny resolve pause resume cancel terminate retry'.split(' ')
    const again = acts.map((act) => `${act} sent again`)
    const wanted = [...dies, ...writes, ...tools.map((how) => `tool ${how}`), ...again, 'planner talks']
    expect([...kinds].sort()).toEqual(wanted.sort())
  })
})

test.each([1, 2, 3, 4, 5])('the same case goes the same way each time', async (seed) => {
  const given = await caseOf(seed)
  const [one, other] = [await run(given), await run(given)]
  expect(one.digest).toBe(other.digest)
  expect(one.timeline).toEqual(other.timeline)
})

test.each(defects)('that $name can be planted', ({ file, find }) => {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
  expect(text.split(find)).toHaveLength(2)
})

const kept = new URL('kept/', import.meta.url)

test.each(readdirSync(kept))('%s, which failed once, holds', async (name) => {
  const given = JSON.parse(readFileSync(new URL(name, kept), 'utf8')) as Case
  const { failure, timeline } = await run(given)
  expect(failure && `${failure}\n${timeline.join('\n')}`).toBeUndefined()
})
