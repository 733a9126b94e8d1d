import type { Command } from 'commander'
import { type Context, ending } from './context.ts'
import { control } from './control.ts'
import { type ControlOptions, moduleOption, type WhoOptions, whoOf, whoOptions } from './control-options.ts'

export function pause(program: Command, context: Context): void {
  const command = program
    .command('pause')
    .description('keep a job from starting anything new, until it is resumed')
    .argument('<ID>', 'the job')
  moduleOption(whoOptions(command)).action(
    ending(context, (id: string, options: Omit<ControlOptions, 'wait'> & WhoOptions) =>
      control(
        context,
        id,
        { ...options, wait: false },
        {
          verb: 'pause',
          kind: 'pause',
          body: whoOf(options),
          give: (job, who) => job.pause(who),
          concerns: ({ type }) => type === 'job.paused',
          isSame: () => false, // a pause that is over says nothing
          already: `${id} is paused already`,
          done: `${id} is paused`,
        },
      ),
    ),
  )
}
