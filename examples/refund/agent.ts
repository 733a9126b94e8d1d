/**
 * A refund. A large one needs somebody to agree; where nobody has answered for a day, the head of the shop may as well,
 * and after three days it is not made. The customer is told either way.
 *
 *     aetheris run examples/refund/agent.ts --id refund-7 --input '{"order":"A-7","amount":250}'
 *     aetheris why refund-7
 *     aetheris approve refund-7 pay --by ana
 */
import { appendFile } from 'node:fs/promises'
import { agent, tool } from 'aetheris'
import { z } from 'zod'

const day = 86_400_000

// #region tool
const pay = tool({
  name: 'pay', // `once` is the default: a call without a recorded outcome is never made again by itself
  input: z.object({ order: z.string(), amount: z.int(), books: z.string() }),
  output: z.object({ receipt: z.string() }),
  approval: {
    when: ({ amount }) => amount > 100,
    by: ['ana', 'ben'],
    escalate: { afterMs: day, to: ['carla'] },
    timeoutMs: 3 * day, // and then: deny
  },
  async run({ order, amount, books }, { approval, idempotencyKey }) {
    await appendFile(books, `paid ${amount} for ${order}, agreed by ${approval?.by ?? 'the rules'}\n`)
    return { receipt: idempotencyKey }
  },
})
// #endregion

const tell = tool({
  name: 'tell',
  input: z.object({ order: z.string(), receipt: z.string().optional(), books: z.string() }),
  output: z.null(),
  async run({ order, receipt, books }) {
    await appendFile(books, `told the customer of ${order}: ${receipt === undefined ? 'no refund' : 'refunded'}\n`)
    return null
  },
})

export const refund = agent({
  name: 'refund',
  input: z.object({
    order: z.string(),
    amount: z.int().min(1),
    /** The file that stands for the world outside. */
    books: z.string().default('books.txt'),
  }),
  output: z.object({ receipt: z.string().optional() }),
  tools: [pay, tell],
  // #region plan
  plan(graph, { order, amount, books }) {
    const { receipt } = graph.call('pay', pay, { order, amount, books }, { onFailure: 'continue' })
    graph.call('tell', tell, { order, receipt, books })
    return { receipt }
  },
  // #endregion
})
