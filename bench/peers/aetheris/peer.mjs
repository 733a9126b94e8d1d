import { join } from 'node:path'
import { agent, openRuntime, tool } from 'aetheris'
import { levelStore } from 'aetheris/level'
import { z } from 'zod'

export const title = 'Aetheris'
export const durability = 'LevelDB in the process, each commit synced'

const result = z.object({ job: z.string(), n: z.int(), ok: z.boolean(), text: z.string() })
const count = z.object({ count: z.int() })

export async function open({ directory, step, steps, width }) {
  const stepTool = tool({
    name: 'step',
    input: z.object({ n: z.int(), last: result.nullable() }),
    output: result,
    effect: 'idempotent',
    run: ({ n }, { jobId }) => step(jobId, n),
  })
  const chain = agent({
    name: 'chain',
    input: count,
    output: result,
    tools: [stepTool],
    plan(graph, { count }) {
      let last = graph.call('s0', stepTool, { n: 0, last: null })
      for (let n = 1; n < count; n += 1) last = graph.call(`s${n}`, stepTool, { n, last })
      return last
    },
  })
  const fan = agent({
    name: 'fan',
    input: count,
    output: z.array(result),
    tools: [stepTool],
    plan: (graph, { count }) =>
      Array.from({ length: count }, (_, n) => graph.call(`s${n}`, stepTool, { n, last: null })),
  })
  const runtime = await openRuntime({
    store: levelStore(join(directory, 'data')),
    agents: [chain, fan],
    maxEffects: 1_000,
  })
  return {
    run: async (id) => (await runtime.spawn(chain, { count: steps }, { id })).result(),
    fan: async (id) => (await runtime.spawn(fan, { count: width }, { id })).result(),
    close: () => runtime.close(),
  }
}
