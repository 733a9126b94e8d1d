import { sha256 } from '../base/hash.ts'
import type { Json } from '../base/json.ts'
import { endTypes, type NewEvent } from '../event/event.ts'
import type { Execution } from '../replay/execution.ts'
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
export function farewells(jobId: string, execution: Execution, events: readonly NewEvent[], at: number): OutMessage[] {
  const messages: OutMessage[] = []
  const body = { by: `job ${jobId}`, reason: 'The job that started this one no longer needs it.' }
  for (const { effect, command } of execution.takeOrphans()) {
    messages.push({ jobId: childIdOf(jobId, effect), id: `parent:${execution.seq}`, at, kind: command, body })
  }
  const parent = execution.created?.parent
  const end = events.find(({ type }) => endTypes.has(type))
  if (parent === undefined || end === undefined) return messages
  const told = { effect: parent.effect, jobId, end: endOf(jobId, execution) } as unknown as Json
  messages.push({ jobId: parent.jobId, id: `child:${sha256(jobId)}`, at, kind: 'child', body: told })
  return messages
}

function endOf(jobId: string, { end }: Execution): Json {
  if (end?.type === 'completed') return { type: 'completed', output: end.output }
  const ended = { name: 'AetherisError', code: 'JOB_CANCELLED', message: `Job "${jobId}" was ${end?.type ?? 'lost'}.` }
  return { type: 'failed', error: end?.type === 'failed' ? { ...end.error } : ended }
}
