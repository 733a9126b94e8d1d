import { assign, fromPromise, setup } from 'xstate'
import { z } from 'zod'
import type { AnyAgent } from '../../src/agent/agent.ts'
import { NoPlan } from '../../src/agent/planner.ts'
import type { Json } from '../../src/base/json.ts'
import type { TaskGraph } from '../../src/graph/graph.ts'
import { agent, fromMachine, gte, signal, undo } from '../../src/index.ts'
import type { Kernel } from './kernel.ts'
import { outputOf, type World } from './world.ts'

/** Agents that between them use everything that a job may. */

export const go = signal('go', z.object({ n: z.number() }))

export const agentNames = [
  'chain',
  'parallel',
  'approved',
  'waiting',
  'mapped',
  'saga',
  'looping',
  'parent',
  'planned',
  'revised',
  'tasked',
  'charted',
  'sleepy',
] as const
export type AgentName = (typeof agentNames)[number]

export function agentsOf(kernel: Kernel, world: World): Record<AgentName, AnyAgent> {
  const read = world.tool('read', 'read')
  const store = world.tool('store', 'idempotent')
  const pay = world.tool('pay', 'once')
  const wire = world.askable('wire')
  const cancelled = world.tool('cancelled', 'idempotent', {
    retry: { maxAttempts: 1_000, initialDelayMs: 100, maxDelayMs: 500 },
  })
  const any = { input: z.any(), output: z.any(), graceMs: 3_000 }

  const chain = agent({
    ...any,
    name: 'chain',
    tools: [read, store, pay],
    plan(graph, input) {
      const a = graph.call('a', read, { input })
      const b = graph.call('b', store, { a })
      return graph.call('c', pay, { b })
    },
  })

  const parallel = agent({
    ...any,
    name: 'parallel',
    tools: [read, wire, pay],
    plan(graph, input) {
      const parts = [
        graph.call('a', read, { input }),
        graph.call('b', wire, { input }),
        graph.call('c', pay, { input }),
      ]
      return graph.call('d', read, { parts }, { deadlineMs: 60_000, onFailure: 'continue' })
    },
  })

  const careful = world.tool('careful', 'once', { approval: 'always' })
  const approved = agent({
    ...any,
    name: 'approved',
    tools: [careful, pay],
    plan(graph, input) {
      const a = graph.call('a', careful, { input })
      return graph.call(
        'b',
        pay,
        { a },
        {
          approval: { timeoutMs: 20_000, onTimeout: 'approve', escalate: { afterMs: 5_000, to: ['boss'] } },
        },
      )
    },
  })

  const waiting = agent({
    ...any,
    name: 'waiting',
    tools: [read],
    signals: [go],
    plan(graph, input) {
      const first = graph.wait('first', go, { timeoutMs: 30_000 })
      const second = graph.wait('second', go, { after: [first] })
      const third = graph.call('third', read, { input, second })
      return { first, third }
    },
  })

  const mapped = agent({
    ...any,
    name: 'mapped',
    tools: [read, store, pay],
    plan(graph, input) {
      const read1 = graph.map('items', pay, [1, 2, 3, 4, 5, 6], (item) => ({ item, input }), {
        concurrency: 2,
        onItemFailure: 'collect',
      })
      return graph.map('more', store, [1, 2, 3], (item) => ({ item, read1 }), { concurrency: 3 })
    },
  })

  const saga = agent({
    ...any,
    name: 'saga',
    tools: [pay, store, cancelled],
    plan(graph, input) {
      const compensate = (output: unknown) => undo(cancelled, { output } as never)
      const flight = graph.call('flight', pay, { input }, { compensate })
      const hotel = graph.call('hotel', store, { flight }, { compensate })
      const car = graph.call('car', pay, { flight }, { compensate })
      return graph.call('all', store, { hotel, car })
    },
  })

  const looping = agent({
    ...any,
    name: 'looping',
    tools: [read, store],
    plan(graph, input) {
      return graph.loop(
        'again',
        { last: input as unknown },
        (body, state) => {
          const slept = body.sleep('rest', 1_000)
          const got = body.call('get', read, { state }, { after: [slept] })
          return { last: body.call('keep', store, { got }) }
        },
        { until: (_, iteration) => gte(iteration, 2), max: 5 },
      )
    },
  })

  const parent = agent({
    ...any,
    name: 'parent',
    agents: [chain],
    tools: [read],
    plan(graph, input) {
      const child = graph.spawn('child', chain, { input } as never)
      return graph.call('last', read, { child })
    },
  })

  const planned = agent({
    ...any,
    name: 'planned',
    tools: [read, pay],
    planner: {
      name: 'planner',
      answersMax: 3,
      timeoutMs: 10_000,
      plan: async ({ rejected }) => {
        await new Promise<void>((resolve) => kernel.after(kernel.between(0, 2_000), resolve))
        if (!world.isCalm && rejected.length < 2 && kernel.chance(0.3)) {
          kernel.inject('planner talks')
          return new NoPlan('Let me think.', [{ path: [], code: 'not_json', message: 'no JSON' }])
        }
        const plan: TaskGraph = {
          nodes: [
            { id: 'a', kind: 'call', tool: 'read', input: { $input: [] } },
            { id: 'b', kind: 'call', tool: 'pay', input: { a: { $ref: ['a'] } } },
          ],
          output: { $ref: ['b'] },
        }
        return plan
      },
    },
  })

  const revised = agent({
    ...any,
    name: 'revised',
    tools: [read, store],
    planner: {
      name: 'reviser',
      plan: ({ round }) =>
        round < 3
          ? {
              nodes: [{ id: `r${round}`, kind: 'call', tool: 'read', input: { round } }],
              output: null,
              revise: { onSettled: true },
            }
          : {
              nodes: [
                { id: 'last', kind: 'call', tool: 'store', input: { all: [{ $ref: ['r1'] }, { $ref: ['r2'] }] } },
              ],
              output: { $ref: ['last'] },
            },
    },
  })

  const task = world.tasker('task')
  const tasked = agent({
    ...any,
    name: 'tasked',
    tools: [task, read],
    plan(graph, input) {
      const a = graph.call('a', task, { input })
      return graph.call('b', read, { a })
    },
  })

  const sleepy = agent({
    ...any,
    name: 'sleepy',
    tools: [read],
    plan(graph, input) {
      const long = graph.sleep('long', 86_400_000)
      const short = graph.sleep('short', 5_000)
      return graph.call('a', read, { input }, { after: [long, short] })
    },
  })

  return {
    chain,
    parallel,
    approved,
    waiting,
    mapped,
    saga,
    looping,
    parent,
    planned,
    revised,
    tasked,
    sleepy,
    charted: charted(kernel),
  }
}

