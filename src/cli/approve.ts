import type { Command } from 'commander'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import { isAbout, pendingOf } from '../runtime/commands.ts'
import { type Context, ending } from './context.ts'
import { control } from './control.ts'
import { type ControlOptions, waitOptions } from './control-options.ts'
import type { Control } from './controlling.ts'

interface AnswerOptions extends ControlOptions {
  by: string
  reason?: string
  option?: string
  digest?: string
}

export function approve(program: Command, context: Context): void {
  answerVerb(program, context, 'approve', 'agree to a call that waits for an approval, and go on with the job')
}

export function deny(program: Command, context: Context): void {
  answerVerb(program, context, 'deny', 'refuse a call that waits for an approval, and go on with the job')
}

function answerVerb(program: Command, context: Context, verb: 'approve' | 'deny', description: string): void {
  const command = program
    .command(verb)
    .description(description)
    .argument('<ID>', 'the job')
    .argument('<NODE>', 'the node; pay/17 is an item of a map, pay#2 its second time')
    .requiredOption('--by <NAME>', 'who decides')
    .option('--reason <TEXT>', 'why')
    .option('--option <NAME>', `one of the options of the approval (default: ${verb})`)
    .option('--digest <TEXT>', 'of the call that was shown, or its beginning; refused where it has changed since')
  waitOptions(command).action(
    ending(context, (id: string, node: string, options: AnswerOptions) =>
      control(context, id, options, answer(verb, id, node, options)),
    ),
  )
}

function answer(verb: 'approve' | 'deny', id: string, node: string, options: AnswerOptions): Control<'decide'> {
  const { by, reason, option = verb, digest } = options
  const about = `${node} of ${id} was answered "${option}"`
  return {
    verb,
    kind: 'decide',
    body: { effect: node, option, by, reason, digest },
    complete: (body, job) => ({ ...body, digest: digest && wholeDigest(digest, node, job) }),
    give: (job, { effect, ...given }) => job[verb](effect, given),
    concerns: ({ type, data }) => type === 'approval.decided' && isAbout(data.effect, node),
    isSame: ({ data }) => 'option' in data && data.option === option,
    already: `${about} already`,
    done: about,
  }
}

/** Of the first digits; what is no such beginning stays what it is, and is refused as something else. */
function wholeDigest(given: string, node: string, job: JobSnapshot): string {
  const digest = pendingOf(node, job)?.approval?.digest ?? ''
  return given.length >= 8 && digest.startsWith(given) ? digest : given
}
