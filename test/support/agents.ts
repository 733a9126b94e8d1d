import { z } from 'zod'
import { agent, signal, tool } from '../../src/index.ts'

/** Counts calls, so that tests can say how often a tool really ran. */
export const calls: string[] = []

export const search = tool({
  name: 'search',
  input: z.object({ query: z.string() }),
  output: z.object({ urls: z.array(z.string()) }),
  effect: 'read',
  run: ({ query }) => {
    calls.push('search')
    return { urls: [`http://localhost/${query}`] }
  },
})

export const write = tool({
  name: 'write',
  input: z.object({ topic: z.string(), urls: z.array(z.string()) }),
  output: z.object({ text: z.string() }),
  effect: 'read',
  run: ({ topic, urls }) => {
    calls.push('write')
    return { text: `${topic}: ${urls.join(', ')}` }
  },
})

export const publish = tool({
  name: 'publish',
  input: z.object({ text: z.string() }),
  output: z.object({ page: z.string() }),
  run: () => {
    calls.push('publish')
    return { page: 'http://localhost/reports/1' }
  },
})

export const approval = signal('approval', z.object({ approved: z.boolean(), by: z.string() }))

export const reviewTimeoutMs = 3 * 86_400_000

/** Finds, drafts, waits for a person, and publishes if the person agrees. */
export const researcher = agent({
  name: 'researcher',
  input: z.object({ topic: z.string() }),
  output: z.object({ page: z.string().optional() }),
  tools: [search, write, publish],
  signals: [approval],
  plan(graph, { topic }) {
    const found = graph.call('find', search, { query: topic })
    const draft = graph.call('draft', write, { topic, urls: found.urls })
    const review = graph.wait('review', approval, { after: [draft], timeoutMs: reviewTimeoutMs })
    const posted = graph.call('publish', publish, { text: draft.text }, { when: review.approved })
    return { page: posted.page }
  },
})
