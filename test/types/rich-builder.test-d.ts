import { z } from 'zod'
import type { Graph } from '../../src/graph/builder.ts'
import type { Ref } from '../../src/graph/ref.ts'
import {
  agent,
  all,
  any,
  eq,
  exists,
  gt,
  gte,
  is,
  isIn,
  lt,
  lte,
  ne,
  not,
  signal,
  tool,
  undo,
  type When,
} from '../../src/index.ts'

/** Wrong programs must not compile: child jobs, choices, loops, what undoes and what a failure means. Never run. */

const book = tool({
  name: 'book',
  input: z.object({ name: z.string() }),
  output: z.object({ id: z.string(), price: z.number(), seat: z.string().optional() }),
  run: ({ name }) => ({ id: name, price: 1 }),
})
const cancel = tool({
  name: 'cancel',
  input: z.object({ id: z.string(), nth: z.int().optional() }),
  output: z.null(),
  run: () => null,
})
const answer = signal('answer', z.object({ yes: z.boolean(), by: z.enum(['ana', 'bob']), at: z.number() }))
const child = agent({
  name: 'child',
  input: z.object({ topic: z.string() }),
  output: z.object({ pages: z.array(z.string()) }),
  plan: () => ({ pages: [] }),
})

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never
function same<A, B>(_: Same<A, B>): void {}

export function spawns(graph: Graph): void {
  const booked = graph.call('booked', book, { name: 'x' })
  const made = graph.spawn('made', child, { topic: booked.id })
  same<typeof made.pages, Ref<string[]>>(true)
  const started = graph.spawn('started', child, { topic: 'x' }, { detach: true, onParentEnd: 'terminate' })
  same<typeof started, Ref<{ jobId: string }>>(true)
  const maybe = graph.spawn('maybe', child, { topic: 'x' }, { onFailure: 'continue', when: is(exists as never) })
  same<typeof maybe.pages, Ref<string[] | undefined>>(true)
  // @ts-expect-error the input of another agent
  graph.spawn('a', child, { name: 'x' })
  // @ts-expect-error a number for a text
  graph.spawn('b', child, { topic: booked.price })
  // @ts-expect-error what may be missing for what is needed
  graph.spawn('c', child, { topic: booked.seat })
  // @ts-expect-error a detached child gives no output
  graph.call('d', book, { name: started.pages })
  // @ts-expect-error nothing else can become of a child
  graph.spawn('e', child, { topic: 'x' }, { onParentEnd: 'forget' })
  // @ts-expect-error a child has no attempts
  graph.spawn('f', child, { topic: 'x' }, { timeoutMs: 5 })
  // @ts-expect-error nobody is asked before a child is started
  graph.spawn('g', child, { topic: 'x' }, { approval: {} })
  // @ts-expect-error a tool is no agent
  graph.spawn('h', 'child', { topic: 'x' })
  graph.spawn(
    'i',
    child,
    { topic: 'x' },
    {
      detach: true,
      // @ts-expect-error what undoes a detached child is given its id, and no output
      compensate: (output) => undo(cancel, { id: output.pages[0] }),
    },
  )
  graph.spawn('j', child, { topic: 'x' }, { detach: true, compensate: (output) => undo(cancel, { id: output.jobId }) })
}

export function choices(graph: Graph): void {
  const reply = graph.wait('reply', answer)
  const way = graph.choose('way', {
    dear: { when: gt(reply.at, 5), plan: (on) => ({ id: on.call('dear', book, { name: 'x' }).id }) },
    cheap: { when: reply.yes, plan: () => ({ id: 'none', note: reply.by }) },
    none: { plan: () => 'nothing' },
  })
  same<typeof way, Ref<{ id: string } | { id: string; note: 'ana' | 'bob' } | string | undefined>>(true)
  // @ts-expect-error a choice may be without a way
  graph.call('a', book, { name: way })
  // @ts-expect-error a way has a plan
  graph.choose('b', { one: { when: reply.yes } })
  // @ts-expect-error a text decides nothing
  graph.choose('c', { one: { when: reply.by, plan: () => 1 } })
  // @ts-expect-error a boolean is made too early
  graph.choose('d', { one: { when: true, plan: () => 1 } })
  // @ts-expect-error a choice cannot fail
  graph.choose('e', { one: { plan: () => 1 } }, { onFailure: 'continue' })
  // @ts-expect-error nor can it take too long
  graph.choose('f', { one: { plan: () => 1 } }, { deadlineMs: 5 })
  // @ts-expect-error the wrong input inside a way
  graph.choose('g', { one: { plan: (on) => on.call('h', book, { name: 5 }) } })
}

