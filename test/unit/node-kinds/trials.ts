import { expect } from 'vitest'
import type { AnyAgent } from '../../../src/agent/agent.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import type { JobStore } from '../../../src/store/store.ts'
import type { Crash } from '../../support/crash-lives.ts'
import type { Script } from '../../support/scripted.ts'
import { limitMs, namer, type Outcome, Stage } from './stage.ts'

/** What is tried with every kind of node. A trial is the same for all; a subject only tells what makes it end. */

/** An agent whose job does `it`, of the kind that is tried, and then calls `next`. */
export interface Subject {
  /** The agent of the job first, then those that it needs. */
  agents(script: Script): readonly AnyAgent[]
  /** The event with whose commit `it` begins. */
  begins: string
  /** The event with whose commit `it` has ended. */
  ends: string
  /** Does outside what makes it end well. */
  happen(stage: Stage): Promise<void>
  /** Does outside what makes it fail. */
  fail?(stage: Stage): Promise<void>
  /** Lets it end where its job is cancelled. */
  obey?(stage: Stage): Promise<void>
  /** Lets its time pass. Default: nothing happens for {@link limitMs}. */
  pass?(stage: Stage): Promise<void>
}

type Played = Promise<Stage>

async function spawned(subject: Subject, options: Parameters<typeof Stage.open>[1] = {}): Played {
  const stage = await Stage.open(subject.agents, options)
  await stage.spawn()
  return stage
}

/** Whatever came of it: what comes next ends, if it was begun. */
async function goOn(stage: Stage): Played {
  await stage.answer('next', 'end')
  return stage
}

async function died(subject: Subject, event: string, stored: boolean): Played {
  const name = namer()
  const crash: Crash = { after: ({ events }) => events.map(name).includes(event), stored }
  const stage = await spawned(subject, { crash })
  await subject.happen(stage)
  expect(stage.crashes).toBe(1)
  await subject.happen(stage)
  return goOn(stage)
}

export const trials = {
  async ok(subject: Subject): Played {
    const stage = await spawned(subject)
    await subject.happen(stage)
    return goOn(stage)
  },

  /** It fails, and every further attempt as well. */
  async error(subject: Subject): Played {
    const stage = await spawned(subject)
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await subject.fail?.(stage)
      await stage.advance(0)
    }
    return goOn(stage)
  },

  /** Nothing happens for longer than any limit. */
  async timeout(subject: Subject): Played {
    const stage = await spawned(subject)
    await stage.advance(10 * limitMs)
    return goOn(stage)
  },

  /** The process dies before the history says that it has begun. */
  crashBefore: (subject: Subject): Played => died(subject, subject.begins, false),

  /** The process dies when it has happened, and nobody was told. */
  crashAfter: (subject: Subject): Played => died(subject, subject.ends, subject.begins === subject.ends),

  /** The job is started twice; each commit, message and timer comes twice. */
  async duplicate(subject: Subject): Played {
    const stage = await spawned(subject, { store: repeating(memoryStore()) })
    await stage.spawn()
    await subject.happen(stage)
    await subject.happen(stage)
    return goOn(stage)
  },

  /** It happens when its time is over. */
  async late(subject: Subject): Played {
    const stage = await spawned(subject)
    await (subject.pass?.(stage) ?? stage.advance(limitMs))
    await subject.happen(stage)
    return goOn(stage)
  },

  async cancelled(subject: Subject): Played {
    const stage = await spawned(subject)
    await stage.ask((job) => job.cancel({ by: 'ana' }))
    await subject.obey?.(stage)
    return goOn(stage)
  },

  /** It happens while the job is paused; what comes next has to wait. */
  async paused(subject: Subject): Played {
    const stage = await spawned(subject)
    await stage.ask((job) => job.pause({ by: 'ana' }))
    await subject.happen(stage)
    expect(stage.script.isOpen('next')).toBe(false)
    await stage.ask((job) => job.resume({ by: 'ana' }))
    await subject.happen(stage)
    return goOn(stage)
  },
} as const

export type Trial = keyof typeof trials

/** A subject with what comes of every trial, or why that trial cannot be. */
export interface Tried {
  subject: Subject
  outcomes: Record<Trial, Outcome | { impossible: string }>
}

/** A store to which everything comes twice: commits, messages, and what is due. */
function repeating(store: JobStore): JobStore {
  const twice: Partial<JobStore> = {
    async commit(commit) {
      await store.commit(commit)
      return store.commit(commit)
    },
    async send(message) {
      const isNew = await store.send(message)
      expect(await store.send(message)).toBe(false)
      return isNew
    },
    async dueTimers(now, limit) {
      const due = await store.dueTimers(now, limit)
      return [...due, ...due]
    },
  }
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(twice, key) ?? Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
