import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PlanRequest } from '../../src/agent/planner.ts'
import type { JobEvent } from '../../src/event/event.ts'
import type { Node, TaskGraph } from '../../src/graph/graph.ts'
import { dependencies } from '../../src/graph/order.ts'
import { replay } from '../../src/replay/replay.ts'
import { downstream } from '../../src/replay/rerun.ts'
import type { JobHandle } from '../../src/runtime/job-handle.ts'
import type { Crash, Lives } from '../support/crash-lives.ts'
import { checkCut } from '../support/cuts.ts'
import { samples } from '../support/plans.ts'
import { type Outcome, runPlan } from '../support/plans-run.ts'
import { planRunner, type Ways, World } from '../support/plans-world.ts'
import { check } from '../support/property.ts'
import { turns } from '../support/scripted.ts'

/** Plans that are revised and nodes that run again, at any time: what is done is done, unless somebody asks for it again. */

interface Step {
  ask: 'revise' | 'restart' | 'retry' | 'nothing'
  pick: number
  after: number
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    ask: fc.constantFrom('revise' as const, 'restart' as const, 'retry' as const, 'nothing' as const),
    pick: fc.nat(),
    after: fc.nat({ max: 30 }),
  }),
  { minLength: 1, maxLength: 8 },
)
const crash: fc.Arbitrary<Crash> = fc.record({ after: fc.integer({ min: 1, max: 14 }), stored: fc.boolean() })

/** What the planner keeps of what has not settled, and adds to it, by round. */
const changes = fc.array(fc.record({ keep: fc.array(fc.boolean(), { maxLength: 8 }), add: fc.nat({ max: 2 }) }), {
  minLength: 1,
  maxLength: 5,
})
type Change = { keep: boolean[]; add: number }

function replanning(list: readonly Change[]): NonNullable<Ways['replan']> {
  return ({ round, previous }: PlanRequest): TaskGraph => {
    const { graph, results } = previous as NonNullable<PlanRequest['previous']>
    const { keep, add } = list[round % list.length] as Change
    const left = graph.nodes.filter(({ id }) => !(id in results)).filter((_, index) => keep[index] ?? true)
    const kept = closed(left, new Set(Object.keys(results)))
    const known = [...Object.keys(results), ...kept.map(({ id }) => id)]
    const added = Array.from({ length: add }, (_, nth): Node => {
      const from = known.length === 0 ? [] : [{ $ref: [known[(round + nth) % known.length] as string, 'value'] }]
      const input = { script: { failures: 0, end: 'ok' }, from }
      return { id: `r${round}-${nth}`, kind: 'call', tool: 'do-idempotent', input }
    })
    const nodes = [...kept, ...added]
    return { nodes, output: Object.fromEntries(nodes.map(({ id }) => [id, { $ref: [id] }])) }
  }
}

/** Those of some nodes that have all they need. */
function closed(nodes: readonly Node[], results: ReadonlySet<string>): Node[] {
  const ids = new Set([...results, ...nodes.map(({ id }) => id)])
  const whole = nodes.filter((node) => dependencies(node).every((id) => ids.has(id)))
  return whole.length === nodes.length ? whole : closed(whole, results)
}

/** What failed is tried again that often at last, in a world where calls succeed. */
const triesMax = 3

/** Asks as told, in the middle of each round, then heals the world and has what failed tried again. */
function meddling(list: readonly Step[]): (lives: Lives, world: World) => Promise<boolean> {
  let round = 0
  return async (lives, world) => {
    const step = list[round]
    round += 1
    if (step !== undefined) {
      const job = await lives.doing((runtime) => runtime.job('job'))
      void turns(step.after).then(() => ask(job, step))
      return true
    }
    await lives.settle()
    const job = await lives.doing((runtime) => runtime.job('job'))
    const { status, nodes, wasUndone } = job.getSnapshot()
    const failed = Object.keys(nodes).find((id) => nodes[id] === 'failed')
    if (status !== 'error' || wasUndone || failed === undefined || round > list.length + triesMax) return false
    world.isHealed = true
    await lives.doing(async (runtime) => (await runtime.job('job')).retry(failed, { by: 'ana' }).catch(refused))
    return true
  }
}

async function ask(job: JobHandle, { ask: what, pick }: Step): Promise<void> {
  const { results, nodes } = job.getSnapshot()
  const settled = Object.keys(nodes).filter((id) => id in results)
  const node = settled[pick % settled.length] ?? 'nobody'
  if (what === 'revise') await job.revise({ by: 'ana' }).catch(refused)
  if (what === 'restart' || what === 'retry') await job[what](node, { by: 'ana' }).catch(refused)
}

