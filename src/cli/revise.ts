import type { Command } from 'commander'
import { type Context, ending } from './context.ts'
import { control } from './control.ts'
import { type ControlOptions, type WhoOptions, waitOptions, whoOf, whoOptions } from './control-options.ts'

export function revise(program: Command, context: Context): void {
  const command = program
    .command('revise')
    .description('have the planner asked for another plan, with the results so far')
    .argument('<ID>', 'the job')
  waitOptions(whoOptions(command)).action(
    ending(context, (id: string, options: ControlOptions & WhoOptions) =>
      control(context, id, options, {
        verb: 'revise',
        kind: 'revise',
        body: whoOf(options),
        give: (job, who) => job.revise(who),
        concerns: ({ type }) => type === 'plan.revision_requested',
        isSame: () => false,
        already: `The planner of ${id} is asked already`,
        done: `The planner of ${id} is to be asked`,
      }),
    ),
  )
}
