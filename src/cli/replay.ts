import type { Command } from 'commander'
import type { JobStore } from '../store/store.ts'
import { type CommonOptions, type Context, ending } from './context.ts'
import { withStore } from './data.ts'
import { exit, UsageError } from './exit-codes.ts'
import { replayOf, rowOf } from './history.ts'
import { jsonText, plural, table, timeText } from './text.ts'
import { verdictOf, verdictText } from './verdict.ts'
import { wholeNumber } from './whole-number.ts'

interface ReplayOptions extends CommonOptions {
  until?: number
  module?: string
}

export function replay(program: Command, context: Context): void {
  program
    .command('replay')
    .description('fold the history of a job again, with no effects, and compare')
    .argument('<ID>', 'the job')
    .option('--until <SEQ>', 'stop after this event, and show the job as it was then', wholeNumber)
    .option('--module <PATH>', 'where its hand-written machine is defined (default: where it was loaded from)')
    .action(
      ending(context, (id: string, options: ReplayOptions) =>
        withStore(context, options, (store) => replayJob(context, store, id, options)),
      ),
    )
}

async function replayJob(context: Context, store: JobStore, id: string, options: ReplayOptions): Promise<number> {
  const { io, output } = context
  const { seq: events } = await rowOf(store, id)
  const { until = events - 1, module } = options
  if (until >= events) throw new UsageError(`--until goes from 0 to ${events - 1}, the last event of job "${id}".`)
  const replayed = await replayOf(io, store, id, { until, module })
  const { snapshot, pending, divergence } = replayed
  if (output.json) {
    await output.value({ id, events: replayed.events, state: snapshot.value, pending, replay: verdictOf(replayed) })
  }
  await output.lines(`${id} after ${plural(replayed.events, 'event')} of ${events}: ${jsonText(snapshot.value)}`)
  const rows = pending.map(({ effect, kind, status, attempt, signal, dueAt }) => [
    ...['', effect, kind, status, signal ?? `attempt ${attempt}`],
    dueAt === undefined ? '' : `until ${timeText(dueAt)}`,
  ])
  await output.lines(...table(rows), verdictText(replayed))
  return divergence === undefined ? exit.done : exit.diverged
}
