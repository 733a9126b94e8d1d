import type { Command } from 'commander'
import { isAetherisError } from '../base/error.ts'
import type { JobRow, JobStore } from '../store/store.ts'
import { type CommonOptions, type Context, ending } from './context.ts'
import { withStore } from './data.ts'
import { exit } from './exit-codes.ts'
import { plural } from './text.ts'

export function verify(program: Command, context: Context): void {
  program
    .command('verify')
    .description('check that the data is whole: of one job, or everything')
    .argument('[id]', 'a job')
    .action(ending(context, (id: string | undefined, options: CommonOptions) => check(context, id, options)))
}

interface Found {
  jobs: number
  events: number
  findings: { message: string; kind?: string; jobId?: string; seq?: number }[]
}

async function check(context: Context, jobId: string | undefined, options: CommonOptions): Promise<number> {
  const { output } = context
  const found: Found = { jobs: 0, events: 0, findings: [] }
  try {
    await withStore(context, options, async (store, problems) => {
      output.note(...problems.map(({ message }) => message))
      await look(store, jobId, found)
    })
  } catch (error) {
    if (!isAetherisError(error, 'STORE_CORRUPT')) throw error
    const { message, jobId: job, seq } = error
    found.findings.push({ message, ...(job && { jobId: job }), ...(seq !== undefined && { seq }) })
  }
  const whole = found.findings.length === 0
  if (output.json) await output.value({ whole, ...found })
  await output.lines(...found.findings.map(({ message }) => message))
  const seen = `${plural(found.jobs, 'job')}, ${plural(found.events, 'event')}`
  await output.lines(whole ? `${seen}: whole` : `damaged: ${plural(found.findings.length, 'finding')}`)
  return whole ? exit.done : exit.damaged
}

async function look(store: JobStore, jobId: string | undefined, found: Found): Promise<void> {
  for await (const finding of store.verify(jobId)) found.findings.push(finding)
  for await (const { seq } of rowsOf(store, jobId)) {
    found.jobs += 1
    found.events += seq
  }
}

async function* rowsOf(store: JobStore, jobId: string | undefined): AsyncGenerator<JobRow, void, void> {
  if (jobId === undefined) return yield* store.list()
  const row = await store.get(jobId)
  if (row !== undefined) yield row
}
