import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { JobLoss } from '../operations/rebuild.ts'
import { repair as salvage } from '../operations/repair.ts'
import { type CommonOptions, type Context, ending, lineToType } from './context.ts'
import { directoryOf } from './data.ts'
import { exit } from './exit-codes.ts'
import { agentOf } from './history.ts'
import { plural } from './text.ts'

export function repair(program: Command, context: Context): void {
  program
    .command('repair')
    .description('make a new data directory of what is whole in a damaged one, which stays as it is')
    .requiredOption('--to <DIR>', 'the new data directory: one that is empty, or not there')
    .option(
      '--module <PATH>',
      'defines the agents, for jobs that cannot be folded without; default: as in each history',
    )
    .action(ending(context, (options: Options) => rebuild(context, options)))
}

interface Options extends CommonOptions {
  to: string
  module?: string
}

async function rebuild(context: Context, options: Options): Promise<number> {
  const { io, output } = context
  const to = resolve(io.cwd, options.to)
  output.note('Reading what LevelDB can still read, in a copy ...')
  const report = await salvage(directoryOf(context, options), to, {
    agentOf: (created) => agentOf(io, created, options.module),
    onProgress: (jobs) => output.draw(`  ${plural(jobs, 'job')} kept`),
  })
  output.clear()
  if (output.json) await output.value({ to, ...report })
  const { jobs, events, damaged, doubts, paused } = report
  await output.lines(...damaged.flatMap(lossText), ...doubts)
  const isWhole = damaged.length === 0 && doubts.length === 0
  await output.lines(
    `${plural(jobs, 'job')}, ${plural(events, 'event')} kept in ${to}${isWhole ? '; nothing is lost' : ''}`,
  )
  if (paused.length > 0) {
    output.note(
      `${plural(paused.length, 'job')} will pause before doing anything. See that nothing is done twice, then go on:`,
    )
    for (const id of paused.slice(0, 10)) output.note(`  ${lineToType(context, { data: options.to }, 'resume', id)}`)
  }
  return isWhole ? exit.done : exit.damaged
}

function lossText({ jobId, kept, known, losses }: JobLoss): string[] {
  const last = known - 1
  const gone = kept === last ? `event ${kept} is lost` : `events ${kept} to ${last} are lost`
  const head =
    kept === 0 ? `${jobId}: the job is lost, ${plural(known, 'event')}` : kept < known ? `${jobId}: ${gone}` : jobId
  return [head, ...losses.map((loss) => `  ${loss}`)]
}
