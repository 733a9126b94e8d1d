import { z } from 'zod'
import { type Agent, agent, eq, exists, is, signal, TerminalError, type Tool, tool, undo } from '../../src/index.ts'

/** Agents that plan, for the histories in test/golden. Their plans are in the histories, so they may change. */

const anything = { input: z.any(), output: z.any() }
export const review = signal('review', z.object({ approved: z.boolean() }))
const never = () => new Promise<never>(() => {})

const look = tool({
  ...anything,
  name: 'look',
  output: z.object({ seen: z.any() }),
  effect: 'read',
  run: (input) => ({ seen: input }),
})
const ask = tool({ ...anything, name: 'ask', effect: 'once', run: (input) => ({ asked: input }) })
const fail = tool({
  ...anything,
  name: 'fail',
  effect: 'idempotent',
  run: () => {
    throw new TerminalError('no, never')
  },
})

/** Goes on until it is told to stop. */
const obedient = tool({
  ...anything,
  name: 'obedient',
  effect: 'once',
  run: (_, { abortSignal }) =>
    new Promise((_resolve, reject) => abortSignal.addEventListener('abort', () => reject(abortSignal.reason))),
})

/** Works at the attempt of this number; the ones before fail, or hang. */
const worksAt = (number: number, before: 'fail' | 'hang') =>
  tool({
    ...anything,
    name: 'eventually',
    effect: 'read',
    run(_, { attempt }) {
      if (attempt < number && before === 'hang') return never()
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

const busy = tool({ ...anything, name: 'busy', effect: 'once', run: never })
const reconciling = tool({
  ...anything,
  name: 'reconciling',
  effect: 'once',
  run: never,
  reconcile: () => ({ status: 'completed', output: 'was done' }),
})

const guarded = tool({
  ...anything,
  name: 'guarded',
  effect: 'once',
  approval: { by: ['ana'], escalate: { afterMs: 1_000, to: ['bob'] }, timeoutMs: 86_400_000 },
  run: (_, { approval }) => approval ?? null,
})

const reporting = tool({
  ...anything,
  name: 'reporting',
  effect: 'read',
  run(_, { progress, charge }) {
    progress({ percent: 50 })
    charge(3)
    return 'reported'
  },
})

/** An agent whose plan is one call. */
function calling(name: string, called: Tool): Agent {
  return agent({ ...anything, name, tools: [called], plan: (graph) => graph.call('call', called, { n: 1 }) })
}

export const failing = calling('failing', fail)
export const retrying = calling('retrying', worksAt(3, 'fail'))
export const recovering = calling('recovering', worksAt(2, 'hang'))
export const stopping = calling('stopping', obedient)
export const losing = calling('losing', busy)
export const finding = calling('finding', reconciling)
export const late = calling('late', slow)
export const asking = calling('asking', guarded)
export const telling = calling('telling', reporting)

export const chain = agent({
  ...anything,
  name: 'chain',
  tools: [look, ask],
  plan(graph, { topic }) {
    const first = graph.call('first', look, { topic })
    return { first, second: graph.call('second', ask, { about: first }) }
  },
})

export const map = agent({
  ...anything,
  name: 'map',
  tools: [look, ask],
  plan(graph) {
    const each = graph.map('each', look, [1, 2, 3, 4, 5], (item, index) => ({ item, index }), { concurrency: 2 })
    return graph.call('all', ask, each)
  },
})

export const waiting = agent({
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

export const skipping = agent({
  ...anything,
  name: 'skipping',
  tools: [look],
  plan(graph, { wanted }) {
    const first = graph.call('first', look, null, { when: is(wanted) })
    return { first, second: graph.call('second', look, { first }, { when: exists(first) }) }
  },
})

export const choosing = agent({
  ...anything,
  name: 'choosing',
  tools: [look],
  plan(graph) {
    const first = graph.call('first', look, 'left')
    const way = graph.choose('way', {
      left: { when: eq(first.seen, 'left'), plan: (inner) => inner.call('went', look, 'left') },
      right: { plan: (inner) => inner.call('gone', look, 'right') },
    })
    return graph.loop('count', { seen: 'start' as unknown }, (inner, state) => inner.call('more', look, state), {
      until: (_, iteration) => eq(iteration, 2),
      max: 5,
      after: [way],
    })
  },
})

export const undoing = agent({
  ...anything,
  name: 'undoing',
  tools: [look, ask, fail, obedient],
  plan(graph) {
    const done = graph.call('done', ask, 'a room', { compensate: (output) => undo(look, { undone: output }) })
    graph.call('under-way', obedient, null, { after: [done] })
    return graph.call('bad', fail, null, { after: [done] })
  },
})

export const parent = agent({
  ...anything,
  name: 'parent',
  agents: [chain],
  plan: (graph) => graph.spawn('child', chain, { topic: 'milk' }),
})

export const spending = agent({
  ...anything,
  name: 'spending',
  tools: [look],
  budget: { toolCalls: 1 },
  plan(graph) {
    const first = graph.call('first', look, 1)
    return graph.call('second', look, first)
  },
})

/** Asked again, its planner adds a node. */
export const planned = agent({
  ...anything,
  name: 'planned',
  tools: [look],
  signals: [review],
  planner: {
    name: 'rules',
    plan: ({ input, round }) => ({
      nodes:
        round === 1
          ? [
              { id: 'a', kind: 'call', tool: 'look', input },
              { id: 'b', kind: 'wait', signal: 'review', after: ['a'] },
            ]
          : [{ id: 'c', kind: 'call', tool: 'look', input: { $ref: ['a', 'seen'] } }],
      output: { $ref: [round === 1 ? 'b' : 'c'] },
    }),
  },
})
