import type { JobEvent } from '../event/event.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import { replay } from '../replay/replay.ts'
import type { Attended, Leave } from './attend.ts'
import { type CommonOptions, type Context, lineToType } from './context.ts'
import { exit, interruptExit } from './exit-codes.ts'
import { eventsOf } from './history.ts'
import { Recoveries } from './recoveries.ts'
import type { Rest } from './rest.ts'
import { jsonText, plural, timeText } from './text.ts'
import { verdictOf, verdictText } from './verdict.ts'
import { answerable, waitLines } from './waits.ts'

/** A job that a command leaves, with what has to be typed to come back to it. */
export interface Left extends Attended {
  options: CommonOptions
  runWords: readonly string[]
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
async function ended({ output }: Context, { job, agent, store }: Left): Promise<number> {
  const recoveries = new Recoveries()
  const replayed = await replay(agent, counted(eventsOf(store, job.id), recoveries))
  const snapshot = job.getSnapshot()
  const { status, code } = endings[snapshot.status as keyof typeof endings]
  const { output: result, error } = snapshot
  if (output.json) {
    const verdict = verdictOf(replayed)
    await output.value({ ...head(snapshot, agent.name, status), output: result, error, replay: verdict, recoveries })
  }
  if (status === 'completed') await output.lines(jsonText(result, 2))
  if (error !== undefined) await output.lines(`${error.name}: ${error.message}`)
  if (recoveries.count > 0) await output.lines(recoveries.toString())
  await output.lines(`${job.id} ${status}: ${plural(snapshot.seq, 'event')}, ${verdictText(replayed)}`)
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
  const { job, agent, store, options } = left
  const snapshot = job.getSnapshot()
  const status = rest.kind === 'paused' ? 'paused' : 'waiting'
  const waits = rest.kind === 'someone' ? answerable(context, options, agent, job.id, rest.waits) : []
  const resume = resumeLine(context, left)
  if (output.json) await output.value({ ...head(snapshot, agent.name, status), waitsFor: waits, resume })
  else if (rest.kind === 'someone') {
    await output.lines(`${job.id} waits for somebody.`, ...(await waitLines(store, snapshot, waits)))
  } else if (rest.kind === 'paused') {
    await output.lines(`${job.id} is paused. A program that calls resume() on it lets it go on.`)
  } else {
    await output.lines(`${job.id} sleeps until ${timeText(rest.dueAt)}. Go on with:`, `  ${resume}`)
  }
  return exit.waiting
}

async function interrupted(context: Context, left: Left, by: keyof typeof interruptExit): Promise<number> {
  const { output } = context
  const snapshot = left.job.getSnapshot()
  const resume = resumeLine(context, left)
  if (output.json) await output.value({ ...head(snapshot, left.agent.name, 'running'), interrupted: by, resume })
  output.note(`Stopped after ${plural(snapshot.seq, 'event')}, all of them kept. Go on with:`, `  ${resume}`)
  return interruptExit[by]
}

function head({ jobId, seq, value }: JobSnapshot, agent: string, status: string) {
  return { id: jobId, agent, status, events: seq, state: value }
}

function resumeLine(context: Context, { options, runWords, job }: Left): string {
  return lineToType(context, options, ...runWords, '--id', job.id)
}
