import { describe, expect, test } from 'vitest'
import {
  type AnyStateMachine,
  assign,
  createMachine,
  enqueueActions,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  raise,
  sendTo,
  setup,
  spawnChild,
} from 'xstate'
import { fromMachine } from '../../src/index.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'

/** What cannot be made durable is refused, and the message says what it is and where. */

const callback = fromCallback(() => {})
const promise = fromPromise(async () => 1)
const quiet = { subscribe: () => ({ unsubscribe: () => {} }) } as never

describe('when the agent is defined', () => {
  const refused: [string, () => AnyStateMachine, RegExp][] = [
    [
      'a named callback actor',
      () => setup({ actors: { listen: callback } }).createMachine({ invoke: { src: 'listen' } }),
      /actor "listen" is a callback or observable actor/,
    ],
    [
      'an inline callback actor',
      () => createMachine({ initial: 'on', states: { on: { invoke: { src: callback } } } }),
      /invoke in state "on" is a callback or observable actor/,
    ],
    [
      'an observable actor',
      () => createMachine({ invoke: { src: fromObservable(() => quiet) } }),
      /invoke in the root is a callback or observable actor/,
    ],
    [
      'an event observable actor',
      () => createMachine({ invoke: { src: fromEventObservable(() => quiet) } }),
      /invoke in the root is a callback or observable actor/,
    ],
    [
      'the same in a child machine',
      () => createMachine({ invoke: { src: createMachine({ id: 'child', invoke: { src: callback } }) } }),
      /Machine "child" .* invoke in the root is a callback/,
    ],
    ['something that is no actor', () => createMachine({ invoke: { src: {} as never } }), /invoke in the root/],
    [
      'onSnapshot',
      () => setup({ actors: { child: createMachine({}) } }).createMachine({ invoke: { src: 'child', onSnapshot: {} } }),
      /invoke "child" in the root has onSnapshot/,
    ],
    [
      'a delayed raise',
      () => createMachine({ on: { go: { actions: raise({ type: 'x' }, { delay: 10 }) } } }),
      /action of on "go" of the root sends with a delay; use after/,
    ],
    [
      'a delayed raise of no delay',
      () => createMachine({ entry: raise({ type: 'x' }, { delay: 0 }) }),
      /entry action of the root sends with a delay/,
    ],
    [
      'a delayed sendTo, as a named action',
      () => setup({ actions: { later: sendTo('x', { type: 'x' }, { delay: 'soon' as never }) } }).createMachine({}),
      /action "later" sends with a delay/,
    ],
    [
      'a delayed raise in the action of an initial transition',
      () =>
        createMachine({
          initial: { target: 'on', actions: raise({ type: 'x' }, { delay: 10 }) } as never,
          states: { on: {} },
        }),
      /action of initial of the root sends with a delay/,
    ],
    [
      'a child without a name',
      () => createMachine({ entry: spawnChild(promise, { id: 'x' }) }),
      /entry action of the root spawns an actor that has no name/,
    ],
    [
      'a child without an id',
      () => setup({ actors: { promise } }).createMachine({ entry: spawnChild('promise') }),
      /entry action of the root spawns "promise" without an id/,
    ],
    [
      'a child whose snapshots are sent',
      () =>
        setup({ actors: { promise } }).createMachine({ entry: spawnChild('promise', { id: 'x', syncSnapshot: true }) }),
      /spawns "promise" with syncSnapshot/,
    ],
    [
      'a context that is no JSON',
      () => createMachine({ context: { at: new Date(0) } }),
      /The context of machine "\(machine\)" is not plain JSON at at: an instance of Date/,
    ],
    [
      'an output that is no JSON',
      () => createMachine({ output: { list: [Number.NaN] } }),
      /The output of machine .* list\[0\]/,
    ],
    [
      'a delay that nobody knows',
      () => createMachine({ initial: 'on', states: { on: { after: { soon: 'on' } } } }),
      /the delay "soon" of state "on" is soon; it must be a number of milliseconds from 0/,
    ],
    ['a delay before now', () => createMachine({ after: { [-1]: {} } }), /the delay "-1" of the root is -1/],
    ['an endless delay', () => createMachine({ after: { [Number.POSITIVE_INFINITY]: {} } }), /the delay "Infinity"/],
    [
      'a history that could not be found again',
      () =>
        createMachine({
          initial: 'a.b',
          states: { 'a.b': { initial: 'x', states: { x: {}, back: { type: 'history' } } } },
        }),
      /has a history state, and a state with the id "\(machine\)\.a\.b", which cannot be found again/,
    ],
  ]
  test.each(refused)('%s', (_, machine, message) => {
    const define = () => fromMachine('refused', machine())
    expect(define).toThrow(message)
    expect(define).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^(MACHINE_UNSUPPORTED|OUTPUT_INVALID)$/) }),
    )
  })

  test('what is no machine', () => {
    for (const value of [undefined, {}, promise, { config: {}, implementations: {} }])
      expect(() => fromMachine('no-machine', value as never)).toThrow(/needs a machine of XState 5/)
  })

  test('effects that name nothing in the machine', () => {
    const machine = setup({ actors: { charge: promise } }).createMachine({ invoke: { id: 'payment', src: 'charge' } })
    expect(() => fromMachine('typo', machine, { effects: { chrage: 'read' } })).toThrow(
      /effects names "chrage", .* there are: charge, payment/,
    )
  })
})