export function loops(graph: Graph): void {
  const start = { total: 0, last: 'none' }
  const grown = graph.loop<{ total: number; last: string }>(
    'grown',
    start,
    (inner, state, iteration) => {
      same<typeof state.total, Ref<number>>(true)
      same<typeof iteration, Ref<number>>(true)
      const booked = inner.call('step', book, { name: state.last })
      return { total: booked.price, last: booked.id }
    },
    { until: (state, iteration) => any(gte(state.total, 10), gt(iteration, 3)), max: 5, onMax: 'stop' },
  )
  same<typeof grown.total, Ref<number>>(true)
  const maybe = graph.loop('maybe', 0, (_, state) => state, {
    until: (state) => gte(state, 1),
    max: 5,
    onFailure: 'continue',
  })
  same<typeof maybe, Ref<number | undefined>>(true)
  // @ts-expect-error an end is needed
  graph.loop('a', 0, (_, state) => state, { max: 5 })
  // @ts-expect-error a bound is needed
  graph.loop('b', 0, (_, state) => state, { until: (state) => gte(state, 1) })
  // @ts-expect-error what an iteration gives is the next state
  graph.loop<number>('c', 0, () => 'text', { until: (state) => gte(state, 1), max: 5 })
  // @ts-expect-error and so is what the first one begins with
  graph.loop<number>('d', 'text', (_, state) => state, { until: (state) => gte(state, 1), max: 5 })
  // @ts-expect-error a comparison by > is made too early
  graph.loop<number>('e', 0, (_, state) => state, { until: (state) => (state as never as number) > 1, max: 5 })
  // @ts-expect-error after the last iteration it stops or fails
  graph.loop<number>('f', 0, (_, state) => state, { until: (state) => gte(state, 1), max: 5, onMax: 'continue' })
  graph.loop<number>('g', 0, (_, state) => state, {
    until: (state) => gte(state, 1),
    max: 5,
    // @ts-expect-error what undoes belongs to the nodes inside
    compensate: () => undo(cancel, { id: 'x' }),
  })
}

export function undoing(graph: Graph): void {
  graph.call('a', book, { name: 'x' }, { compensate: (booked) => undo(cancel, { id: booked.id }) })
  graph.map('b', book, ['x', 'y'], (name) => ({ name }), {
    compensate: (booked, name, index) => {
      same<typeof booked, Ref<z.output<typeof book.output>>>(true)
      same<typeof name, Ref<string>>(true)
      return undo(cancel, { id: booked.id, nth: index })
    },
  })
  // @ts-expect-error the input of what undoes is that of its tool
  graph.call('c', book, { name: 'x' }, { compensate: (booked) => undo(cancel, { id: booked.price }) })
  // @ts-expect-error a misspelt field of what is undone
  graph.call('d', book, { name: 'x' }, { compensate: (booked) => undo(cancel, { id: booked.ident }) })
  // @ts-expect-error what may be missing
  graph.call('e', book, { name: 'x' }, { compensate: (booked) => undo(cancel, { id: booked.seat }) })
  // @ts-expect-error a call of this plan undoes nothing
  graph.call('f', book, { name: 'x' }, { compensate: (booked) => graph.call('g', cancel, { id: booked.id }) })
  // @ts-expect-error a tool alone does not say with which input
  graph.call('h', book, { name: 'x' }, { compensate: () => cancel })
  // @ts-expect-error a wait has done nothing
  graph.wait('i', answer, { compensate: () => undo(cancel, { id: 'x' }) })
  // @ts-expect-error a sleep neither
  graph.sleep('j', 5, { compensate: () => undo(cancel, { id: 'x' }) })
}