function refused(error: { code: string }): void {
  // A process that dies gives no answer, or says that it is gone.
  expect(['COMMAND_REFUSED', 'JOB_SETTLED', 'RUNTIME_CLOSED', 'STORE_CLOSED']).toContain(error.code)
}

/**
 * How often somebody asked for each node again. A map or a loop that its plan stopped in the middle, since another node
 * had failed, begins anew when the job is tried again: what it has come to is not kept.
 */
function asksOf(events: readonly JobEvent[]): (node: string) => number {
  const asks = new Map<string, number>()
  let graph: TaskGraph = { nodes: [], output: null }
  let hasFailed = false
  for (const { type, data } of events) {
    if (type === 'plan.adopted' || type === 'plan.revised') graph = data.graph as unknown as TaskGraph
    if (type === 'job.failed') hasFailed = true
    if (type !== 'job.restarted') continue
    const again = downstream(graph, data.node)
    if (hasFailed) for (const { id, kind } of graph.nodes) if (kind === 'map' || kind === 'loop') again.add(id)
    for (const id of again) asks.set(id, (asks.get(id) ?? 0) + 1)
    hasFailed = false
  }
  return (node) => asks.get(node) ?? 0
}

/** Where an effect is asked for: without what tells its occurrences apart. */
function placeOf(effect: string): string {
  return effect.split('#')[0] as string
}

function checkRepeats(effects: readonly string[], asks: (node: string) => number): void {
  const count = new Map<string, number>()
  for (const effect of effects) count.set(placeOf(effect), (count.get(placeOf(effect)) ?? 0) + 1)
  for (const [place, times] of count) {
    expect(times, `${place} completed ${times} times`).toBeLessThanOrEqual(1 + asks(place.split('/')[0] as string))
  }
}

async function checkRun({ runtime, job, events }: Outcome): Promise<void> {
  expect(runtime.problems).toEqual([])
  const runner = planRunner(new World())
  const past = await replay(runner, events)
  expect(past.divergence).toBeUndefined()
  expect(past.snapshot).toEqual(job.getSnapshot())
  const { status, nodes } = job.getSnapshot()
  expect(status).not.toBe('active')
  if (status === 'done')
    for (const [id, at] of Object.entries(nodes)) expect(['blocked', 'running', 'waiting'], id).not.toContain(at)
  checkRepeats(completed(events), asksOf(events))
}

function completed(events: readonly JobEvent[]): string[] {
  return events.flatMap(({ type, data }) => (type === 'node.completed' ? [data.effect] : []))
}

async function run(
  sample: Parameters<typeof runPlan>[0],
  list: Step[],
  made: Change[],
  crashes: Crash[],
  rest: object,
) {
  const ways: Ways = { before: () => turns(2), after: () => turns(2), replan: replanning(made) }
  const outcome = await runPlan(sample, crashes, {
    ...rest,
    ways,
    meddle: meddling(list),
  })
  await checkRun(outcome)
  return outcome
}

const options = fc.record({ snapshotEvery: fc.constantFrom(1, 3, 100), maxEffects: fc.constantFrom(1, 100) })

test('nothing that was done is done again that nobody asked for', async () => {
  const seen = { revised: 0, restarted: 0 }
  await check(
    fc.asyncProperty(
      samples({ nodesMin: 2, nodesMax: 7 }),
      steps,
      changes,
      options,
      async (sample, list, made, rest) => {
        const { world, events } = await run(sample, list, made, [], rest)
        const ends = world.log.filter(({ what, job }) => what === 'end' && job === 'job').map(({ effect }) => effect)
        checkRepeats(ends, asksOf(events))
        seen.revised += events.filter(({ type }) => type === 'plan.revised').length
        seen.restarted += events.filter(({ type }) => type === 'job.restarted').length
      },
    ),
    120,
  )
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(20)
})

test('and so it is through crashes, and wherever the state is put away and taken out again', async () => {
  const plans = samples({ classes: ['read', 'idempotent'], nodesMin: 2, nodesMax: 7 })
  const crashes = fc.array(crash, { maxLength: 3 })
  const agent = planRunner(new World())
  await check(
    fc.asyncProperty(
      plans,
      steps,
      changes,
      crashes,
      options,
      fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
      async (sample, list, made, planned, rest, cuts) => {
        const { events } = await run(sample, list, made, planned, rest)
        for (const cut of cuts) checkCut(agent, events, 1 + (cut % events.length))
      },
    ),
    100,
  )
})
