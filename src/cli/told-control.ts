import { AetherisError } from '../base/error.ts'
import type { JobEvent } from '../event/event.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import { endStatuses, type JobRow } from '../store/store.ts'
import { lineToType } from './context.ts'
import type { Applied, Control, Controlling } from './controlling.ts'
import { eventText } from './event-text.ts'
import { exit } from './exit-codes.ts'
import { lastEvent } from './history.ts'
import { reasonLines } from './reasons.ts'
import { reportError } from './report-error.ts'
import { storedReasons } from './rest.ts'
import { timeText } from './text.ts'

/** What is said of a command to a job that nobody goes on with. Each function gives the exit code. */

/** Of a job that had ended before: to say again what ended it is harmless. */
export async function hasEnded(about: Controlling): Promise<number> {
  const { context, options, store, row, given } = about
  const before = await lastEvent(store, row.id, given.concerns)
  if (before !== undefined && given.isSame(before)) {
    return isLeft(about, { seq: row.seq, value: row.status, phase: row.status }, { isAlready: true, before })
  }
  const message = `Job "${row.id}" is ${row.status}, so there is nothing to ${given.verb}.${otherwise(before)}`
  const code = await reportError(new AetherisError('JOB_SETTLED', message, { jobId: row.id }), context)
  context.output.note('See how it ended:', `  ${lineToType(context, options, 'show', row.id)}`)
  return code
}

/** Of a job that is left as it is by now. */
export async function isLeft(
  { context, options, module = 'MODULE', row, given }: Controlling,
  { seq: events, value: state, phase }: Pick<JobSnapshot, 'seq' | 'value'> & { phase: string },
  applied: Applied,
): Promise<number> {
  const { output } = context
  const { isAlready } = applied
  const isOver = endStatuses.has(phase as JobRow['status'])
  const words = given.kind === 'pause' ? ['resume', row.id] : ['run', module, '--id', row.id]
  const next = isOver ? undefined : lineToType(context, options, ...words)
  if (output.json) {
    const command = { verb: given.verb, isAlready }
    await output.value({ id: row.id, command, status: phase, state, events, resume: next })
    return exit.done
  }
  await output.lines(isAlready ? alreadyText(given, applied) : `${given.done}.`)
  if (next !== undefined) await output.lines('Go on with:', `  ${next}`)
  else if (phase !== given.asked || isAlready) await output.lines(`${row.id} is ${phase}.`)
  return exit.done
}

export function alreadyText({ already }: Control, { before }: Applied): string {
  if (before === undefined) return `${already}.`
  const by = 'by' in before.data && before.data.by !== undefined ? `, by ${before.data.by}` : ''
  return `${already} (${timeText(before.at)}${by}).`
}

/** For the end of a message: what somebody has decided instead. */
export function otherwise(before: JobEvent | undefined): string {
  if (before?.type !== 'approval.decided' && before?.type !== 'node.resolved') return ''
  return ` It was decided otherwise, ${timeText(before.at)}: ${eventText(before)}.`
}

/** Of a command that makes no sense: why, and what could be done instead. */
export async function refused(about: Controlling, error: AetherisError, job: JobHandle): Promise<number> {
  const { context, store, row } = about
  const code = await reportError(error, context)
  const snapshot = job.getSnapshot()
  const reasons = await storedReasons(store, { snapshot, agent: job.agent }, Date.now())
  const lines = await reasonLines({ ...about, jobId: row.id }, reasons)
  const head = snapshot.status === 'active' ? `${row.id} is in this state:` : `${row.id} has ended:`
  context.output.note(head, ...lines.map((line) => `  ${line}`))
  return code
}
