import type { AnyAgent } from '../../src/agent/agent.ts'
import type { JobEvent } from '../../src/event/event.ts'
import type { TaskGraph } from '../../src/graph/graph.ts'
import type { JobHandle } from '../../src/runtime/job-handle.ts'
import type { JobStore } from '../../src/store/store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { type TestRuntime, type TestRuntimeOptions, testRuntime } from '../../src/testing/test-runtime.ts'
import { type Sample, World, graphOf, payloadOf, planRunner } from './plans.ts'

/** Runs sampled plans to their end, through as many crashes as asked for. */

/** A crash: after how many commits of its process, and whether the last one still reached the store. */
export interface Crash {
  after: number
  stored: boolean
}

/**
 * A store whose process dies at its n-th commit: from then on nothing is written or answered any more.
 * `death` resolves when it has happened, and `halted` tells it.
 */
export function dyingStore(store: JobStore, { after, stored }: Crash): Dying {
  let left = after
  let halted = false
  let die = () => {}
  const death = new Promise<void>((resolve) => (die = resolve))
  const never = () => new Promise<never>(() => {})
  return new Proxy(store, {
    get(target, key) {
      if (key === 'halted') return halted
      if (key === 'death') return death
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      if (key === 'open' || key === 'close') return value.bind(target)
      return (...args: unknown[]) => {
        if (halted) return key === 'list' || key === 'read' || key === 'verify' ? hanging() : never()
        if (key !== 'commit') return value.apply(target, args)
        left -= 1
        if (left > 0) return value.apply(target, args)
        halted = true
        die()
        if (stored) void (value.apply(target, args) as Promise<unknown>).catch(() => {})
        return never()
      }
    },
  }) as Dying
}

type Dying = JobStore & { readonly halted: boolean; readonly death: Promise<void> }

async function* hanging(): AsyncGenerator<never> {
  await new Promise(() => {})
}

export interface Outcome {
  job: JobHandle
  runtime: TestRuntime
  world: World
  events: JobEvent[]
  crashes: number
}

const roundsMax = 500

/** Lets a plan run until it ends, or until nothing moves it any more. */
export async function runPlan(sample: readonly Sample[], crashes: readonly Crash[] = [], options: Partial<TestRuntimeOptions> = {}): Promise<Outcome> {
  const world = new World()
  const runner = planRunner(world)
  const store = memoryStore()
  let crashed = 0
  const nextStore = () => {
    const crash = crashes[crashed]
    return crash === undefined ? store : dyingStore(store, crash)
  }
  let runtime = await testRuntime({ agents: [runner], store: nextStore(), ...options })
  const reopen = async () => {
    crashed += 1
    runtime = await runtime.reopen({ store: nextStore() })
  }
  const halted = () => (runtime.store as Partial<Dying>).halted === true
  const alive = async (step: () => Promise<unknown>) => {
    // A call into a process that dies is never answered, so it is raced against the end of that process.
    for (let done = false; !done; ) {
      const death = (runtime.store as Partial<Dying>).death
      await Promise.race([step().then(() => (done = true)), ...(death === undefined ? [] : [death])])
      if (halted()) await reopen()
    }
  }
  await alive(() => runtime.spawn(runner, graphOf(sample), { id: 'job' }))
  for (const node of sample) if (node.kind === 'wait' && node.given === 'early') await alive(() => give(runtime, node.id))
  for (let round = 0; round < roundsMax; round += 1) {
    await runtime.settle()
    if (halted()) {
      await reopen()
      continue
    }
    const job = await runtime.job('job')
    const snapshot = job.getSnapshot()
    if (snapshot.status !== 'active') break
    const waiting = snapshot.pending.filter(({ kind, status, effect }) => kind === 'wait' && status === 'waiting' && isGiven(sample, effect))
    if (waiting.length > 0) {
      for (const { effect } of waiting) await alive(() => give(runtime, effect))
      continue
    }
    const next = runtime.clock.nextAt
    if (next === undefined) break
    runtime.clock.goTo(next)
  }
  const job = await runtime.job('job')
  const events: JobEvent[] = []
  for await (const event of job.events()) events.push(event)
  return { job, runtime, world, events, crashes: crashed }
}

function isGiven(sample: readonly Sample[], effect: string): boolean {
  return sample.some((node) => node.id === effect && node.kind === 'wait' && node.given === 'waiting')
}

async function give(runtime: TestRuntime, id: string): Promise<void> {
  const job = await runtime.job('job')
  if (job.getSnapshot().status !== 'active') return
  await job.signal(`go-${id}`, payloadOf(id), { id: `message-${id}` }).catch((error) => {
    if (error.code !== 'JOB_SETTLED') throw error
  })
}

/** The history of a plan that was run without crashes. */
export async function historyOf(agent: AnyAgent, graph: TaskGraph): Promise<JobEvent[]> {
  await using runtime = await testRuntime({ agents: [agent] })
  const job = await runtime.spawn(agent, graph as never, { id: 'job' })
  await runtime.settle()
  const events: JobEvent[] = []
  for await (const event of job.events()) events.push(event)
  return events
}
