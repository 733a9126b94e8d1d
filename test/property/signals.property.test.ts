import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import type { AnyAgent } from '../../src/agent/agent.ts'
import type { JobEvent } from '../../src/event/event.ts'
import type { Graph } from '../../src/graph/builder.ts'
import type { Ref } from '../../src/graph/ref.ts'
import { agent, fromMachine, signal } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { InboxMessage, JobStore } from '../../src/store/store.ts'
import { type Crash, Lives } from '../support/crash-lives.ts'
import { historyOf } from '../support/plans-run.ts'
import { check } from '../support/property.ts'
import { turns } from '../support/scripted.ts'

/** Whatever is sent, how often, and whoever dies meanwhile: each message is received once, in order, by one wait. */

const names = ['red', 'blue'] as const
type Name = (typeof names)[number]

interface Message {
  name: Name
  /** Messages of one id are one message. */
  id: number
}

/** What is done to the job, one after the other. Messages of one step are sent at the same time. */
type Step = { send: Message[] } | { passMs: number } | { turns: number }

/** A wait of the plan: of which name, how many waits after another one (0: at once), for how long. */
interface Wait {
  name: Name
  back: number
  timeoutMs: number | undefined
}

const message = fc.record({ name: fc.constantFrom(...names), id: fc.nat({ max: 9 }) })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ send: fc.array(message, { minLength: 1, maxLength: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ passMs: fc.constantFrom(0, 50, 100, 1_000) }) },
  { weight: 1, arbitrary: fc.record({ turns: fc.nat({ max: 5 }) }) },
)
const waits: fc.Arbitrary<Wait[]> = fc.array(
  fc.record({
    name: fc.constantFrom(...names),
    back: fc.constantFrom(0, 1, 1, 1, 2),
    timeoutMs: fc.constantFrom(undefined, undefined, 0, 60, 500),
  }),
  { minLength: 1, maxLength: 6 },
)
const crash: fc.Arbitrary<Crash> = fc.record({ after: fc.integer({ min: 1, max: 8 }), stored: fc.boolean() })
const scenario = {
  steps: fc.array(step, { maxLength: 14 }),
  crashes: fc.array(crash, { maxLength: 4 }),
  snapshotEvery: fc.constantFrom(1, 3, 100),
}

const signals = [...names, 'never'].map((name) => signal(name, z.any()))
const [red, blue, never] = signals as [(typeof signals)[0], (typeof signals)[0], (typeof signals)[0]]

/** A job that waits as told, and then for what never comes, so that it takes whatever is sent. */
function waiter(list: readonly Wait[]): AnyAgent {
  const plan = (graph: Graph) => {
    const refs: Ref<unknown>[] = []
    for (const [index, { name, back, timeoutMs }] of list.entries()) {
      const before = back === 0 || back > index ? [graph.sleep(`s${index}`, 100)] : [refs[index - back] as Ref<unknown>]
      const options = { after: before, ...(timeoutMs === undefined ? {} : { timeoutMs }) }
      refs.push(graph.wait(`w${index}`, name === 'red' ? red : blue, options))
    }
    graph.wait('end', never)
    return null
  }
  return agent({ name: 'waiter', input: z.any(), output: z.any(), signals, plan })
}

/** A machine that writes down what it hears. */
const writer = fromMachine(
  'writer',
  setup({ types: { context: {} as { heard: unknown[] } } }).createMachine({
    context: { heard: [] },
    on: { '*': { actions: assign({ heard: ({ context, event }) => [...context.heard, event['nth']] }) } },
  }),
  { signals },
)

