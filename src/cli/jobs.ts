import type { Command } from 'commander'
import { type CommonOptions, type Context, ending } from './context.ts'
import { withStore } from './data.ts'
import { exit } from './exit-codes.ts'
import { table, timeText } from './text.ts'

export function jobs(program: Command, context: Context): void {
  program
    .command('jobs')
    .description('list the jobs of a data directory')
    .action(ending(context, (options: CommonOptions) => list(context, options)))
}

async function list(context: Context, options: CommonOptions): Promise<number> {
  const { output } = context
  const rows: { id: string; agent: string; status: string; events: number; createdAt: number; updatedAt: number }[] = []
  await withStore(context, options, async (store) => {
    for await (const { id, agent, status, seq, createdAt, updatedAt } of store.list()) {
      rows.push({ id, agent, status, events: seq, createdAt, updatedAt })
    }
  })
  if (output.json) await output.value(rows)
  else if (rows.length === 0) output.note('There are no jobs yet.')
  else {
    const cells = rows.map((row) => [row.id, row.agent, row.status, String(row.events), timeText(row.updatedAt)])
    await output.lines(...table([['ID', 'AGENT', 'STATUS', 'EVENTS', 'UPDATED'], ...cells]))
  }
  return exit.done
}
