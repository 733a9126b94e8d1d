import type { JobEvent } from '../event/event.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import { replay } from '../replay/replay.ts'
import type { Attended, Leave } from './attend.ts'
import { type CommonOptions, type Context, lineToType } from './context.ts'
import { exit, interruptExit } from './exit-codes.ts'
import { createdOf, eventsOf } from './history.ts'
import { Recoveries } from './recoveries.ts'
import { isAsleep, type Rest } from './rest.ts'
import { jsonText, plural, timeText } from './text.ts'
import { verdictOf, verdictText } from './verdict.ts'
import { answerable, waitLines } from './waits.ts'

/** A job that a command leaves, with what has to be typed to come back to it. */
export interface Left extends Attended {
  options: CommonOptions
  /** The module of its agent, as it is named in a line to type. */
  module: string
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

const endings = {
  done: { status: 'completed', code: exit.done },
  error: { status: 'failed', code: exit.failed },
  stopped: { status: 'cancelled', code: exit.cancelled },
} as const

/** What the process says of a job that it leaves without a word. */
export function leaveCode(leave: Leave, { status }: JobSnapshot): number {
  if (leave.why === 'interrupted') return interruptExit[leave.by]
  return status === 'active' ? exit.waiting : endings[status].code
}

/** The result, and the proof that the history gives it again. */
async function ended(context: Context, left: Left): Promise<number> {
  const { output } = context
  const { job, store } = left
  const recoveries = new Recoveries()
  const replayed = await replay(job.agent, counted(eventsOf(store, job.id), recoveries))
  const snapshot = job.getSnapshot()
  const { status, code } = endings[snapshot.status as keyof typeof endings]
  const { output: result, error } = snapshot
  if (output.json) {
    const verdict = verdictOf(replayed)
    await output.value({
      ...head(snapshot, job.agent.name, status),
      output: result,
      error,
      replay: verdict,
      recoveries,
    })
  }
  if (status === 'completed') await output.lines(jsonText(result, 2))
  if (error !== undefined) await output.lines(`${error.name}: ${error.message}`)
  if (recoveries.count > 0) await output.lines(recoveries.toString())
  await output.lines(`${job.id} ${status}: ${plural(snapshot.seq, 'event')}, ${verdictText(replayed)}`)
  const { parent } = await createdOf(store, job.id)
  if (parent !== undefined)
    output.note(`It was started by a job that goes on with:`, `  ${resumeLine(context, left, parent.jobId)}`)
  return replayed.divergence === undefined ? code : exit.diverged
}

async function* counted(events: AsyncIterable<JobEvent>, recoveries: Recoveries): AsyncGenerator<JobEvent> {
  for await (const event of events) {
    recoveries.add(event)
    yield event
  }
}

async function rests(context: Context, left: Left, rest: Rest): Promise<number> {
  const { output } = context
  const { job, store, options } = left
  const snapshot = job.getSnapshot()
  const waits = answerable(context, options, rest.waits)
  const resume = resumeLine(context, left, job.id)
  if (output.json) {
    const told = { held: rest.held, waitsFor: waits, dueAt: rest.dueAt, resume }
    await output.value({ ...head(snapshot, job.agent.name, snapshot.isHeld ? 'paused' : 'waiting'), ...told })
  } else if (isAsleep(rest)) {
    await output.lines(`${job.id} sleeps until ${timeText(rest.dueAt as number)}. Go on with:`, `  ${resume}`)
  } else {
    const nothing = waits.length + rest.held.length === 0
    const why = nothing ? ['Its machine takes no signal in this state, and no timer runs.'] : rest.held
    await output.lines(`${job.id} waits for somebody.`, ...why, ...(await waitLines(store, snapshot, waits)))
  }
  return exit.waiting
}

async function interrupted(context: Context, left: Left, by: keyof typeof interruptExit): Promise<number> {
  const { output } = context
  const snapshot = left.job.getSnapshot()
  const resume = resumeLine(context, left, left.job.id)
  if (output.json) await output.value({ ...head(snapshot, left.job.agent.name, 'running'), interrupted: by, resume })
  output.note(`Stopped after ${plural(snapshot.seq, 'event')}, all of them kept. Go on with:`, `  ${resume}`)
  return interruptExit[by]
}

function head({ jobId, seq, value }: JobSnapshot, agent: string, status: string) {
  return { id: jobId, agent, status, events: seq, state: value }
}

function resumeLine(context: Context, { options, module }: Left, jobId: string): string {
  return lineToType(context, options, 'run', module, '--id', jobId)
}
