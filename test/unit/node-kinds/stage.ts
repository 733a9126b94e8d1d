import { expect } from 'vitest'
import type { AnyAgent } from '../../../src/agent/agent.ts'
import type { Json } from '../../../src/base/json.ts'
import type { NewEvent } from '../../../src/event/event.ts'
import { isAetherisError } from '../../../src/index.ts'
import { replay } from '../../../src/replay/replay.ts'
import type { JobHandle } from '../../../src/runtime/job-handle.ts'
import type { JobStore } from '../../../src/store/store.ts'
import { type Crash, Lives } from '../../support/crash-lives.ts'
import { eventsOf, Script } from '../../support/scripted.ts'

/**
 * Where a subject is tried: its job, the processes that run it one after the other, and the world outside, in which
 * only that happens which the test lets happen.
 */

/** The time limit of every subject that has one. */
export const limitMs = 1_000

/** What comes of a trial. In its texts `it` is left out: `node.started` is of `it`, `node.started:0` of `it/0`. */
export interface Outcome {
  /** How far the job is, or how it ended. */
  end: string
  /** Where the nodes stand; of a hand-written machine its state value. */
  at: string
  /** Each call of a tool, in order. */
  outside: string
  /** What the history says of the job and of `it`, in order. */
  events: string
  /** Where the jobs are that were started by it. Default: there are none. */
  children?: string
}

export class Stage {
  readonly script = new Script()
  private readonly lives: Lives
  private readonly agents: readonly AnyAgent[]

  private constructor(lives: Lives, agents: readonly AnyAgent[], script: Script) {
    this.lives = lives
    this.agents = agents
    this.script = script
  }

  static async open(
    make: (script: Script) => readonly AnyAgent[],
    { crash, store }: { crash?: Crash; store?: JobStore } = {},
  ): Promise<Stage> {
    const script = new Script()
    const agents = make(script)
    const options = { agents, ...(store === undefined ? {} : { store }) }
    return new Stage(await Lives.open(options, crash === undefined ? [] : [crash]), agents, script)
  }

  get runtime() {
    return this.lives.runtime
  }

  get crashes(): number {
    return this.lives.crashes
  }

  async spawn(): Promise<void> {
    await this.lives.doing((runtime) => runtime.spawn(this.agents[0] as AnyAgent, null, { id: 'job' }))
    await this.settle()
  }

  /** Asks something of the job, also of its next process where the first one dies. What makes no sense is refused. */
  async ask(what: (job: JobHandle) => Promise<void>): Promise<void> {
    await this.lives.doing(async (runtime) => {
      const job = await runtime.job('job')
      await what(job).catch((error) => {
        if (!isAetherisError(error, 'COMMAND_REFUSED') && !isAetherisError(error, 'JOB_SETTLED')) throw error
      })
    })
    await this.settle()
  }

  /** Sends a signal, under one id however often. */
  async signal(name: string, payload: Json): Promise<void> {
    await this.ask((job) => job.signal(name, payload, { id: name }))
  }

  async settle(): Promise<void> {
    await this.lives.settle()
  }

  async advance(ms: number): Promise<void> {
    await this.lives.advance(ms)
  }

  /** Nothing runs for a while. */
  async sleep(ms: number): Promise<void> {
    this.lives.runtime = await this.runtime.reopen({ afterMs: ms })
    await this.settle()
  }

  /** Answers all calls of an effect, also those of processes that have died. */
  async answer(effect: string, output: Json): Promise<void> {
    while (this.script.isOpen(effect)) this.script.answer(effect, output)
    await this.settle()
  }

  async fail(effect: string): Promise<void> {
    while (this.script.isOpen(effect)) this.script.fail(effect)
    await this.settle()
  }

  /** Lets a call end as one that heeds its AbortSignal. */
  async obey(effect: string): Promise<void> {
    while (this.script.isOpen(effect)) this.script.obey(effect)
    await this.settle()
  }

  async outcome(): Promise<Outcome> {
    const job = await this.runtime.job('job')
    const { phase, nodes, value } = job.getSnapshot()
    const stands = Object.entries(nodes).map(([id, status]) => `${id} ${status}`)
    const children = await this.children()
    return {
      end: phase,
      at: stands.length === 0 ? JSON.stringify(value).replace(/[{}"]/g, '') : stands.join(', '),
      outside: this.script.begun.map((call) => about(...(call.split(' ') as [string, string]))).join(' '),
      events: (await this.said(job)).join(' '),
      ...(children === '' ? {} : { children }),
    }
  }

  private async said(job: JobHandle): Promise<string[]> {
    const names = (await eventsOf(job)).map(namer())
    return names.filter((each) => !/^(job\.created|plan\.)|:(next|n)$/.test(each))
  }

  private async children(): Promise<string> {
    const found: string[] = []
    for await (const { id } of this.runtime.store.list()) {
      if (id !== 'job') found.push(`${id} ${(await this.runtime.job(id)).getSnapshot().phase}`)
    }
    return found.join(', ')
  }

  /** Every history, of the job and of those that it has started, replays to the state that it is in. */
  async check(): Promise<void> {
    expect(this.runtime.problems).toEqual([])
    for await (const { id, agent: name } of this.runtime.store.list()) {
      const job = await this.runtime.job(id)
      const agent = this.agents.find((each) => each.name === name) as AnyAgent
      const past = await replay(agent, job.events())
      expect(past.divergence).toBeUndefined()
      expect(past.snapshot).toEqual(job.getSnapshot())
    }
  }
}

/** Names events, one after the other, by type and by what they are about. */
export function namer(): (event: Pick<NewEvent, 'type' | 'data'>) => string {
  const timers = new Map<string, string>()
  return ({ type, data }) => {
    if ('dueAt' in data) timers.set(data.timer, data.effect ?? data.purpose)
    if ('timer' in data) return about(type, timers.get(data.timer) ?? data.timer)
    if ('effect' in data) return about(type, data.effect)
    return 'node' in data ? about(type, data.node) : type
  }
}

function about(what: string, effect: string): string {
  if (effect === 'it' || effect === what) return what
  return `${what}:${effect.replace(/^it\//, '')}`
}
