import { setImmediate } from 'node:timers/promises'
import { type AnyStateMachine, createActor, SimulatedClock } from 'xstate'
import type { z } from 'zod'
import type { Json } from '../../src/base/json.ts'
import type { JobEvent } from '../../src/event/event.ts'
import { type Agent, fromMachine, type MachineOptions } from '../../src/index.ts'
import type { TestRuntimeOptions } from '../../src/testing/test-runtime.ts'
import { type Crash, Lives } from './crash-lives.ts'
import { historyOf } from './plans-run.ts'

/** Runs a hand-written machine: under plain XState, and as a durable job through as many crashes as asked for. */

/** What a machine is told, one after the other: an event, or that time goes by. */
export type Step = { type: string; [field: string]: unknown } | number

export interface MachineCase {
  machine: AnyStateMachine
  input?: Json
  steps?: readonly Step[]
  options?: MachineOptions<z.ZodAny, z.ZodAny>
}

/** What both kinds of run are compared by. */
export interface Ending {
  status: 'active' | 'done' | 'error' | 'stopped'
  value: unknown
  context: unknown
  output: unknown
  error: string | undefined
}

/** In the terms that both runs share: a job that has ended shows no state within, and JSON has no undefined output. */
export function comparable({ status, value, context, output, error }: Ending): Ending {
  return { status, value: status === 'active' ? value : undefined, context, output: output ?? undefined, error }
}

/** The delays of the machines here are multiples of this. */
const tickMs = 100

export async function runPlain({ machine, input, steps = [] }: MachineCase): Promise<Ending> {
  const clock = new SimulatedClock()
  const actor = createActor(machine, { input, clock, logger: () => {} })
  actor.subscribe({ error: () => {} })
  actor.start()
  await quiet()
  for (const step of steps) {
    // XState would only complain.
    if (actor.getSnapshot().status !== 'active') break
    if (typeof step === 'number') await wait(clock, step)
    else actor.send(step)
    await quiet()
  }
  const { status, value, context, output, error } = actor.getSnapshot()
  actor.stop()
  return { status, value, context, output, error: (error as Error | undefined)?.message }
}

async function wait(clock: SimulatedClock, ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += tickMs) {
    clock.increment(tickMs)
    await quiet()
  }
}

/** Long enough for promises that settle without a timer. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await setImmediate()
}

export interface DurableRun {
  agent: Agent
  ending: Ending
  events: JobEvent[]
  crashes: number
  lives: Lives
}

export function agentOf({ machine, options = {} }: MachineCase): Agent {
  return fromMachine('by-hand', machine, options)
}

export async function runDurable(
  given: MachineCase,
  crashes: readonly Crash[] = [],
  runtimeOptions: Partial<TestRuntimeOptions> = {},
): Promise<DurableRun> {
  const { input = null, steps = [] } = given
  const agent = agentOf(given)
  const lives = await Lives.open({ agents: [agent], ...runtimeOptions }, crashes)
  await lives.doing((runtime) => runtime.spawn(agent, input, { id: 'job' }))
  await lives.settle()
  for (const [index, step] of steps.entries()) {
    if (typeof step === 'number') await lives.advance(step)
    else await tell(lives, step, `message-${index}`)
    await lives.settle()
  }
  const job = await lives.runtime.job('job')
  const { status, value, context, output, error } = job.getSnapshot()
  const body = typeof value === 'object' ? Object.values(value as object)[0] : value
  return {
    agent,
    ending: { status, value: body, context, output, error: error?.message },
    events: await historyOf(job),
    crashes: lives.crashes,
    lives,
  }
}

async function tell(lives: Lives, { type, ...payload }: { type: string }, id: string): Promise<void> {
  await lives.doing(async (runtime) => {
    const job = await runtime.job('job')
    await job.signal(type, payload, { id }).catch((error) => {
      if (error.code !== 'JOB_SETTLED') throw error
    })
  })
}
