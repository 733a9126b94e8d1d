import type { AnyAgent } from '../agent/agent.ts'
import type { Json } from '../base/json.ts'
import type { JobEvent } from '../event/event.ts'
import { endStatuses, type Finding, type JobCopy } from '../store/store.ts'
import { differs, Execution } from './execution.ts'
import { programsOf, snapshotKey } from './programs.ts'

/** What a store keeps of a job besides its history, against the fold of that history. */
export interface FoldCheck {
  findings: Finding[]
  /** Why nothing could be compared; undefined where it was. */
  skipped?: string
}

/**
 * Whether the snapshots of a job equal the fold of the events up to them, and its timers and its end the whole fold.
 * A plan is in the history; a hand-written machine, and a tool that changes what is recorded of its input, need the
 * `agent`. Reads the events of the copy.
 * @throws AetherisError STORE_CORRUPT, EVENT_INVALID
 */
export async function verifyFold({ row, events, timers, snapshots }: JobCopy, agent?: AnyAgent): Promise<FoldCheck> {
  const findings: Finding[] = []
  const execution = new Execution(programsOf(new Map(agent === undefined ? [] : [[agent.name, agent]])))
  const usable = snapshots.filter(({ machine }) => machine === snapshotKey(agent))
  for await (const chunk of events) {
    for (const event of chunk) {
      const skipped = foldEvent(execution, event)
      if (skipped !== undefined) return { findings, skipped }
      const snapshot = usable.find(({ seq }) => seq === execution.seq)
      if (snapshot !== undefined) findings.push(...snapshotFindings(row.id, execution, snapshot))
    }
  }
  const found = new Map(timers.map(({ id, dueAt }) => [id, dueAt]))
  const expected = execution.isEnded ? new Map<string, number>() : dueTimesOf(execution)
  const parted = differs(row.seq, ['timers'], Object.fromEntries(found), Object.fromEntries(expected))
  if (parted !== undefined) {
    const message = `The timers of job "${row.id}" are not those of its history: ${parted.path} differs.`
    findings.push({ kind: 'index', jobId: row.id, seq: row.seq, message })
  }
  if (endStatuses.has(row.status) ? execution.end?.type !== row.status : execution.isEnded) {
    const message = `The row of job "${row.id}" says ${row.status}; by its history it is ${execution.end?.type ?? 'under way'}.`
    findings.push({ kind: 'index', jobId: row.id, seq: row.seq, message })
  }
  return { findings }
}

/** Folds an event of the past: what it made the process do was done then. Gives why it cannot be folded. */
export function foldEvent(execution: Execution, event: JobEvent): string | undefined {
  try {
    const parted = execution.follow(event)
    execution.takeActions()
    execution.takeOrphans()
    return parted && `event ${parted.seq} does not replay without the definition of the agent: ${parted.path} differs`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function snapshotFindings(
  jobId: string,
  execution: Execution,
  { seq, state }: { seq: number; state: Json },
): Finding[] {
  const parted = differs(seq, ['snapshot'], state, JSON.parse(JSON.stringify(execution.persist())))
  if (parted === undefined) return []
  const message = `The snapshot at ${seq} of job "${jobId}" is not the fold of its events: ${parted.path} differs.`
  return [{ kind: 'snapshot', jobId, seq, message }]
}

function dueTimesOf({ timers }: Execution): Map<string, number> {
  return new Map([...timers.values()].map(({ id, dueAt }) => [id, dueAt]))
}