/** A hand-written machine: a promise, a timer, a signal. */
function charted(kernel: Kernel): AnyAgent {
  const machine = setup({
    types: { context: {} as { seen: number; got: number[] }, events: {} as { type: 'go'; n: number } },
    actors: {
      look: fromPromise(
        ({ input }: { input: { seen: number } }) =>
          new Promise<number>((resolve) => kernel.after(kernel.between(0, 1_000), () => resolve(input.seen + 1))),
      ),
    },
  }).createMachine({
    context: { seen: 0, got: [] },
    initial: 'looking',
    on: { go: { actions: assign({ got: ({ context, event }) => [...context.got, event.n] }) } },
    states: {
      looking: {
        invoke: {
          id: 'look',
          src: 'look',
          input: ({ context }) => ({ seen: context.seen }),
          onDone: { target: 'resting', actions: assign({ seen: ({ event }) => event.output }) },
          onError: 'resting',
        },
      },
      resting: {
        always: { guard: ({ context }) => context.seen >= 3, target: 'done' },
        after: { 2000: 'looking' },
      },
      done: { type: 'final' },
    },
    output: ({ context }) => context,
  })
  return fromMachine('charted', machine, { effects: { look: 'idempotent' }, graceMs: 3_000 })
}

/** What a job comes to where nobody has interfered; undefined where that depends on what happened. */
export function expected(name: string, input: Json): Json | undefined {
  const chain = (given: Json) => outputOf('pay', { b: outputOf('store', { a: outputOf('read', { input: given }) }) })
  switch (name) {
    case 'chain':
      return chain(input)
    case 'parent':
      return outputOf('read', { child: chain({ input }) })
    case 'planned':
      return outputOf('pay', { a: outputOf('read', input) })
    case 'revised':
      return outputOf('store', { all: [outputOf('read', { round: 1 }), outputOf('read', { round: 2 })] })
    case 'tasked':
      return outputOf('read', { a: outputOf('task', { input }) })
    case 'sleepy':
      return outputOf('read', { input })
    case 'looping': {
      const next = (state: Json): Json => ({ last: outputOf('store', { got: outputOf('read', { state }) }) })
      return next(next(next({ last: input })))
    }
    default:
      return undefined
  }
}
