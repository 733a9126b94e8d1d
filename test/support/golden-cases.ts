import { createMachine, fromPromise, setup } from 'xstate'
import { z } from 'zod'
import type { AnyAgent } from '../../src/agent/agent.ts'
import { exists, is } from '../../src/graph/question.ts'
import { agent, fromMachine, signal, TerminalError, tool } from '../../src/index.ts'
import type { TestRuntime } from '../../src/testing/test-runtime.ts'

/**
 * The jobs whose histories are kept in test/golden, each with what happens to it.
 *
 * Histories of hand-written machines are replayed on the machines here. So a machine stays what it is once a history
 * of it was kept; another one gets another name. Plans are in their histories.
 */
export interface GoldenCase {
  agent: AnyAgent
  /** What happens after the job `golden` was started; gives the runtime that has it in the end. */
  happen?(runtime: TestRuntime): Promise<TestRuntime>
}

const anything = { input: z.any(), output: z.any() }
const review = signal('review', z.object({ approved: z.boolean() }))
const never = () => new Promise<never>(() => {})

const look = tool({ ...anything, name: 'look', effect: 'read', run: (input) => ({ seen: input }) })
const ask = tool({ ...anything, name: 'ask', effect: 'once', run: (input) => ({ asked: input }) })
const busy = tool({ ...anything, name: 'busy', effect: 'once', run: never })
const stubborn = tool({
  ...anything,
  name: 'stubborn',
  effect: 'idempotent',
  run: () => {
    throw new TerminalError('no, never')
  },
})

/** Works at the attempt of this number, and does not return from the one before where it is to hang. */
const worksAt = (number: number, hang = false) =>
  tool({
    ...anything,
    name: 'eventually',
    effect: 'read',
    run(_, { attempt }) {
      if (attempt < number && hang) return never()
      if (attempt < number) throw new Error(`not yet (${attempt})`)
      return attempt
    },
  })

/** Comes back only when its time is over. */
const slow = tool({
  ...anything,
  name: 'slow',
  effect: 'once',
  timeoutMs: 1_000,
  run: (_, { abortSignal }) =>
    new Promise((resolve) => abortSignal.addEventListener('abort', () => resolve('after all'))),
})

const chain = agent({
  ...anything,
  name: 'chain',
  tools: [look, ask],
  plan(graph, { topic }) {
    const first = graph.call('first', look, { topic })
    return { first, second: graph.call('second', ask, { about: first }) }
  },
})

const map = agent({
  ...anything,
  name: 'map',
  tools: [look, ask],
  plan(graph) {
    const each = graph.map('each', look, [1, 2, 3, 4, 5], (item, index) => ({ item, index }), { concurrency: 2 })
    return graph.call('all', ask, each)
  },
})

const waiting = agent({
  ...anything,
  name: 'waiting',
  tools: [ask],
  signals: [review],
  plan(graph) {
    const answer = graph.wait('review', review, { timeoutMs: 86_400_000 })
    const nap = graph.sleep('nap', 1_000)
    return graph.call('publish', ask, { answer }, { after: [nap], when: exists(answer) })
  },
})

const skipping = agent({
  ...anything,
  name: 'skipping',
  tools: [look],
  plan(graph, { wanted }) {
    const first = graph.call('first', look, null, { when: is(wanted) })
    return { first, second: graph.call('second', look, { first }, { when: exists(first) }) }
  },
})

const calling = (name: string, called: ReturnType<typeof tool>) =>
  agent({ ...anything, name, tools: [called], plan: (graph) => graph.call('call', called, { n: 1 } as never) })

const planned = agent({
  ...anything,
  name: 'planned',
  tools: [look],
  planner: {
    name: 'rules',
    plan: ({ input }) => ({
      nodes: [
        { id: 'a', kind: 'call', tool: 'look', input: input as never },
        { id: 'b', kind: 'call', tool: 'look', input: { $ref: ['a', 'seen'] } },
      ],
      output: { $ref: ['b'] },
    }),
  },
})

