import type { Command } from 'commander'
import type { Json } from '../base/json.ts'
import type { CommandBody } from '../event/command.ts'
import { isAbout } from '../runtime/commands.ts'
import { type Context, ending } from './context.ts'
import { control } from './control.ts'
import { type ControlOptions, waitOptions } from './control-options.ts'
import type { Control } from './controlling.ts'
import { UsageError } from './exit-codes.ts'
import { readJson } from './read-json.ts'

interface ResolveOptions extends ControlOptions {
  completed?: string
  failed?: string
  again?: boolean
  by: string
  reason: string
}

export function resolve(program: Command, context: Context): void {
  const command = program
    .command('resolve')
    .description('say how a call ended whose outcome nobody knows, and go on with the job')
    .argument('<ID>', 'the job')
    .argument('<NODE>', 'the node; pay/17 is an item of a map, pay#2 its second time')
    .option('--completed <JSON>', 'it was done, and gave this: JSON, @FILE, or - for stdin')
    .option('--failed <MESSAGE>', 'it was not done, and will not be')
    .option('--again', 'it was not done: make it again')
    .requiredOption('--by <NAME>', 'who has found out')
    .requiredOption('--reason <TEXT>', 'how they know')
  waitOptions(command).action(
    ending(context, async (id: string, node: string, options: ResolveOptions) =>
      control(context, id, options, resolution(id, node, options, await saidBy(context, options))),
    ),
  )
}

type Said = CommandBody<'resolve'>['as']

/** @throws UsageError unless exactly one way is given. */
async function saidBy({ io }: Context, { completed, failed, again }: ResolveOptions): Promise<Said> {
  const ways = [completed, failed, again].filter((way) => way !== undefined)
  if (ways.length !== 1) throw new UsageError('Give one of --completed JSON, --failed MESSAGE and --again.')
  if (completed !== undefined) {
    return { type: 'completed', output: (await readJson(io, completed, 'The --completed')) as Json }
  }
  return failed === undefined ? { type: 'again' } : { type: 'failed', message: failed }
}

function resolution(id: string, node: string, { by, reason }: ResolveOptions, as: Said): Control<'resolve'> {
  const about = `${node} of ${id} was said to have ${as.type === 'again' ? 'done nothing' : as.type}`
  return {
    verb: 'resolve',
    kind: 'resolve',
    body: { effect: node, as, by, reason },
    give: (job, { effect }) => job.resolve(effect, outcome(as), { by, reason }),
    concerns: ({ type, data }) => type === 'node.resolved' && isAbout(data.effect, node),
    isSame: ({ data }) => 'as' in data && data.as === as.type,
    already: `${about} already`,
    done: about,
  }
}

function outcome(as: Said): { completed: unknown } | { failed: string } | 'again' {
  if (as.type === 'completed') return { completed: as.output }
  return as.type === 'failed' ? { failed: as.message } : 'again'
}
