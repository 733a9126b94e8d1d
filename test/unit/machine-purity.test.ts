import { describe, expect, test } from 'vitest'
import { and, assign, createMachine, enqueueActions, fromPromise, not, raise, sendTo, setup } from 'xstate'
import { fromMachine } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'

/** A machine that reads the world is caught: at once, by name, or when its history is replayed. */

const earlyDate = Date
const { now: earlyNow } = Date

/** Runs a job of this machine, tells it to go, and gives what it failed with. */
async function failure(config: object, implementations: object = {}) {
  const machine = setup(implementations as never).createMachine({ id: 'm', ...config } as never)
  const agent = fromMachine('impure', machine as never)
  const runtime = await testRuntime({ agents: [agent] })
  const job = await runtime.spawn(agent, null)
  await job.signal('go', {})
  await runtime.settle()
  return { error: job.getSnapshot().error, job, agent }
}

describe('what a guard reads', () => {
  const reads: [string, () => unknown, string][] = [
    ['Date.now', () => Date.now(), 'the clock (Date.now)'],
    ['new Date', () => new Date(), 'the clock (new Date)'],
    ['Date()', () => Date(), 'the clock (new Date)'],
    ['a Date taken before', () => earlyDate.now(), 'the clock (Date.now)'],
    ['performance.now', () => performance.now(), 'the clock (performance.now)'],
    ['Math.random', () => Math.random(), 'randomness (Math.random)'],
    ['crypto.randomUUID', () => crypto.randomUUID(), 'randomness (crypto.randomUUID)'],
    ['crypto.getRandomValues', () => crypto.getRandomValues(new Uint8Array(1)), 'randomness (crypto.getRandomValues)'],
    ['fetch', () => fetch('http://localhost'), 'the network (fetch)'],
    ['setTimeout', () => setTimeout(() => {}, 1), 'a timer (setTimeout)'],
    ['setInterval', () => setInterval(() => {}, 1), 'a timer (setInterval)'],
    ['setImmediate', () => setImmediate(() => {}), 'a timer (setImmediate)'],
  ]
  test.each(reads)('%s', async (_, read, what) => {
    const guards = { late: () => Boolean(read()) }
    const { error, job, agent } = await failure({ on: { go: { guard: 'late', actions: () => {} } } }, { guards })
    expect(error).toMatchObject({
      code: 'MACHINE_IMPURE',
      message: expect.stringContaining(`guard "late" used ${what}`),
    })
    expect((await replay(agent, job.events())).divergence).toBeUndefined()
  })

  test('and swallows the error of that', async () => {
    const guards = {
      late: () => {
        try {
          return Date.now() > 0
        } catch {
          return false
        }
      },
    }
    const { error } = await failure({ on: { go: { guard: 'late', actions: () => {} } } }, { guards })
    expect(error).toMatchObject({ code: 'MACHINE_IMPURE' })
  })
})

