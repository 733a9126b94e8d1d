import { type CommonOptions, type Context, lineToType } from './context.ts'
import { exampleJson } from './form.ts'
import type { Owed } from './rest.ts'

/** What can be done about a reason, as the lines to type. `module` is that of the job's agent, as it is named there. */
export function movesToType(context: Context, options: CommonOptions, owed: Owed, module = 'MODULE'): string[] {
  return owed.reason.moves.map((move) => lineToType(context, options, ...wordsOf(move, owed, module)))
}

/** The words of a move of `why`, whose names may hold blanks, with the job and what else the verb needs. */
function wordsOf(move: string, { reason, snapshot, agent }: Owed, module: string): string[] {
  const [verb = '', ...others] = move.split(' ')
  const { jobId } = snapshot
  switch (verb) {
    case 'run':
      return [verb, module, '--id', jobId]
    case 'why':
      return [verb, ...others] // about another job
    case 'signal': {
      const signal = others.slice(0, -1).join(' ')
      return [verb, jobId, signal, exampleJson(agent?.signals.get(signal)?.payload)]
    }
    case 'approve':
    case 'deny':
      return [verb, jobId, ...aboutEffect(move, verb, reason.effect), '--by', 'NAME']
    case 'resolve':
      return [verb, jobId, ...aboutEffect(move, verb, reason.effect), '--by', 'NAME', '--reason', 'TEXT']
    default:
      return [verb, jobId, ...others]
  }
}

function aboutEffect(move: string, verb: string, effect = ''): string[] {
  const rest = move.slice(`${verb} ${effect} `.length)
  return [effect, ...(rest === '' ? [] : rest.split(' '))]
}
