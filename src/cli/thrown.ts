import { relative } from 'node:path'
import { AetherisError, OutcomeUnknownError, RetryableError, TerminalError } from '../base/error.ts'
import type { Thrown } from '../runtime/runner.ts'
import type { Context } from './context.ts'
import { placeOf } from './place.ts'

/** What is thrown on purpose says what it means by itself. */
const meant = [AetherisError, OutcomeUnknownError, RetryableError, TerminalError]

/** Says where in the user's code a call of the job has thrown, once for each call: the history has only the message. */
export function tellThrown({ io, output }: Context, jobId: string): (thrown: Thrown) => void {
  const told = new Set<string>()
  return (thrown) => {
    const { effect, error } = thrown
    if (thrown.jobId !== jobId || told.has(effect) || meant.some((each) => error instanceof each)) return
    const place = placeOf(error)
    if (place === undefined) return
    told.add(effect)
    output.note(`  ${effect} threw at ${relative(io.cwd, place.path)}:${place.line}`, `    ${place.text}`)
  }
}
