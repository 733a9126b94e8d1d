import fc from 'fast-check'
import { expect, test } from 'vitest'
import { replay } from '../../src/replay/replay.ts'
import { checkCut } from '../support/cuts.ts'
import { caseOf, chartSamples } from '../support/machine-charts.ts'
import { comparable, runDurable, runPlain } from '../support/machine-runs.ts'
import { check } from '../support/property.ts'

/** Random hand-written machines: as jobs they do what they do under plain XState, however often their process dies. */

const crash = fc.record({ after: fc.integer({ min: 1, max: 8 }), stored: fc.boolean() })
const options = fc.record({ snapshotEvery: fc.constantFrom(1, 2, 5, 100), maxEffects: fc.constantFrom(1, 2, 100) })

test('a random statechart runs as a job as it does under plain XState, and replays', async () => {
  const endings = new Set<string>()
  await check(
    fc.asyncProperty(chartSamples, async (sample) => {
      const given = caseOf(sample)
      const plain = await runPlain(given)
      const { agent, ending, events } = await runDurable(given)
      expect(comparable(ending)).toEqual(comparable(plain))
      expect((await replay(agent, events)).divergence).toBeUndefined()
      endings.add(plain.status)
    }),
    120,
  )
  expect([...endings].sort()).toEqual(['active', 'done', 'error'])
})

test('a fold of a random statechart can be cut at any event', async () => {
  await check(
    fc.asyncProperty(
      chartSamples,
      fc.array(fc.nat({ max: 99 }), { minLength: 3, maxLength: 3 }),
      async (sample, cuts) => {
        const { agent, events } = await runDurable(caseOf(sample))
        for (const cut of cuts) checkCut(agent, events, 1 + (cut % events.length))
      },
    ),
    60,
  )
})

test('a random statechart comes to the same end however often its process dies', async () => {
  let died = 0
  await check(
    fc.asyncProperty(
      chartSamples,
      fc.array(crash, { minLength: 1, maxLength: 4 }),
      options,
      async (sample, crashes, given) => {
        const uninterrupted = await runDurable(caseOf(sample))
        const { agent, ending, events, crashes: deaths, lives } = await runDurable(caseOf(sample), crashes, given)
        died += deaths
        expect(ending).toEqual(uninterrupted.ending)
        expect(lives.runtime.problems).toEqual([])
        expect((await replay(agent, events)).divergence).toBeUndefined()
      },
    ),
    120,
  )
  expect(died).toBeGreaterThan(50)
})
