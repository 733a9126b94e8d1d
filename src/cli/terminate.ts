import type { Command } from 'commander'
import { type Context, ending } from './context.ts'
import { control } from './control.ts'
import { type ControlOptions, moduleOption, type WhoOptions, whoOf, whoOptions } from './control-options.ts'

export function terminate(program: Command, context: Context): void {
  const command = program
    .command('terminate')
    .description('end a job where it is: nothing is waited for, and nothing undone')
    .argument('<ID>', 'the job')
  moduleOption(whoOptions(command)).action(
    ending(context, (id: string, options: Omit<ControlOptions, 'wait'> & WhoOptions) =>
      control(
        context,
        id,
        { ...options, wait: false },
        {
          verb: 'terminate',
          kind: 'terminate',
          body: whoOf(options),
          give: (job, who) => job.terminate(who),
          concerns: ({ type }) => type === 'job.terminated',
          isSame: () => true,
          already: `${id} is terminated already`,
          done: `${id} is terminated`,
          asked: 'terminated',
        },
      ),
    ),
  )
}