export function failures(graph: Graph): void {
  const maybe = graph.call('maybe', book, { name: 'x' }, { onFailure: 'continue', deadlineMs: 5 })
  same<typeof maybe.id, Ref<string | undefined>>(true)
  const surely = graph.call('surely', book, { name: 'x' }, { onFailure: 'fail' })
  same<typeof surely.id, Ref<string>>(true)
  const some = graph.map('some', book, ['x'], (name) => ({ name }), { onItemFailure: 'collect', onFailure: 'continue' })
  same<
    typeof some,
    Ref<
      | (
          | { status: 'completed'; output: z.output<typeof book.output> }
          | { status: 'failed'; error: { name: string; message: string; code?: string } }
        )[]
      | undefined
    >
  >(true)
  // @ts-expect-error what may have failed for what is needed
  graph.call('a', book, { name: maybe.id })
  // @ts-expect-error nothing else can follow from a failure
  graph.call('b', book, { name: 'x' }, { onFailure: 'ignore' })
  // @ts-expect-error a time is a number of milliseconds
  graph.call('c', book, { name: 'x' }, { deadlineMs: '5s' })
  // @ts-expect-error an item fails the map, or is collected
  graph.map('d', book, ['x'], (name) => ({ name }), { onItemFailure: 'continue' })
  // @ts-expect-error a wait has its timeout
  graph.wait('e', answer, { deadlineMs: 5 })
  // @ts-expect-error a wait does not fail
  graph.wait('f', answer, { onFailure: 'continue' })
  // @ts-expect-error a sleep is a time itself
  graph.sleep('g', 5, { deadlineMs: 5 })
}

export function approvals(graph: Graph): void {
  graph.call(
    'a',
    book,
    { name: 'x' },
    {
      approval: {
        options: { all: 'approve', none: 'deny' },
        by: ['ana'],
        timeoutMs: 5,
        onTimeout: 'approve',
        escalate: { afterMs: 1, to: ['boss'] },
      },
    },
  )
  // @ts-expect-error a verdict is approve or deny
  graph.call('b', book, { name: 'x' }, { approval: { options: { all: 'maybe' } } })
  // @ts-expect-error several may answer
  graph.call('c', book, { name: 'x' }, { approval: { by: 'ana' } })
  // @ts-expect-error the verdict when the time is over
  graph.call('d', book, { name: 'x' }, { approval: { onTimeout: 'escalate' } })
  // @ts-expect-error somebody has to be named
  graph.call('e', book, { name: 'x' }, { approval: { escalate: { afterMs: 5 } } })
  // @ts-expect-error only a tool says always
  graph.call('f', book, { name: 'x' }, { approval: 'always' })
  // @ts-expect-error only a tool has a condition
  graph.call('g', book, { name: 'x' }, { approval: { when: () => true } })
  // @ts-expect-error nobody is asked before a wait
  graph.wait('h', answer, { approval: {} })
}

export function conditions(graph: Graph): void {
  const reply = graph.wait('reply', answer)
  const when: When = all(is(reply.yes), ne(reply.by, 'ana'), lt(reply.at, 5), lte(reply.at, 6), isIn(reply.by, ['bob']))
  graph.sleep('a', 5, { when: any(when, not(reply.yes), exists(reply)) })
  // @ts-expect-error a text is not true
  is(reply.by)
  // @ts-expect-error a value is no reference
  eq('ana', reply.by)
  // @ts-expect-error of another type
  eq(reply.at, '5')
  // @ts-expect-error booleans have no order
  lt(reply.yes, true)
  // @ts-expect-error not one of them
  isIn(reply.by, ['carl'])
  // @ts-expect-error a list is needed
  isIn(reply.by, 'ana')
  // @ts-expect-error a text cannot be negated
  not(reply.by)
  // @ts-expect-error nor can it be one of all
  all(reply.yes, reply.by)
  // @ts-expect-error a value always exists
  exists('ana')
}

export function revisions(graph: Graph): void {
  graph.revise({ onSettled: true, onFailure: true })
  // @ts-expect-error nothing else leads to another plan
  graph.revise({ onTimeout: true })
  // @ts-expect-error when it is known already, it is no question
  graph.revise({ onSettled: 'always' })
}

export const wrongBudget = agent({
  name: 'wrong-budget',
  input: z.object({}),
  output: z.null(),
  // @ts-expect-error no such limit
  budget: { money: 5 },
  plan: () => null,
})