describe('when the job runs', () => {
  /** What a job of this machine fails with when it is told to go. */
  async function failure(action: unknown, more: object = {}, actors: object = { promise, child: createMachine({}) }) {
    const machine = setup({ actors } as never).createMachine({
      id: 'running',
      context: {},
      on: { go: { actions: action as never } },
      ...more,
    } as never)
    const agent = fromMachine('running', machine as never)
    const runtime = await testRuntime({ agents: [agent], snapshotEvery: 1 })
    const job = await runtime.spawn(agent, null)
    await job.signal('go', {})
    await runtime.settle()
    expect(runtime.problems).toEqual([])
    return job.getSnapshot().error
  }

  class Account {}
  const values: [string, unknown, RegExp][] = [
    ['a Date', new Date(0), /an instance of Date/],
    ['a Map', new Map(), /an instance of Map/],
    ['a function', () => {}, /a function is not JSON/],
    ['an instance of a class', new Account(), /an instance of Account/],
    ['NaN', Number.NaN, /NaN is no JSON number/],
    ['a BigInt', 1n, /a bigint is not JSON/],
  ]
  test.each(values)('a context with %s', async (_, value, why) => {
    const error = await failure(assign({ deep: { value } }))
    expect(error).toMatchObject({ code: 'MACHINE_UNSUPPORTED', message: expect.stringMatching(why) })
    expect(error?.message).toMatch(/^The context of machine "running" is not plain JSON at deep.value: /)
  })

  test('a context that contains itself', async () => {
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    expect(await failure(assign({ circle }))).toMatchObject({ code: 'MACHINE_UNSUPPORTED' })
  })

  test('a context of a child', async () => {
    const child = createMachine({ context: () => ({ at: new Date(0) }) })
    const error = await failure([], { invoke: { id: 'kid', src: 'child' } }, { child }).catch((thrown) => thrown)
    expect(error).toMatchObject({
      code: 'MACHINE_UNSUPPORTED',
      message: expect.stringMatching(/^The context of machine "running", actor "kid" is not plain JSON at at/),
    })
  })

  test('an input of a call', async () => {
    const error = await failure(spawnChild('promise', { id: 'call', input: { on: () => {} } } as never))
    expect(error).toMatchObject({
      code: 'MACHINE_UNSUPPORTED',
      message: expect.stringMatching(/^The input of machine "running", actor "call" is not plain JSON at on/),
    })
  })

  const actors: [string, unknown][] = [
    ['itself', assign({ ref: ({ self }) => self })],
    [
      'a child that was stopped',
      enqueueActions(({ enqueue }) => {
        enqueue.assign({
          ref: (({ spawn }: { spawn: (...args: unknown[]) => unknown }) => spawn('child', { id: 'kid' })) as never,
        })
        enqueue.stopChild('kid')
      }),
    ],
  ]
  test.each(actors)('a context that holds %s', async (_, action) => {
    expect(await failure(action)).toMatchObject({
      code: 'MACHINE_UNSUPPORTED',
      message: expect.stringMatching(/holds the actor ".*", which is no child of it, or was stopped/),
    })
  })

  const spawns: [string, unknown, RegExp][] = [
    [
      'without a name',
      assign({ ref: ({ spawn }) => spawn(promise, { id: 'x' }) }),
      /to "ref" spawns an actor that has no name/,
    ],
    ['without an id', assign(({ spawn }) => ({ ref: spawn('child' as never) })), /spawns "child" without an id/],
    [
      'enqueued without an id',
      enqueueActions(({ enqueue }) => enqueue.spawnChild('child' as never)),
      /action of on "go" of the root spawns "child" without an id/,
    ],
  ]
  test.each(spawns)('a child spawned %s', async (_, action, message) => {
    expect(await failure(action)).toMatchObject({
      code: 'MACHINE_UNSUPPORTED',
      message: expect.stringMatching(message),
    })
  })

  test('a delayed send that is enqueued', async () => {
    const action = enqueueActions(({ enqueue }) => enqueue.raise({ type: 'go' }, { delay: 5 }))
    expect(await failure(action)).toMatchObject({
      code: 'MACHINE_UNSUPPORTED',
      message: expect.stringMatching(/sends with a delay/),
    })
  })

  test('a delay that is computed wrongly', async () => {
    const machine = setup({ delays: { soon: () => Number.NaN } }).createMachine({
      initial: 'on',
      states: { on: { after: { soon: 'off' } }, off: {} },
    })
    const agent = fromMachine('running', machine)
    const runtime = await testRuntime({ agents: [agent] })
    const job = await runtime.spawn(agent, null)
    expect(job.getSnapshot().error).toMatchObject({
      code: 'MACHINE_UNSUPPORTED',
      message: expect.stringMatching(/the delay "soon" of state "on" is NaN/),
    })
  })

  test('an output that is no JSON', async () => {
    const error = await failure([], {
      initial: 'on',
      states: { on: { on: { go: 'off' } }, off: { type: 'final' } },
      output: () => new Set(),
    })
    expect(error).toMatchObject({
      code: 'OUTPUT_INVALID',
      message: expect.stringMatching(/The output of machine "running"/),
    })
  })

  test('a job whose first step is refused is not made at all', async () => {
    const agent = fromMachine('never', createMachine({ context: () => ({ at: new Date(0) }) }))
    const runtime = await testRuntime({ agents: [agent] })
    await expect(runtime.spawn(agent, null, { id: 'job' })).rejects.toMatchObject({ code: 'MACHINE_UNSUPPORTED' })
    await expect(runtime.job('job')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' })
  })
})
