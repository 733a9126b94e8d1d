/** Writes a page, has it reviewed by a person, and publishes it if they agree. */
// #region agent
import { appendFile } from 'node:fs/promises'
import { agent, signal, tool } from 'aetheris'
import { z } from 'zod'

const write = tool({
  name: 'write',
  input: z.object({ topic: z.string() }),
  output: z.object({ text: z.string() }),
  effect: 'read', // changes nothing outside, so after a crash it may be called again
  run: ({ topic }) => ({ text: `All about ${topic}.` }),
})

const publish = tool({
  name: 'publish', // `once` is the default: without a recorded outcome it is never called again by itself
  input: z.object({ text: z.string() }),
  output: z.object({ page: z.string() }),
  async run({ text }) {
    await appendFile('pages.txt', `${text}\n`)
    return { page: 'pages.txt' }
  },
})

export const approval = signal('approval', z.object({ approved: z.boolean(), by: z.string() }))

export const review = agent({
  name: 'review',
  input: z.object({ topic: z.string() }),
  output: z.object({ page: z.string().optional() }),
  tools: [write, publish],
  signals: [approval],
  plan(graph, { topic }) {
    const draft = graph.call('draft', write, { topic })
    const answer = graph.wait('review', approval, { after: [draft], timeoutMs: 3 * 86_400_000 })
    const posted = graph.call('publish', publish, { text: draft.text }, { when: answer.approved })
    return { page: posted.page }
  },
})
// #endregion
