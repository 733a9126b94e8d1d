import { resolve } from 'node:path'
import type { Command } from 'commander'
import { isAetherisError } from '../base/error.ts'
import { backup as backUp } from '../operations/backup.ts'
import { type CommonOptions, type Context, ending } from './context.ts'
import { withStore } from './data.ts'
import { exit } from './exit-codes.ts'
import { plural } from './text.ts'

export function backup(program: Command, context: Context): void {
  program
    .command('backup')
    .description('write all jobs to a file that `restore` takes')
    .requiredOption('--to <FILE>', 'a file that is not there yet, or a directory to make one in')
    .action(ending(context, (options: Options) => write(context, options)))
}

interface Options extends CommonOptions {
  to: string
}

async function write(context: Context, options: Options): Promise<number> {
  const { io, output } = context
  const target = resolve(io.cwd, options.to)
  const report = await withStore(context, options, (store) =>
    backUp(store, target, { onProgress: ({ jobs }) => output.draw(`  ${plural(jobs, 'job')} written`) }),
  ).catch((error: unknown) => {
    if (isAetherisError(error, 'STORE_LOCKED'))
      output.note('A store in use is backed up by its own process: backup(store, file) of aetheris/operations.')
    throw error
  })
  output.clear()
  if (output.json) await output.value(report)
  await output.lines(`${plural(report.jobs, 'job')}, ${plural(report.events, 'event')}: ${report.file}`)
  return exit.done
}