const told = fromPromise(async ({ input }: { input: string }) => `told ${input}`)
const child = setup({ actors: { told } }).createMachine({
  id: 'child',
  initial: 'telling',
  states: {
    telling: { invoke: { id: 'tell', src: 'told', input: 'the child', onDone: 'resting' } },
    resting: { after: { 2000: 'rested' } },
    rested: { type: 'final' },
  },
  output: 'the child is rested',
})

const chart = fromMachine(
  'chart',
  setup({ actors: { told, child, slow: fromPromise(never) } }).createMachine({
    id: 'chart',
    initial: 'first',
    states: {
      first: { invoke: { id: 'tell', src: 'told', input: 'the first', onDone: 'rooms' } },
      rooms: {
        type: 'parallel',
        on: { leave: 'outside', finish: 'end' },
        states: {
          light: {
            initial: 'off',
            states: { off: { on: { switch: 'on' } }, on: { on: { switch: 'off' }, after: { 60000: 'off' } } },
          },
          child: {
            initial: 'awake',
            states: { awake: { invoke: { id: 'child', src: 'child', onDone: 'asleep' } }, asleep: {} },
          },
          work: { invoke: { id: 'slow', src: 'slow' } },
          memory: { type: 'history', history: 'deep' },
        },
      },
      outside: { on: { return: 'rooms.memory' } },
      end: { type: 'final' },
    },
    output: 'went home',
  }),
  { effects: { told: 'read' } },
)

const broken = fromMachine(
  'broken',
  createMachine({
    initial: 'on',
    states: {
      on: {
        on: {
          go: {
            target: 'off',
            guard: () => {
              throw new Error('a bug')
            },
          },
        },
      },
      off: {},
    },
  }),
)

/** Sends signals and lets time pass, in turn. */
async function tell(runtime: TestRuntime, ...steps: (string | number)[]): Promise<TestRuntime> {
  const job = await runtime.job('golden')
  for (const step of steps) {
    if (typeof step === 'number') await runtime.advance(step)
    else await job.signal(step, {})
    await runtime.settle()
  }
  return runtime
}

async function answer(runtime: TestRuntime, approved: boolean): Promise<TestRuntime> {
  await (await runtime.job('golden')).signal(review, { approved })
  return runtime
}

const crash = (runtime: TestRuntime) => runtime.reopen({ afterMs: 5_000 })

export const goldenCases: Readonly<Record<string, GoldenCase>> = {
  chain: { agent: chain },
  map: { agent: map },
  'wait-answered': { agent: waiting, happen: (runtime) => answer(runtime, true).then(() => tell(runtime, 2_000)) },
  'wait-timeout': { agent: waiting, happen: (runtime) => tell(runtime, 86_400_000) },
  skip: { agent: skipping },
  retry: { agent: calling('retry', worksAt(3)), happen: (runtime) => tell(runtime, 60_000) },
  failure: { agent: calling('failure', stubborn) },
  'pause-resume': {
    agent: waiting,
    async happen(runtime) {
      const job = await runtime.job('golden')
      await job.pause({ by: 'ana', reason: 'lunch' })
      await tell(runtime, 10_000)
      await answer(runtime, true)
      await runtime.settle()
      await job.resume({ by: 'ana' })
      return tell(runtime, 10_000)
    },
  },
  cancel: {
    agent: calling('cancel', busy),
    async happen(runtime) {
      await (await runtime.job('golden')).cancel({ by: 'ana', reason: 'enough' })
      return runtime
    },
  },
  recovery: { agent: calling('recovery', worksAt(2, true)), happen: crash },
  'unknown-outcome': { agent: calling('unknown', busy), happen: crash },
  'late-result': { agent: calling('late', slow), happen: (runtime) => tell(runtime, 1_000) },
  planner: { agent: planned },
  chart: {
    agent: chart,
    happen: (runtime) => tell(runtime, 'switch', 500, 'leave', 1_000, 'return', 2_000, 60_000, 'finish'),
  },
  broken: { agent: broken, happen: (runtime) => tell(runtime, 'go') },
}
