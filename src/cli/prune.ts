import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { prune as letGo } from '../operations/prune.ts'
import { type CommonOptions, type Context, ending } from './context.ts'
import { withStore } from './data.ts'
import { exit, UsageError } from './exit-codes.ts'
import { plural } from './text.ts'
import { wholeNumber } from './whole-number.ts'

export function prune(program: Command, context: Context): void {
  program
    .command('prune')
    .description('delete jobs that have ended; their ids are never used again')
    .option('--settled-before <AGE>', 'only jobs whose last event is older: 30d, 12h, 90min', ageMs)
    .option('--keep <NUMBER>', 'only jobs beyond the newest so many of their agent', wholeNumber)
    .option('--agent <NAME>', 'only jobs of this agent')
    .option('--archive <DIR>', 'write what is deleted to a file there first; `restore` takes it')
    .option('--dry-run', 'only say what would be deleted')
    .action(ending(context, (options: Options) => remove(context, options)))
}

interface Options extends CommonOptions {
  settledBefore?: number
  keep?: number
  agent?: string
  archive?: string
  dryRun?: true
}

const unitMs: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, min: 60_000, s: 1_000 }

function ageMs(text: string): number {
  const [, number, unit = ''] = /^(\d{1,9})(d|h|min|s)$/.exec(text) ?? []
  const size = unitMs[unit]
  if (size === undefined) throw new InvalidArgumentError('It has to be an age: 30d, 12h, 90min or 5s.')
  return Number(number) * size
}

async function remove(context: Context, options: Options): Promise<number> {
  const { io, output } = context
  const { settledBefore: age, keep, agent, archive, dryRun = false } = options
  if (age === undefined && keep === undefined)
    throw new UsageError('Say which jobs: --settled-before AGE, --keep NUMBER or both.')
  const now = Date.now()
  if (archive !== undefined && !dryRun) await mkdir(resolve(io.cwd, archive), { recursive: true, mode: 0o700 })
  const report = await withStore(context, options, (store) =>
    letGo(store, {
      ...(age !== undefined && { settledBefore: now - age }),
      ...(keep !== undefined && { keep }),
      ...(agent !== undefined && { agent }),
      ...(archive !== undefined && { archive: join(resolve(io.cwd, archive), `aetheris-archive-${now}.jsonl`) }),
      dryRun,
      onProgress: (archived) => output.draw(`  ${plural(archived, 'job')} archived`),
    }),
  )
  output.clear()
  const { pruned, events, file } = report
  if (output.json) await output.value({ ...report, dryRun })
  if (dryRun) await output.lines(...pruned)
  const what = `${plural(pruned.length, 'job')}, ${plural(events, 'event')}`
  await output.lines(
    `${what} ${dryRun ? 'would be deleted' : 'deleted'}${file === undefined ? '' : `, kept in ${file}`}`,
  )
  return exit.done
}
