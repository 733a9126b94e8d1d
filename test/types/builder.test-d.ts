import { z } from 'zod'
import { buildGraph, type Graph } from '../../src/graph/builder.ts'
import { all, eq, exists, gt, isIn, not } from '../../src/graph/question.ts'
import type { Ref } from '../../src/graph/ref.ts'
import { agent, openRuntime, signal, tool } from '../../src/index.ts'

/** Wrong programs must not compile. Each wrong use is on one line below its expectation. Checked by tsc, never run. */

const search = tool({
  name: 'search',
  input: z.object({ query: z.string(), limit: z.int().optional() }),
  output: z.object({
    urls: z.array(z.string()),
    count: z.int(),
    next: z.string().optional(),
    note: z.string().nullable(),
  }),
  run: () => ({ urls: [], count: 0, note: null }),
})
const write = tool({
  name: 'write',
  input: z.object({ topic: z.string(), urls: z.array(z.string()) }),
  output: z.object({ text: z.string() }),
  run: ({ topic }) => ({ text: topic }),
})
const publish = tool({
  name: 'publish',
  input: z.object({ text: z.string() }),
  output: z.object({ page: z.string() }),
  run: () => ({ page: '' }),
})
const approval = signal('approval', z.object({ approved: z.boolean(), by: z.enum(['ana', 'bob']) }))

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never
function same<A, B>(_: Same<A, B>): void {}

/** The seven wrong uses. */
export const researcher = agent({
  name: 'researcher',
  input: z.object({ topic: z.string() }),
  output: z.object({ page: z.string().optional() }),
  tools: [search, write, publish],
  signals: [approval],
  plan(graph, { topic }) {
    const found = graph.call('find', search, { query: topic })
    // @ts-expect-error 1: a misspelt field of an output
    graph.call('misspelt', write, { topic, urls: found.url })
    // @ts-expect-error 2: a reference of the wrong type
    graph.call('mistyped', write, { topic: found.count, urls: found.urls })
    const draft = graph.call('draft', write, { topic, urls: found.urls })
    const review = graph.wait('review', approval, { after: [draft], timeoutMs: 1_000 })
    // @ts-expect-error 3: `when` is not a reference to a boolean
    graph.call('unasked', publish, { text: draft.text }, { when: review.by })
    const posted = graph.call('publish', publish, { text: draft.text }, { when: review.approved })
    return { page: posted.page }
  },
})

export const strict = agent({
  name: 'strict',
  input: z.object({}),
  output: z.object({ page: z.string() }),
  // @ts-expect-error 4: the output's field is not optional, though its node is conditional
  plan: (graph) => ({
    page: graph.call('publish', publish, { text: 'x' }, { when: graph.wait('w', approval).approved }).page,
  }),
})

export const wrongResult = agent({
  name: 'wrong-result',
  input: z.object({}),
  output: z.object({ page: z.string() }),
  // @ts-expect-error 5: a plan's result of the wrong type
  plan: (graph) => ({ page: graph.call('find', search, { query: 'x' }).count }),
})

export async function uses(): Promise<void> {
  const runtime = await openRuntime({ agents: [researcher] } as unknown as Parameters<typeof openRuntime>[0])
  // @ts-expect-error 6: the wrong input of a job
  const job = await runtime.spawn(researcher, { subject: 'LSM trees' })
  // @ts-expect-error 7: the wrong payload of a signal
  await job.signal(approval, { approved: 'yes', by: 'ana' })
  await job.signal(approval, { approved: true, by: 'ana' })
}

/** More that must not compile, and what must. */
export function graphs(graph: Graph): unknown {
  const found = graph.call('find', search, { query: 'x' })
  same<typeof found.urls, Ref<string[]>>(true)
  same<typeof found.next, Ref<string | undefined>>(true)
  same<(typeof found.urls)[0], Ref<string | undefined>>(true)
  // @ts-expect-error a required input from what may be missing
  graph.call('a', search, { query: found.next })
  // @ts-expect-error a required input from what may be null
  graph.call('b', search, { query: found.note })
  // @ts-expect-error a reference is no text
  graph.call('c', search, { query: found.urls.join(', ') })
  // @ts-expect-error a missing key
  graph.call('d', search, {})
  // @ts-expect-error an unknown option
  graph.call('e', search, { query: 'x' }, { timeout: 5 })
  // @ts-expect-error a name is no reference
  graph.call('f', search, { query: 'x' }, { after: ['find'] })
  // @ts-expect-error a boolean is no reference
  graph.call('g', search, { query: 'x' }, { when: true })
  graph.call(
    'h',
    search,
    { query: 'x', limit: found.count },
    { retry: { maxAttempts: 2 }, timeoutMs: 10, after: [found.urls] },
  )

  const always = graph.wait('always', approval)
  const timed = graph.wait('timed', approval, { timeoutMs: 5 })
  const asked = graph.wait('asked', approval, { when: not(always.approved) })
  same<typeof always.approved, Ref<boolean>>(true)
  same<typeof timed.approved, Ref<boolean | undefined>>(true)
  same<typeof asked.approved, Ref<boolean | undefined>>(true)
  graph.sleep('sleep', 5, {
    after: [always],
    when: all(timed.approved, eq(always.by, 'ana'), gt(found.count, 3), exists(found.next)),
  })
  graph.sleep('in', 5, { when: isIn(always.by, ['ana']) })
  // @ts-expect-error compared with a value of another type
  graph.sleep('eq', 5, { when: eq(always.by, 'carl') })
  // @ts-expect-error objects have no order
  graph.sleep('gt', 5, { when: gt(found, found) })

  const pages = graph.map('pages', search, found.urls, (url, index) => ({ query: url, limit: index }), {
    concurrency: 3,
  })
  same<typeof pages, Ref<z.output<typeof search.output>[]>>(true)
  graph.map('listed', search, ['a', 'b'], (url) => ({ query: url }))
  graph.map('mixed', search, [found.next, always.by], (item) => {
    same<typeof item, Ref<string | undefined>>(true)
    return { query: 'x' }
  })
  // @ts-expect-error the input of an item's call is of the wrong type
  graph.map('i', search, found.urls, (_, index) => ({ query: index }))
  // @ts-expect-error no list
  graph.map('j', search, found.count, () => ({ query: 'x' }))
  const some = graph.map('some', search, found.urls, (query) => ({ query }), { when: timed.approved })
  same<typeof some, Ref<z.output<typeof search.output>[] | undefined>>(true)
  return graph.call('written', write, { topic: always.by, urls: ['a', found.urls[0] as Ref<string>] })
}

export const plan = buildGraph((graph) => ({ page: graph.call('publish', publish, { text: 'x' }).page }))
