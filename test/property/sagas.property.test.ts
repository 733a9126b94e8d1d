import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ToolContext } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import type { TestRuntime } from '../../src/testing/test-runtime.ts'
import type { Crash, Lives } from '../support/crash-lives.ts'
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

/** And the last of them fails: at once, or when its attempts are used up and others have had the time to succeed. */
function broken(sample: Sample[], atOnce: boolean): Sample[] {
  const { id, reads, after } = sample.at(-1) as Sample
  const script = { class: 'idempotent', failures: 0, end: atOnce ? 'terminal' : 'always' } as const
  const last = { kind: 'call', script, approval: undefined, onFailure: undefined, compensate: true } as const
  return [...sample.slice(0, -1), { id, reads, after, when: undefined, deadlineMs: undefined, ...last }]
}

const sagas = samples({ classes: ['idempotent'], nodesMin: 2, nodesMax: 7 }).map(undoable)

/** Calls take a few turns of the event loop before they take effect, and before they say so. */
const ways: Ways = { before: () => turns(1), after: () => turns(1) }

/** How many calls were undone. */
function undoneBy({ events }: Outcome): number {
  return events.reduce((sum, { type, data }) => sum + (type === 'compensation.started' ? data.effects.length : 0), 0)
}

async function checkHistory({ runtime, job, events }: Outcome): Promise<void> {
  expect(runtime.problems).toEqual([])
  const past = await replay(planRunner(new World()), events)
  expect(past.divergence).toBeUndefined()
  expect(past.snapshot).toEqual(job.getSnapshot())
}

test('a plan that fails undoes what had succeeded, latest first, each exactly once, through crashes', async () => {
  let undone = 0
  await check(
    fc.asyncProperty(sagas, fc.boolean(), crashes, options, async (plan, atOnce, planned, given) => {
      const sample = broken(plan, atOnce)
      const run = await runPlan(sample, planned, { ...given, ways })
      checkUndone(run, sample)
      await checkHistory(run)
      undone += undoneBy(run) > 1 ? 1 : 0
    }),
    200,
  )
  expect(undone).toBeGreaterThan(15)
})

/** How a call takes being told to stop: it stops, does not care, or never returns, before or after it took effect. */
type Manner = 'stops' | 'finishes' | 'hangs' | 'hangs after all'
const manners = fc.array(fc.constantFrom<Manner>('stops', 'finishes', 'finishes', 'hangs', 'hangs after all'), {
  minLength: 1,
  maxLength: 5,
})

/** Calls that take a few turns of the event loop, and then act by the manner that is theirs. */
function mannered(list: readonly Manner[]): Ways {
  const known = new Map<string, Manner>()
  const mannerOf = ({ idempotencyKey: key, effect }: ToolContext): Manner => {
    // What undoes is never told to stop.
    if (effect.startsWith('job.undo/')) return 'finishes'
    if (!known.has(key)) known.set(key, list[known.size % list.length] as Manner)
    return known.get(key) as Manner
  }
  const never = () => new Promise<never>(() => {})
  return {
    async before(context) {
      await turns(3)
      if (!context.abortSignal.aborted) return
      const manner = mannerOf(context)
      if (manner === 'stops') throw context.abortSignal.reason
      if (manner === 'hangs') await never()
    },
    async after(context) {
      await turns(3)
      if (context.abortSignal.aborted && mannerOf(context) === 'hangs after all') await never()
    },
  }
}

/** Cancels the job in one round of its run, some turns of the event loop after its beginning. */
function cancelling(round: number, after: number): (lives: Lives) => Promise<boolean> {
  let left = round
  const cancel = (runtime: TestRuntime) =>
    runtime.job('job').then((job) => job.cancel({ by: 'ana', graceMs: 1_000 }).catch(() => {}))
  return async (lives) => {
    left -= 1
    if (left > 0) return true
    const { status, held } = (await lives.doing((runtime) => runtime.job('job'))).getSnapshot()
    if (status !== 'active' || held?.type === 'cancelling') return false
    // In the middle of what the round does; where the process dies of it, in the next round again.
    if (left === 0) void turns(after).then(() => cancel(lives.runtime).catch(() => {}))
    else await lives.doing(cancel)
    return true
  }
}

test('a job that is cancelled at any point, whatever its calls make of it, leaves nothing half-done', async () => {
  const ends = { completed: 0, cancelled: 0, undone: 0 }
  const point = fc.record({ round: fc.integer({ min: 1, max: 4 }), after: fc.nat({ max: 40 }) })
  const all = samples({ classes: ['idempotent', 'once'], failing: false, nodesMin: 3, nodesMax: 7 }).map(undoable)
  await check(
    fc.asyncProperty(all, point, manners, crashes, options, async (sample, { round, after }, list, planned, given) => {
      const run = await runPlan(sample, planned, {
        ...given,
        ways: mannered(list),
        meddle: cancelling(round, after),
      })
      checkUndone(run, sample)
      await checkHistory(run)
      ends[run.job.getSnapshot().value as 'completed' | 'cancelled'] += 1
      ends.undone += undoneBy(run) > 1 ? 1 : 0
    }),
    200,
  )
  expect(ends.completed).toBeGreaterThan(20)
  expect(ends.undone).toBeGreaterThan(10)
})
