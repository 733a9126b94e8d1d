import type { JobEvent } from '../../src/event/event.ts'
import type { Pending } from '../../src/replay/job-snapshot.ts'
import type { JobHandle } from '../../src/runtime/job-handle.ts'
import type { TestRuntime, TestRuntimeOptions } from '../../src/testing/test-runtime.ts'
import { type Crash, Lives } from './crash-lives.ts'
import type { Approving, Sample } from './plans.ts'
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
  /** What somebody does from outside in each round; true where there is more to come. */
  meddle?(lives: Lives, world: World): Promise<boolean>
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
    const meddled = await meddle(lives, world)
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
  const asking = pending.filter((each) => answerTo(sample, each) !== undefined)
  for (const each of asking) await decide(lives, each.effect, answerTo(sample, each) ?? 'approve')
  return waiting.length + asking.length > 0 || lives.tick()
}

function isGiven(sample: readonly Sample[], { effect, status }: Pending): boolean {
  const node = status === 'waiting' ? nodeOf(sample, effect) : undefined
  if (node?.kind !== 'wait') return false
  // What came early was for the first wait; one that runs again needs another.
  return node.given === 'waiting' || (node.given === 'early' && effect !== node.id)
}

/** The node that an effect belongs to, the first time or again. */
function nodeOf(sample: readonly Sample[], effect: string): Sample | undefined {
  return sample.find(({ id }) => id === effect.split('#')[0])
}

/** What somebody answers to a call that asks for an approval. */
function answerTo(sample: readonly Sample[], { effect, status }: Pending): Approving['verdict'] | undefined {
  const node = status === 'approving' ? nodeOf(sample, effect) : undefined
  return node?.kind === 'call' && node.approval?.by === 'somebody' ? node.approval.verdict : undefined
}

function give(lives: Lives, effect: string): Promise<void> {
  const id = effect.split('#')[0] as string
  return ask(lives, (job) => job.signal(`go-${id}`, payloadOf(id), { id: `message-${effect}` }))
}

function decide(lives: Lives, effect: string, verdict: Approving['verdict']): Promise<void> {
  return ask(lives, (job) => job[verdict](effect, { by: 'ana' }))
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
