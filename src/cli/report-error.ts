import { relative } from 'node:path'
import { AetherisError, isAetherisError } from '../base/error.ts'
import type { Context } from './context.ts'
import { exitCodeOf, UsageError } from './exit-codes.ts'
import { placeOf } from './place.ts'

/** Says what went wrong, on stderr for people and with `--json` on stdout for scripts. Gives the exit code. */
export async function reportError(error: unknown, { io, output }: Context): Promise<number> {
  const message = error instanceof Error ? error.message : String(error)
  const isExpected = isAetherisError(error) || error instanceof UsageError
  const place = placeOf(error)
  output.note(`aetheris: ${message}`)
  if (place !== undefined) output.note(`  at ${relative(io.cwd, place.path)}:${place.line}`, `    ${place.text}`)
  else if (!isExpected) output.note('This was not expected. Set AETHERIS_DEBUG=1 to see where it comes from.')
  if (io.env['AETHERIS_DEBUG'] === '1' && error instanceof Error) output.note(String(error.stack))
  // What cannot be printed has been said above.
  const told = { code: codeOf(error), message, ...detailsOf(error), at: place && `${place.path}:${place.line}` }
  if (output.json) await output.value({ error: told }).catch(() => {})
  return exitCodeOf(error)
}

/** The same error, with what to do about it at the end. */
export function withAdvice(error: AetherisError, advice: string): AetherisError {
  const { code, message, jobId, issues } = error
  const details = { cause: error, issues: [...issues], ...(jobId !== undefined && { jobId }) }
  return new AetherisError(code, `${message} ${advice}`, details)
}

function codeOf(error: unknown): string {
  if (isAetherisError(error)) return error.code
  return error instanceof UsageError ? 'USAGE' : 'UNEXPECTED'
}

function detailsOf(error: unknown) {
  if (!isAetherisError(error)) return {}
  const { jobId, seq, pid, issues } = error
  return { jobId, seq, pid, ...(issues.length > 0 && { issues }) }
}
