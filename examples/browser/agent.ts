/** Tea, made in a browser tab: a tool, a timer and somebody's word. */
import { agent, signal, tool } from 'aetheris'
import { z } from 'zod'

const boil = tool({
  name: 'boil',
  input: z.object({ tea: z.string() }),
  output: z.object({ celsius: z.number() }),
  effect: 'read',
  run: ({ tea }) => ({ celsius: tea === 'green' ? 80 : 100 }),
})

export const taste = signal('taste', z.object({ good: z.boolean() }))

export const cup = agent({
  name: 'cup',
  input: z.object({ tea: z.string(), steepMs: z.number() }),
  output: z.object({ celsius: z.number(), good: z.boolean() }),
  tools: [boil],
  signals: [taste],
  plan(graph, { tea, steepMs }) {
    const water = graph.call('boil', boil, { tea })
    const steeped = graph.sleep('steep', steepMs, { after: [water] })
    const answer = graph.wait('taste', taste, { after: [steeped] })
    return { celsius: water.celsius, good: answer.good }
  },
})
