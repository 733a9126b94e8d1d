import type { JobEvent } from '../../src/event/event.ts'
import type { Pending } from '../../src/replay/job-snapshot.ts'
import type { JobHandle } from '../../src/runtime/job-handle.ts'
import type { TestRuntime, TestRuntimeOptions } from '../../src/testing/test-runtime.ts'
import { type Crash, Lives } from './crash-lives.ts'
import type { CallSample, Sample } from './plans.ts'
import { graphOf } from './plans-graph.ts'
import { payloadOf } from './plans-model.ts'
import { planRunner, type Ways, World } from './plans-world.ts'

/** Runs sampled plans to their end, through as many crashes as asked for. */

export interface Outcome {
  job: JobHandle
  runtime: TestRuntime
  world: World
  events: JobEvent[]
  crashes: number
}

const roundsMax = 500

export interface RunOptions extends Partial<TestRuntimeOptions> {
  ways?: Ways
  /** What somebody does from outside, with `lives`, whenever nothing moves by itself; true where it did anything. */
  meddle?(lives: Lives): Promise<boolean>
}

/** Lets a plan run until it ends, or until nothing moves it any more. */
export async function runPlan(
  sample: readonly Sample[],
  crashes: readonly Crash[] = [],
  { ways, meddle = async () => false, ...options }: RunOptions = {},
): Promise<Outcome> {
  const world = new World()
  const runner = planRunner(world, ways)
  const lives = await Lives.open({ agents: [runner, ...runner.agents.values()], ...options }, crashes)
  await lives.doing((runtime) => runtime.spawn(runner, graphOf(sample), { id: 'job' }))
  for (const node of sample) if (node.kind === 'wait' && node.given === 'early') await give(lives, node.id)
  for (let round = 0; round < roundsMax; round += 1) {
    const meddled = await meddle(lives)
    if (!(await moves(lives, sample)) && !meddled) break
  }
  const job = await lives.runtime.job('job')
  return { job, runtime: lives.runtime, world, events: await historyOf(job), crashes: lives.crashes }
}

/** Gives those who wait what they are to be given now, or lets time go on; false where neither would change anything. */
async function moves(lives: Lives, sample: readonly Sample[]): Promise<boolean> {
  await lives.settle()
  const { status, pending } = (await lives.runtime.job('job')).getSnapshot()
  if (status !== 'active') return false
  const waiting = pending.filter((each) => isGiven(sample, each))
  for (const { effect } of waiting) await give(lives, effect)
  const asking = pending.flatMap((each) => askedOf(sample, each) ?? [])
  for (const { id, approval } of asking) await decide(lives, id, approval?.verdict ?? 'approve')
  return waiting.length + asking.length > 0 || lives.tick()
}

function isGiven(sample: readonly Sample[], { effect, status }: Pending): boolean {
  const node = status === 'waiting' ? sample.find(({ id }) => id === effect) : undefined
  return node?.kind === 'wait' && node.given === 'waiting'
}

/** The call that asks somebody for an approval, who has not answered yet. */
function askedOf(sample: readonly Sample[], { effect, status }: Pending): CallSample | undefined {
  const node = status === 'approving' ? sample.find(({ id }) => id === effect) : undefined
  return node?.kind === 'call' && node.approval?.by === 'somebody' ? node : undefined
}

function give(lives: Lives, id: string): Promise<void> {
  return ask(lives, (job) => job.signal(`go-${id}`, payloadOf(id), { id: `message-${id}` }))
}

function decide(lives: Lives, id: string, verdict: 'approve' | 'deny'): Promise<void> {
  return ask(lives, (job) => job[verdict](id, { by: 'ana' }))
}

/** Asks something of the job, also of its next process where this one dies; in vain where it is of no use any more. */
function ask(lives: Lives, what: (job: JobHandle) => Promise<void>): Promise<void> {
  return lives.doing(async (runtime) => {
    const job = await runtime.job('job')
    await what(job).catch((error) => {
      if (error.code !== 'JOB_SETTLED' && error.code !== 'COMMAND_REFUSED') throw error
    })
  })
}

export async function historyOf(job: { events(): AsyncIterable<JobEvent> }): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  for await (const event of job.events()) events.push(event)
  return events
}
