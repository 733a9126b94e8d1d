import { agent, tool } from 'aetheris'
import { z } from 'zod'

const payload = z.object({ n: z.int(), text: z.string() })

/** A step that returns about 200 bytes at once: what is left is the runtime's own cost. */
export const step = tool({
  name: 'step',
  input: payload,
  output: payload,
  effect: 'read',
  run: ({ n, text }) => ({ n: n + 1, text }),
})

const text = 'x'.repeat(180)

/** `steps` calls, each on the output of the one before. */
export const chain = agent({
  name: 'chain',
  input: z.object({ steps: z.int() }),
  output: payload,
  tools: [step],
  plan(graph, { steps }) {
    let last = graph.call('s1', step, { n: 0, text })
    for (let index = 2; index <= steps; index += 1) last = graph.call(`s${index}`, step, last)
    return last
  },
})

/** `width` calls at once, joined. */
export const fan = agent({
  name: 'fan',
  input: z.object({ width: z.int() }),
  output: z.array(payload),
  tools: [step],
  plan: (graph, { width }) =>
    Array.from({ length: width }, (_, index) => graph.call(`s${index}`, step, { n: index, text })),
})
