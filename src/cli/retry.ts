import type { Command } from 'commander'
import { type Context, ending } from './context.ts'
import { control } from './control.ts'
import { type ControlOptions, type WhoOptions, waitOptions, whoOf, whoOptions } from './control-options.ts'

export function retry(program: Command, context: Context): void {
  rerunVerb(program, context, 'retry', 'run a node that has failed again, with what comes after it')
}

export function restart(program: Command, context: Context): void {
  rerunVerb(program, context, 'restart', 'run a node that has settled again, with what comes after it')
}

function rerunVerb(program: Command, context: Context, verb: 'retry' | 'restart', description: string): void {
  const command = program
    .command(verb)
    .description(description)
    .argument('<ID>', 'the job')
    .argument('<NODE>', 'the node')
  waitOptions(whoOptions(command)).action(
    ending(context, (id: string, node: string, options: ControlOptions & WhoOptions) =>
      control(context, id, options, {
        verb,
        kind: verb,
        body: { ...whoOf(options), node },
        give: (job, { node: _, ...who }) => job[verb](node, who),
        concerns: ({ type, data }) => type === 'job.restarted' && data.node === node,
        // Asked for only where it makes no sense to run it again: it was, and has not failed since.
        isSame: () => true,
        already: `${node} of ${id} was begun again already`,
        done: `${node} of ${id} is to run again`,
        revives: true,
      }),
    ),
  )
}
