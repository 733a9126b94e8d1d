import { resolve } from 'node:path'
import type { Command } from 'commander'
import { restore as fill } from '../operations/restore.ts'
import { type CommonOptions, type Context, ending, lineToType } from './context.ts'
import { defaultData } from './data.ts'
import { exit, UsageError } from './exit-codes.ts'
import { plural, timeText } from './text.ts'

export function restore(program: Command, context: Context): void {
  program
    .command('restore')
    .description('make a data directory, an empty one, from a backup or an archive')
    .argument('<FILE>', 'what `backup` or `prune --archive` has written')
    .action(ending(context, (file: string, options: CommonOptions) => read(context, file, options)))
}

async function read(context: Context, file: string, options: CommonOptions): Promise<number> {
  const { io, output } = context
  if (options.data === '') throw new UsageError('--data is empty; name a directory.')
  const report = await fill(resolve(io.cwd, file), resolve(io.cwd, options.data ?? defaultData), {
    onProgress: ({ jobs }) => output.draw(`  ${plural(jobs, 'job')} restored`),
  })
  output.clear()
  if (output.json) await output.value(report)
  const { jobs, events, at, paused } = report
  await output.lines(`${plural(jobs, 'job')}, ${plural(events, 'event')} as of ${timeText(at)}`)
  if (paused.length > 0) {
    output.note(
      `${plural(paused.length, 'job')} will pause before doing anything: what was done since ${timeText(at)} is not known.`,
      'See that nothing is done twice, then go on with each:',
      ...paused.slice(0, 10).map((id) => `  ${lineToType(context, options, 'resume', id)}`),
      ...(paused.length > 10
        ? [`  and ${paused.length - 10} more; list them with: ${lineToType(context, options, 'jobs')}`]
        : []),
    )
  }
  return exit.done
}
