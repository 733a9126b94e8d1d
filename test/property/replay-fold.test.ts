import fc from 'fast-check'
import { test } from 'vitest'
import { checkCut } from '../support/cuts.ts'
import { samples } from '../support/plans.ts'
import { runPlan } from '../support/plans-run.ts'
import { planRunner, World } from '../support/plans-world.ts'
import { check } from '../support/property.ts'

/** fold(a ++ b) = fold(fold(a), b): a state put away as text at any event and taken out again goes on as if it never had been. */

const crashes = fc.array(fc.record({ after: fc.integer({ min: 2, max: 14 }), stored: fc.boolean() }), { maxLength: 2 })

test('a fold can be cut at any event', async () => {
  const agent = planRunner(new World())
  await check(
    fc.asyncProperty(samples(), crashes, fc.infiniteStream(fc.nat({ max: 999 })), async (sample, planned, cuts) => {
      const { events } = await runPlan(sample, planned)
      for (let tries = 0; tries < 6; tries += 1)
        checkCut(agent, events, 1 + ((cuts.next().value as number) % events.length))
    }),
    200,
  )
})

test('a fold of a wide plan can be cut at every one of its events', async () => {
  const agent = planRunner(new World())
  const wide = fc.sample(samples({ nodesMax: 12 }), { numRuns: 12, seed: 5 })
  for (const sample of wide) {
    const { events } = await runPlan(sample)
    for (let cut = 1; cut <= events.length; cut += 1) checkCut(agent, events, cut)
  }
})
