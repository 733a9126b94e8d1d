import { sha256 } from '../base/hash.ts'
import type { Json } from '../base/json.ts'
import { endTypes, type NewEvent } from '../event/event.ts'
import type { Execution } from '../replay/execution.ts'
import type { Orphan } from '../replay/orphans.ts'
import type { OutMessage } from '../store/store.ts'

/** Jobs that were started by other jobs: their ids, and what they tell each other when one of them ends. */

const idCharactersMax = 200

/** The same for the same effect, so that starting it again finds it. */
export function childIdOf(jobId: string, effect: string): string {
  const id = `${jobId}/${effect}`
  return id.length <= idCharactersMax ? id : sha256(id)
}

/**
 * What goes out with a commit: to children that are let go of, and at the end to the parent. In the same commit as the
 * events that caused it, so that neither is there without the other.
 */
export function farewells(
  jobId: string,
  execution: Execution,
  { events, orphans }: { events: readonly NewEvent[]; orphans: readonly Orphan[] },
  at: number,
): OutMessage[] {
  const messages: OutMessage[] = []
  const body = { by: `job ${jobId}`, reason: 'The job that started this one no longer needs it.' }
  for (const { effect, command } of [...execution.takeOrphans(), ...orphans]) {
    messages.push({ jobId: childIdOf(jobId, effect), id: `parent:${execution.seq}`, at, kind: command, body })
  }
  const parent = execution.created?.parent
  const end = events.find(({ type }) => endTypes.has(type))
  if (parent !== undefined && end !== undefined) messages.push(childEnd(jobId, parent, end, at))
  return messages
}

/** What a job that ended tells the one that started it. */
export function childEnd(
  jobId: string,
  parent: { jobId: string; effect: string },
  end: NewEvent,
  at: number,
): OutMessage {
  const body = { effect: parent.effect, jobId, end: endOf(jobId, end) } as unknown as Json
  return { jobId: parent.jobId, id: `child:${sha256(jobId)}`, at, kind: 'child', body }
}

function endOf(jobId: string, { type, data }: NewEvent): Json {
  if (type === 'job.completed') return { type: 'completed', output: data.output }
  if (type === 'job.failed') return { type: 'failed', error: { ...data.error } }
  const how = type.replace('job.', '')
  const error = { name: 'AetherisError', code: 'JOB_CANCELLED', message: `Job "${jobId}" was ${how}.` }
  return { type: 'failed', error }
}
