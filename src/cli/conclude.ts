import { type ErrorData, toErrorData } from '../base/error.ts'
import type { JobEvent } from '../event/event.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import { replay } from '../replay/replay.ts'
import type { Attended, Leave } from './attend.ts'
import { type CommonOptions, type Context, lineToType } from './context.ts'
import { exit, interruptExit } from './exit-codes.ts'
import { createdOf, eventsOf } from './history.ts'
import { reasonLines, told } from './reasons.ts'
import { Recoveries } from './recoveries.ts'
import { isAsleep, type Rest } from './rest.ts'
import { jsonText, plural, timeText } from './text.ts'
import { verdictOf, verdictText } from './verdict.ts'

/** A job that a command leaves, with what has to be typed to come back to it. */
export interface Left extends Attended {
  options: CommonOptions
  /** The module of its agent, as it is named in a line to type. */
  module: string
  /** What was done to it before, for scripts. */
  command?: { verb: string; isAlready: boolean }
  /** How it ends where it does what was asked. */
  asked?: 'cancelled' | 'terminated' | undefined
}

/** Says how a job is as a command leaves it. Gives the exit code. */
export function conclude(context: Context, left: Left, leave: Leave): Promise<number> {
  switch (leave.why) {
    case 'ended':
      return ended(context, left)
    case 'rests':
      return rests(context, left, leave.rest)
    case 'interrupted':
      return interrupted(context, left, leave.by)
  }
}

const endings = { done: exit.done, error: exit.failed, stopped: exit.cancelled } as const

/** What the process says of a job that it leaves without a word. */
export function leaveCode(leave: Leave, { status }: JobSnapshot): number {
  if (leave.why === 'interrupted') return interruptExit[leave.by]
  return status === 'active' ? exit.waiting : endings[status]
}

/** The result, and the proof that the history gives it again. */
async function ended(context: Context, left: Left): Promise<number> {
  const { output } = context
  const { job, store } = left
  const recoveries = new Recoveries()
  const replayed = await replay(job.agent, counted(eventsOf(store, job.id), recoveries))
  const snapshot = job.getSnapshot()
  const code = endings[snapshot.status as keyof typeof endings]
  const { output: result, phase } = snapshot
  const error = snapshot.error ?? (await unfitOutput(job))
  if (output.json) {
    const verdict = verdictOf(replayed)
    await output.value({
      ...head(left, phase),
      output: result,
      error,
      replay: verdict,
      recoveries,
    })
  }
  if (phase === 'completed') await output.lines(jsonText(result, 2))
  if (error !== undefined) await output.lines(`${error.name}: ${error.message}`)
  if (recoveries.count > 0) await output.lines(recoveries.toString())
  await output.lines(`${job.id} ${phase}: ${plural(snapshot.seq, 'event')}, ${verdictText(replayed)}`)
  const { parent } = await createdOf(store, job.id)
  if (parent !== undefined)
    output.note(`It was started by a job that goes on with:`, `  ${resumeLine(context, left, parent.jobId)}`)
  await tellUnfinished(context, left)
  if (replayed.divergence !== undefined) return exit.diverged
  if (error !== undefined) return exit.failed
  return phase === left.asked ? exit.done : code
}

/** What is wrong with the output of a job that has completed: its plan may give something else than its agent promises. */
async function unfitOutput(job: Attended['job']): Promise<ErrorData | undefined> {
  if (job.getSnapshot().phase !== 'completed') return undefined
  return job.result().then(() => undefined, toErrorData)
}

/** Jobs that it has started, and that outlive it. */
export async function tellUnfinished(context: Context, left: Left): Promise<void> {
  for await (const { id } of left.runtime.jobs({ unfinished: true })) {
    if (id === left.job.id) continue
    context.output.note(
      `Job ${id}, which it has started, has not ended. Go on with:`,
      `  ${resumeLine(context, left, id)}`,
    )
  }
}

async function* counted(events: AsyncIterable<JobEvent>, recoveries: Recoveries): AsyncGenerator<JobEvent> {
  for await (const event of events) {
    recoveries.add(event)
    yield event
  }
}

async function rests(context: Context, left: Left, rest: Rest): Promise<number> {
  const { output } = context
  const { job, store } = left
  const snapshot = job.getSnapshot()
  const telling = { ...left, context, store, jobId: job.id }
  const resume = resumeLine(context, left, job.id)
  if (output.json) {
    const waitsFor = rest.owed.map((owed) => told(telling, owed))
    const waiting = { waitsFor, dueAt: rest.dueAt, resume }
    await output.value({ ...head(left, snapshot.isPaused ? 'paused' : 'waiting'), ...waiting })
  } else if (isAsleep(rest)) {
    await output.lines(`${job.id} sleeps until ${timeText(rest.dueAt as number)}. Go on with:`, `  ${resume}`)
    await output.lines(...(await reasonLines(telling, rest.owed)))
  } else {
    await output.lines(`${job.id} waits for somebody.`, ...(await reasonLines(telling, rest.owed)))
  }
  return exit.waiting
}

async function interrupted(context: Context, left: Left, by: keyof typeof interruptExit): Promise<number> {
  const { output } = context
  const snapshot = left.job.getSnapshot()
  const resume = resumeLine(context, left, left.job.id)
  if (output.json) await output.value({ ...head(left, 'running'), interrupted: by, resume })
  output.note(`Stopped after ${plural(snapshot.seq, 'event')}, all of them kept. Go on with:`, `  ${resume}`)
  return interruptExit[by]
}

function head({ job, command }: Left, status: string) {
  const { seq, value } = job.getSnapshot()
  return { id: job.id, agent: job.agent.name, status, events: seq, state: value, command }
}

function resumeLine(context: Context, { options, module }: Left, jobId: string): string {
  return lineToType(context, options, 'run', module, '--id', jobId)
}