/** A store that writes down the messages of the job as they arrive for the first time. */
function noting(store: JobStore, arrived: InboxMessage[]): JobStore {
  const send = async (message: InboxMessage) => {
    const isNew = await store.send(message)
    if (isNew) arrived.push(message)
    return isNew
  }
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = key === 'send' ? send : Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

interface Run {
  events: JobEvent[]
  arrived: InboxMessage[]
  lives: Lives
}

async function run(
  it: AnyAgent,
  steps: readonly Step[],
  crashes: readonly Crash[],
  snapshotEvery: number,
): Promise<Run> {
  const arrived: InboxMessage[] = []
  const lives = await Lives.open({ agents: [it], store: noting(memoryStore(), arrived), snapshotEvery }, crashes)
  await lives.doing((runtime) => runtime.spawn(it, null, { id: 'job' }))
  let nth = 0
  const send = ({ name, id }: Message) => {
    nth += 1
    const payload = { nth }
    return lives.runtime.job('job').then((job) => job.signal(name, payload, { id: `m${id}` }))
  }
  for (const each of steps) {
    if ('send' in each) await lives.doing(() => Promise.all(each.send.map(send)))
    else if ('turns' in each) await turns(each.turns)
    else await lives.advance(each.passMs)
  }
  await lives.advance(10_000)
  const job = await lives.runtime.job('job')
  const events = await historyOf(job)
  expect(lives.runtime.problems).toEqual([])
  expect((await replay(it, events)).divergence).toBeUndefined()
  return { events, arrived, lives }
}

/** Every message that arrived was received, once, in order of arrival. */
function checkReceived({ events, arrived }: Run): unknown[] {
  const received = events.flatMap(({ type, data }) => (type === 'signal.received' ? [data] : []))
  expect(received.map(({ message }) => message)).toEqual(arrived.map(({ id }) => id))
  expect(received.map(({ payload }) => payload)).toEqual(
    arrived.map(({ body }) => (body as { payload: unknown }).payload),
  )
  expect(new Set(arrived.map(({ id }) => id)).size).toBe(arrived.length)
  return received.map(({ payload }) => (payload as { nth: number }).nth)
}

/** Waits take what came, name by name, in order; each signal is taken by one wait at most, and none is passed over. */
function checkTaken({ events }: Run, list: readonly Wait[]): void {
  for (const name of names) {
    const came = events.flatMap(({ type, data }) =>
      type === 'signal.received' && data.name === name ? [data.payload] : [],
    )
    const taken = events.flatMap(({ type, data }) =>
      type === 'node.completed' && list[Number(data.effect.slice(1))]?.name === name ? [data.output] : [],
    )
    expect(taken).toEqual(came.slice(0, taken.length))
    const isIdle = events.some(
      ({ type, data }) => type === 'node.waiting' && data.signal === name && !isOver(events, data.effect),
    )
    if (isIdle) expect(taken).toHaveLength(came.length)
  }
}

/** Whether a wait has ended. */
function isOver(events: readonly JobEvent[], effect: string): boolean {
  const timers = events.flatMap(({ type, data }) =>
    type === 'timer.armed' && data.effect === effect ? [data.timer] : [],
  )
  return events.some(
    ({ type, data }) =>
      (type === 'node.completed' && data.effect === effect) || (type === 'timer.fired' && timers.includes(data.timer)),
  )
}

test('a plan receives each message once, in order, and each of its waits takes the next one of its name', async () => {
  let [died, repeated, taken] = [0, 0, 0]
  await check(
    fc.asyncProperty(waits, fc.record(scenario), async (list, { steps, crashes, snapshotEvery }) => {
      const result = await run(waiter(list), steps, crashes, snapshotEvery)
      checkReceived(result)
      checkTaken(result, list)
      died += result.lives.crashes
      const sent = steps.reduce((sum, each) => sum + ('send' in each ? each.send.length : 0), 0)
      repeated += sent - result.arrived.length
      taken += result.events.filter(({ type }) => type === 'node.completed').length
    }),
    150,
  )
  for (const count of [died, repeated, taken]) expect(count).toBeGreaterThan(20)
})

test('a hand-written machine hears each message once, in order', async () => {
  await check(
    fc.asyncProperty(fc.record(scenario), async ({ steps, crashes, snapshotEvery }) => {
      const result = await run(writer, steps, crashes, snapshotEvery)
      const received = checkReceived(result)
      const job = await result.lives.runtime.job('job')
      expect(job.getSnapshot().context).toEqual({ heard: received })
    }),
    100,
  )
})
