import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TestRuntime } from '../../src/testing/test-runtime.ts'
import type { Lives } from '../support/crash-lives.ts'
import { type Sample, samples } from '../support/plans.ts'
import { type Outcome, runPlan } from '../support/plans-run.ts'
import type { Ways } from '../support/plans-world.ts'
import { check } from '../support/property.ts'
import { turns } from '../support/scripted.ts'
import { checkUndone } from '../support/undone.ts'

/** A job that is paused and resumed, whenever and however often, does what it would have done anyway. */

/** What somebody does in one round of a run, and after how many turns of the event loop. */
interface Step {
  ask: 'pause' | 'resume' | 'nothing'
  after: number
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    ask: fc.constantFrom('pause' as const, 'resume' as const, 'nothing' as const),
    after: fc.nat({ max: 30 }),
  }),
  { minLength: 1, maxLength: 10 },
)

/** Calls are under way for some turns. */
const ways: Ways = { before: () => turns(2), after: () => turns(2) }

/** Asks as told, in the middle of each round; when all is said, sees to it that the job goes on. */
function pausing(list: readonly Step[]): (lives: Lives) => Promise<boolean> {
  let round = 0
  const asked: Promise<void>[] = []
  const ask = async (runtime: TestRuntime, what: 'pause' | 'resume') =>
    (await runtime.job('job'))[what]({ by: 'ana' }).catch((error) => expect(error.code).toBe('JOB_SETTLED'))
  return async (lives) => {
    const { runtime } = lives
    const step = list[round]
    round += 1
    if (step === undefined) {
      await Promise.all(asked)
      await lives.settle()
      const { isPaused } = (await runtime.job('job')).getSnapshot()
      if (isPaused) await ask(runtime, 'resume')
      return isPaused
    }
    const { ask: what, after } = step
    if (what !== 'nothing') asked.push(turns(after).then(() => ask(runtime, what)))
    return true
  }
}

/** Time goes on while a job is paused, so what has a limit may be over it. */
function timeless(sample: Sample[]): Sample[] {
  return sample.map((node) => ('deadlineMs' in node ? { ...node, deadlineMs: undefined } : node))
}

/** All calls but those of jobs that nobody waits for. */
function callsOf({ world }: Outcome, sample: readonly Sample[]): string[] {
  const detached = new Set(sample.flatMap((node) => (node.kind === 'spawn' && node.detach ? [`job/${node.id}`] : [])))
  const log = world.log.filter(({ job }) => !detached.has(job))
  return log.map(({ what, job, effect, attempt }) => `${what} ${job} ${effect} ${attempt}`).sort()
}

test('pauses change neither the result nor the calls', async () => {
  let paused = 0
  const plans = samples({ failing: false, nodesMin: 2, nodesMax: 7 }).map(timeless)
  await check(
    fc.asyncProperty(plans, steps, async (sample, list) => {
      const plain = await runPlan(sample, [], { ways })
      const run = await runPlan(sample, [], { ways, meddle: pausing(list) })
      const [{ output, nodes, status }, other] = [run.job.getSnapshot(), plain.job.getSnapshot()]
      expect(status).toBe('done')
      expect({ output, nodes }).toEqual({ output: other.output, nodes: other.nodes })
      expect(callsOf(run, sample)).toEqual(callsOf(plain, sample))
      paused += run.events.filter(({ type }) => type === 'job.paused').length
    }),
    120,
  )
  expect(paused).toBeGreaterThan(20)
})

test('nor what a job undoes that fails', async () => {
  const plans = samples({ classes: ['idempotent', 'once'], nodesMin: 2, nodesMax: 7 })
  const declared = plans.map((sample) =>
    timeless(sample).map((node) =>
      'compensate' in node ? ({ ...node, compensate: true, onFailure: undefined } as Sample) : node,
    ),
  )
  await check(
    fc.asyncProperty(declared, steps, async (sample, list) => {
      const run = await runPlan(sample, [], { ways, meddle: pausing(list) })
      checkUndone(run, sample)
    }),
    120,
  )
})

test('while a job is paused, no call begins', async () => {
  const plans = samples({ nodesMin: 3, nodesMax: 7 })
  await check(
    fc.asyncProperty(plans, steps, async (sample, list) => {
      const { events } = await runPlan(sample, [], { ways, meddle: pausing(list) })
      let isPaused = false
      for (const { type } of events) {
        if (type === 'job.paused') isPaused = true
        if (type === 'job.resumed') isPaused = false
        if (isPaused) expect(['node.started', 'node.attempted', 'approval.requested']).not.toContain(type)
      }
    }),
    60,
  )
})
