import type { Command } from 'commander'
import { type Context, ending } from './context.ts'
import { control } from './control.ts'
import { type ControlOptions, type WhoOptions, waitOptions, whoOf, whoOptions } from './control-options.ts'

export function cancel(program: Command, context: Context): void {
  const command = program
    .command('cancel')
    .description('end a job properly: let end what is under way, and undo what it has done')
    .argument('<ID>', 'the job')
  waitOptions(whoOptions(command)).action(
    ending(context, (id: string, options: ControlOptions & WhoOptions) =>
      control(context, id, options, {
        verb: 'cancel',
        kind: 'cancel',
        body: whoOf(options),
        give: (job, who) => job.cancel(who),
        concerns: ({ type }) => type === 'job.cancel_requested',
        isSame: () => true,
        already: `${id} was asked to end already`,
        done: `${id} is asked to end`,
        asked: 'cancelled',
      }),
    ),
  )
}