describe('who reads is named', () => {
  const read = () => Date.now()
  const places: [string, object, object?][] = [
    ['guard of on "go" of the root', { on: { go: { guard: () => read() > 0, actions: () => {} } } }],
    ['guard of on "go" of the root', { on: { go: { guard: and([not(() => read() > 0)]), actions: () => {} } } }],
    [
      'guard "both"',
      { on: { go: { guard: 'both', actions: () => {} } } },
      { guards: { both: and([() => read() > 0]) } },
    ],
    [
      'params of guard of on "go" of the root',
      { on: { go: { guard: { type: 'g', params: read }, actions: () => {} } } },
      { guards: { g: () => true } },
    ],
    ['action of on "go" of the root', { context: {}, on: { go: { actions: assign(() => ({ at: read() })) } } }],
    ['action of on "go" of the root to "at"', { context: {}, on: { go: { actions: assign({ at: read }) } } }],
    [
      'action "stamp" to "at"',
      { context: {}, on: { go: { actions: 'stamp' } } },
      { actions: { stamp: assign({ at: read }) as never } },
    ],
    [
      'params of action of on "go" of the root',
      { on: { go: { actions: { type: 'a', params: read } } } },
      { actions: { a: () => {} } },
    ],
    ['action of on "go" of the root', { on: { go: { actions: raise(() => ({ type: `${read()}` })) } } }],
    [
      'action of on "go" of the root',
      { on: { go: { actions: sendTo(() => read() as never, { type: 'x' } as never) } } },
    ],
    ['action of on "go" of the root', { on: { go: { actions: enqueueActions(() => read()) } } }],
    [
      'action of on "go" of the root to "at"',
      { context: {}, on: { go: { actions: enqueueActions(({ enqueue }) => enqueue.assign({ at: read })) } } },
    ],
    ['entry action of state "on" to "at"', states({ entry: assign({ at: read }) })],
    [
      'exit action of state "on" to "at"',
      {
        ...states({}),
        ...{ initial: 'on', states: { on: { exit: assign({ at: read }), on: { go: 'off' } }, off: {} } },
      },
    ],
    ['guard of always of state "on"', states({ always: { guard: read, target: 'off' } })],
    ['delay "soon"', states({ after: { soon: 'off' } }), { delays: { soon: read } }],
    [
      'input of invoke "call" in state "on"',
      states({ invoke: { src: 'call', input: read } }),
      { actors: { call: fromPromise(async () => 1) } },
    ],
    ['output of the machine', { ...states({ type: 'final' }), output: read }],
    [
      'output of state "on.end"',
      states({ initial: 'end', states: { end: { type: 'final', output: read } }, onDone: 'off' }),
    ],
    [
      'context of the machine',
      states({ invoke: { src: 'child' } }),
      { actors: { child: createMachine({ context: () => ({ at: read() }) }) } },
    ],
  ]

  /** A machine that goes `on`, which is done there. */
  function states(on: object): object {
    return { context: {}, initial: 'idle', states: { idle: { on: { go: 'on' } }, on, off: {} } }
  }

  test.each(places)('%s', async (name, config, implementations) => {
    const { error } = await failure(config, implementations)
    expect(error).toMatchObject({ code: 'MACHINE_IMPURE', message: expect.stringContaining(`${name} used the clock`) })
  })

  test('in the first step, where no job is made', async () => {
    for (const context of [() => ({ at: Date.now() }), () => swallowing()]) {
      const agent = fromMachine('impure', createMachine({ context }))
      const runtime = await testRuntime({ agents: [agent] })
      await expect(runtime.spawn(agent, null, { id: 'job' })).rejects.toMatchObject({
        code: 'MACHINE_IMPURE',
        message: expect.stringContaining('context of the machine used the clock'),
      })
      await expect(runtime.job('job')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' })
    }
  })

  function swallowing(): object {
    try {
      return { at: Date.now() }
    } catch {
      return { at: 0 }
    }
  }
})

describe('what is changed in place', () => {
  const places: [string, object, unknown][] = [
    [
      'the context',
      { list: [2, 1] },
      ({ context }: { context: { list: number[] } }) => ({ list: context.list.sort() }),
    ],
    ['the event', {}, ({ event }: { event: { list: number[] } }) => ({ list: event.list.sort() })],
  ]
  test.each(places)('%s', async (_, context, change) => {
    const agent = fromMachine('impure', createMachine({ context, on: { go: { actions: assign(change as never) } } }))
    const runtime = await testRuntime({ agents: [agent] })
    const job = await runtime.spawn(agent, null)
    await job.signal('go', { list: [2, 1] })
    await runtime.settle()
    expect(job.getSnapshot().error).toMatchObject({
      code: 'MACHINE_IMPURE',
      message: expect.stringContaining('action of on "go" of the root changed something in place'),
    })
    expect((await replay(agent, job.events())).divergence).toBeUndefined()
  })

  test('the output of a call', async () => {
    const call = fromPromise(async () => [2, 1])
    const sort = assign({ list: ({ event }) => (event as unknown as { output: number[] }).output.sort() })
    const { error, job, agent } = await failure(
      {
        context: {},
        initial: 'on',
        states: { on: { invoke: { src: 'call', onDone: { actions: sort } } } },
        on: { go: { actions: () => {} } },
      },
      { actors: { call } },
    )
    expect(error).toMatchObject({ code: 'MACHINE_IMPURE' })
    expect((await replay(agent, job.events())).divergence).toBeUndefined()
  })
})

test('what only calculates is let through', async () => {
  const calculate = assign({
    day: () => new Date('2026-01-31').getUTCDate(),
    utc: () => Date.UTC(2026, 0),
    is: () => new Date(0) instanceof Date,
    round: () => Math.round(1.5),
  })
  const { job } = await failure({ context: {}, on: { go: { actions: calculate } } })
  expect(job.getSnapshot().context).toEqual({ day: 31, utc: Date.UTC(2026, 0), is: true, round: 2 })
})

test('the world is back in reach after each step', async () => {
  const { error } = await failure({ on: { go: { guard: () => Date.now() > 0, actions: () => {} } } })
  expect(error).toBeDefined()
  expect([Date, Date.now, Math.random() < 1]).toEqual([earlyDate, earlyNow, true])
  expect(Object.hasOwn(performance, 'now')).toBe(false)
})

describe('what escapes', () => {
  let calls = 0
  const counting = () => {
    calls += 1
    return calls
  }

  test('is seen where it gets into the context, with what the step called', async () => {
    const { job, agent } = await failure({ context: { n: 0 }, on: { go: { actions: assign({ n: counting }) } } })
    const { divergence } = await replay(agent, job.events())
    expect(divergence).toMatchObject({ seq: 1, path: 'context.n', called: ['action of on "go" of the root to "n"'] })
  })

  test('also in that of a child', async () => {
    const child = createMachine({ context: { n: 0 }, on: { go: { actions: assign({ n: counting }) } } })
    const { job, agent } = await failure(
      { invoke: { id: 'kid', src: 'child' }, on: { go: { actions: sendTo('kid', { type: 'go' }) } } },
      { actors: { child } },
    )
    expect((await replay(agent, job.events())).divergence).toMatchObject({
      seq: 1,
      path: 'children.kid.snapshot.context.n',
    })
  })

  test('is seen where it leads to another state', async () => {
    let isFirst = true
    const guards = {
      lucky: () => {
        const was = isFirst
        isFirst = false
        return was
      },
    }
    const config = { initial: 'on', states: { on: { on: { go: { guard: 'lucky', target: 'off' } } }, off: {} } }
    const { job, agent } = await failure(config, { guards })
    expect((await replay(agent, job.events())).divergence).toEqual({
      seq: 1,
      path: 'state.running',
      recorded: 'off',
      replayed: 'on',
      called: ['guard "lucky"'],
    })
  })

  test('is seen by a recovery, which leaves the job as it is and says why', async () => {
    calls = 0
    const delays = { long: () => counting() * 1_000 }
    const machine = setup({ delays }).createMachine({
      initial: 'on',
      states: { on: { after: { long: 'off' } }, off: {} },
    })
    const agent = fromMachine('impure', machine)
    // Without snapshots a recovery folds all of the history.
    const store = Object.assign(memoryStore(), { snapshot: async () => undefined })
    const before = await testRuntime({ agents: [agent], store })
    const job = await before.spawn(agent, null)
    const { problems } = await before.reopen({ afterMs: 60_000 }).then(async (after) => {
      await after.settle()
      return after
    })
    expect(problems[0]).toMatchObject({ jobId: job.id, error: { code: 'REPLAY_DIVERGED', seq: 1 } })
    expect(String(problems[0]?.error)).toMatch(/data\.dueAt was recorded as .* The last step called: delay "long"/)
  })
})
