import type { JobEvent } from '../../src/event/event.ts'
import type { JobHandle } from '../../src/runtime/job-handle.ts'
import type { TestRuntime, TestRuntimeOptions } from '../../src/testing/test-runtime.ts'
import { type Crash, Lives } from './crash-lives.ts'
import { graphOf, payloadOf, planRunner, type Sample, World } from './plans.ts'

/** Runs sampled plans to their end, through as many crashes as asked for. */

export interface Outcome {
  job: JobHandle
  runtime: TestRuntime
  world: World
  events: JobEvent[]
  crashes: number
}

const roundsMax = 500

/** Lets a plan run until it ends, or until nothing moves it any more. */
export async function runPlan(
  sample: readonly Sample[],
  crashes: readonly Crash[] = [],
  options: Partial<TestRuntimeOptions> = {},
): Promise<Outcome> {
  const world = new World()
  const runner = planRunner(world)
  const lives = await Lives.open({ agents: [runner], ...options }, crashes)
  await lives.doing((runtime) => runtime.spawn(runner, graphOf(sample), { id: 'job' }))
  for (const node of sample) if (node.kind === 'wait' && node.given === 'early') await give(lives, node.id)
  for (let round = 0; round < roundsMax; round += 1) if (!(await moves(lives, sample))) break
  const job = await lives.runtime.job('job')
  return { job, runtime: lives.runtime, world, events: await historyOf(job), crashes: lives.crashes }
}

/** Gives the waits what they are to be given now, or lets time go on; false where neither would change anything. */
async function moves(lives: Lives, sample: readonly Sample[]): Promise<boolean> {
  await lives.settle()
  const { status, pending } = (await lives.runtime.job('job')).getSnapshot()
  if (status !== 'active') return false
  const waiting = pending.filter(({ effect, status }) => status === 'waiting' && isGiven(sample, effect))
  for (const { effect } of waiting) await give(lives, effect)
  return waiting.length > 0 || lives.tick()
}

function isGiven(sample: readonly Sample[], effect: string): boolean {
  return sample.some((node) => node.id === effect && node.kind === 'wait' && node.given === 'waiting')
}

function give(lives: Lives, id: string): Promise<void> {
  return lives.doing(async (runtime) => {
    const job = await runtime.job('job')
    await job.signal(`go-${id}`, payloadOf(id), { id: `message-${id}` }).catch((error) => {
      if (error.code !== 'JOB_SETTLED') throw error
    })
  })
}

export async function historyOf(job: { events(): AsyncIterable<JobEvent> }): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  for await (const event of job.events()) events.push(event)
  return events
}
