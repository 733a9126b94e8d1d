import type { Command } from 'commander'
import type { JobStore } from '../store/store.ts'
import { type CommonOptions, type Context, ending } from './context.ts'
import { withStore } from './data.ts'
import { exit } from './exit-codes.ts'
import { agentOf, createdOf, replayOf, rowOf } from './history.ts'
import { reasonLines, told } from './reasons.ts'
import { storedReasons } from './rest.ts'

interface WhyOptions extends CommonOptions {
  module?: string
}

export function why(program: Command, context: Context): void {
  program
    .command('why')
    .description('say why a job does not move: what it waits for, who owes that, since when, and what to type')
    .argument('<ID>', 'the job')
    .option('--module <PATH>', 'where the agent is defined (default: where it was loaded from)')
    .action(
      ending(context, (id: string, options: WhyOptions) =>
        withStore(context, options, (store) => explain(context, store, id, options)),
      ),
    )
}

/** Reads only: what would be found out by going on with the job is not known here. */
async function explain(context: Context, store: JobStore, id: string, options: WhyOptions): Promise<number> {
  const { status } = await rowOf(store, id)
  const created = await createdOf(store, id)
  const { snapshot } = await replayOf(context.io, store, id, options)
  const agent = await agentOf(context.io, created, options.module)
  const now = Date.now()
  const reasons = await storedReasons(store, { snapshot, agent }, now)
  const telling = { context, options, store, jobId: id, module: options.module ?? created.source, at: now }
  if (context.output.json) {
    const { value: state } = snapshot
    await context.output.value({ id, status, state, at: now, reasons: reasons.map((owed) => told(telling, owed)) })
  } else await context.output.lines(...(await reasonLines(telling, reasons)))
  return exit.done
}
