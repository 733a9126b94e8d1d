import { AetherisError, isAetherisError } from '../base/error.ts'
import { type Command, type CommandKind, parseCommand } from '../event/command.ts'
import type { JobEvent } from '../event/event.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import { decide } from '../runtime/commands.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import { endStatuses, type JobStore } from '../store/store.ts'
import { isAtRest } from './attend.ts'
import { tellUnfinished } from './conclude.ts'
import type { Context } from './context.ts'
import type { ControlOptions } from './control-options.ts'
import type { Applied, Control, Controlling } from './controlling.ts'
import { withStore } from './data.ts'
import { createdOf, lastEvent, moduleOf, rowOf } from './history.ts'
import { goOn, openHeld } from './move-on.ts'
import { alreadyText, hasEnded, isLeft, otherwise, refused } from './told-control.ts'

/**
 * How a command reaches a job. One process has the data open at a time, so whoever gives a command is also the one who
 * applies it: the job is taken over, what has come in is applied, then the command, and nothing is performed before.
 */

/** Applies a command, and goes on with the job where that is asked for. Gives the exit code. */
export function control<K extends CommandKind>(
  context: Context,
  id: string,
  options: ControlOptions,
  given: Control<K>,
): Promise<number> {
  parseCommand(given.kind, given.body)
  return withStore(context, options, async (store) => {
    const row = await rowOf(store, id)
    const about: Controlling = { context, options, store, row, given: given as unknown as Control }
    const isOver = endStatuses.has(row.status)
    return isOver && given.revives === undefined ? hasEnded(about) : await controlled(about)
  })
}

async function controlled(about: Controlling): Promise<number> {
  const { context, options, store, row, given } = about
  const created = await createdOf(store, row.id)
  const { allAgents: agents, path: module } = await moduleOf(context.io, created, options.module)
  await using runtime = await openHeld(context, { store, jobId: row.id, agents })
  const job = await runtime.job(row.id)
  try {
    const applied = await apply(about, job)
    const { isAlready } = applied
    const left = { ...about, runtime, job, module, wait: true, command: { verb: given.verb, isAlready } }
    const isOver = job.getSnapshot().status !== 'active'
    if (options.wait && !(isAlready && isOver)) {
      if (isAlready) context.output.note(alreadyText(given, applied))
      return await goOn(context, { ...left, asked: given.asked })
    }
    const code = await isLeft({ ...about, module }, job.getSnapshot(), applied)
    if (!isOver) return code
    for await (const { id } of runtime.jobs({ unfinished: true })) await settled(store, await runtime.job(id))
    await tellUnfinished(context, left)
    return code
  } catch (error) {
    if (!isAetherisError(error, 'COMMAND_REFUSED') && !isAetherisError(error, 'JOB_SETTLED')) throw error
    return await refused({ ...about, module }, error, job)
  }
}

/** @throws AetherisError COMMAND_REFUSED, JOB_SETTLED */
async function apply({ store, row, given }: Controlling, job: JobHandle): Promise<Applied> {
  const snapshot = await settled(store, job)
  const { kind } = given
  const body = given.complete?.(given.body, snapshot) ?? given.body
  const problem = given.refuses?.(snapshot, row)
  const decision =
    problem === undefined ? decide({ kind, body } as Command, snapshot, '') : { type: 'refuse' as const, why: problem }
  if (decision.type !== 'event') {
    const before = await lastEvent(store, job.id, given.concerns)
    const isAlready = decision.type === 'repeat' || (before !== undefined && given.isSame(before))
    if (!isAlready) throw new AetherisError('COMMAND_REFUSED', `${decision.why}${otherwise(before)}`, { jobId: job.id })
    return { isAlready, before }
  }
  await given.give(job, body)
  await settled(store, job)
  // Something else may have come first.
  const isRefusal = ({ type, data }: JobEvent) => type === 'command.refused' && data.command === kind
  const refusal = await lastEvent(store, job.id, isRefusal, snapshot.seq)
  if (refusal?.type === 'command.refused')
    throw new AetherisError('COMMAND_REFUSED', refusal.data.why, { jobId: job.id })
  return { isAlready: false }
}

/** The job once all that has come in is applied: that it was taken over, timers that are due, messages. */
async function settled(store: JobStore, job: JobHandle): Promise<JobSnapshot> {
  for (;;) {
    const snapshot = job.getSnapshot()
    if (snapshot.status !== 'active') return snapshot
    const now = Date.now()
    const comes = snapshot.pending.some(({ status, dueAt = now + 1 }) => status === 'started' || dueAt <= now)
    if (!comes && (await isAtRest(store, job.id, snapshot.seq))) return snapshot
    await job.waitFor((next) => next !== snapshot)
  }
}
