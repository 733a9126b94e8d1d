/**
 * A list of invoices is entered one by one. How many there are is known only when the file was read, some of them cannot
 * be entered, and the report tells of both.
 *
 *     aetheris run examples/invoices/agent.ts --id march
 */
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { agent, TerminalError, tool } from 'aetheris'
import { z } from 'zod'

const row = z.object({ number: z.string(), customer: z.string(), amount: z.string() })
type Row = z.infer<typeof row>

const read = tool({
  name: 'read',
  input: z.object({ file: z.string() }),
  output: z.array(row),
  effect: 'read',
  async run({ file }) {
    const [, ...lines] = (await readFile(file, 'utf8')).trim().split('\n')
    return lines.map((line) => {
      const [number = '', customer = '', amount = ''] = line.split(',')
      return { number, customer, amount }
    })
  },
})

const enter = tool({
  name: 'enter',
  input: z.object({ row, ledger: z.string() }),
  output: z.object({ cents: z.int() }),
  async run({ row: { number, customer, amount }, ledger }) {
    if (customer === '') throw new TerminalError('It names no customer.')
    if (!/^\d+(\.\d\d?)?$/.test(amount)) throw new TerminalError(`"${amount}" is no amount.`)
    const cents = Math.round(Number(amount) * 100)
    await appendFile(ledger, `${number} ${customer} ${cents}\n`)
    return { cents }
  },
})

/** How a map with `onItemFailure: 'collect'` tells of each item. */
const ended = z.discriminatedUnion('status', [
  z.object({ status: z.literal('completed'), output: z.object({ cents: z.int() }) }),
  z.object({ status: z.literal('failed'), error: z.object({ name: z.string(), message: z.string() }) }),
])

const write = tool({
  name: 'write',
  input: z.object({ rows: z.array(row), results: z.array(ended), report: z.string() }),
  output: z.object({ entered: z.int(), cents: z.int(), refused: z.array(z.string()) }),
  effect: 'idempotent', // the same report, written twice
  async run({ rows, results, report }) {
    const cents = results.reduce((sum, each) => sum + (each.status === 'completed' ? each.output.cents : 0), 0)
    const refused = results.flatMap((each, index) =>
      each.status === 'failed' ? [`${(rows[index] as Row).number}: ${each.error.message}`] : [],
    )
    await writeFile(report, `Entered ${rows.length - refused.length} of ${rows.length}.\n${refused.join('\n')}\n`)
    return { entered: rows.length - refused.length, cents, refused }
  },
})

export const invoices = agent({
  name: 'invoices',
  input: z.object({
    file: z.string().default(fileURLToPath(new URL('invoices.csv', import.meta.url))),
    ledger: z.string().default('ledger.txt'),
    report: z.string().default('report.txt'),
  }),
  output: write.output,
  tools: [read, enter, write],
  // #region plan
  plan(graph, { file, ledger, report }) {
    const rows = graph.call('read', read, { file })
    const results = graph.map('enter', enter, rows, (row) => ({ row, ledger }), {
      concurrency: 2,
      onItemFailure: 'collect', // each item tells how it ended; `fail`, the default, ends the map at the first failure
    })
    return graph.call('write', write, { rows, results, report })
  },
  // #endregion
})
