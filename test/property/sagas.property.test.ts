import fc from 'fast-check'
import { expect, test } from 'vitest'
import { replay } from '../../src/replay/replay.ts'
import type { Crash } from '../support/crash-lives.ts'
import { type Sample, samples } from '../support/plans.ts'
import { type Outcome, runPlan } from '../support/plans-run.ts'
import { planRunner, type Ways, World } from '../support/plans-world.ts'
import { check } from '../support/property.ts'
import { turns } from '../support/scripted.ts'
import { checkUndone } from '../support/undone.ts'

/** Random plans in which everything can be undone: whatever ends them, nothing is left half-done. */

const crash: fc.Arbitrary<Crash> = fc.record({ after: fc.integer({ min: 1, max: 14 }), stored: fc.boolean() })
const crashes = fc.array(crash, { maxLength: 4 })
const options = fc.record({ snapshotEvery: fc.constantFrom(1, 2, 100), maxEffects: fc.constantFrom(1, 2, 100) })

/** Every node declares what undoes it, and a failure undoes. */
function undoable(sample: Sample[]): Sample[] {
  return sample.map((node) => {
    if (!('compensate' in node)) return node
    const onFailure = node.onFailure === 'fail' ? 'compensate' : node.onFailure
    return { ...node, compensate: true, onFailure } as Sample
  })
}

/** And one of them fails, sooner or later. */
function broken(sample: Sample[], at: number): Sample[] {
  if (sample.length === 0) return sample
  const failing = { class: 'idempotent', failures: 0, end: 'terminal' } as const
  return sample.map((node, index) => {
    if (index !== at % sample.length) return node
    const { id, reads, after } = node
    const own = { kind: 'call', script: failing, approval: undefined, onFailure: undefined } as const
    return { id, reads, after, when: undefined, ...own, compensate: true, deadlineMs: undefined }
  })
}

const sagas = samples({ classes: ['idempotent'], nodesMax: 7 }).map(undoable)

/** Calls take a few turns of the event loop before they take effect, and before they say so. */
const ways: Ways = { before: () => turns(1), after: () => turns(1) }

async function checkHistory({ runtime, job, events }: Outcome): Promise<void> {
  expect(runtime.problems).toEqual([])
  const past = await replay(planRunner(new World()), events)
  expect(past.divergence).toBeUndefined()
  expect(past.snapshot).toEqual(job.getSnapshot())
}

test('a plan that fails undoes what had succeeded, latest first, each exactly once, through crashes', async () => {
  let undone = 0
  await check(
    fc.asyncProperty(sagas, fc.nat(), crashes, options, async (plan, at, planned, given) => {
      const sample = broken(plan, at)
      const run = await runPlan(sample, planned, { ...given, ways })
      checkUndone(run, sample)
      await checkHistory(run)
      undone += run.events.filter(({ type, data }) => type === 'compensation.started' && data.effects.length > 1).length
    }),
    300,
  )
  expect(undone).toBeGreaterThan(20)
})
