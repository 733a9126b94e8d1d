import { AetherisError } from '../base/error.ts'
import type { EventData, EventType, JobEvent } from '../event/event.ts'
import { Execution } from '../replay/execution.ts'
import { foldInto } from '../replay/replay.ts'
import type { Programs } from '../replay/state.ts'
import type { JobRow, JobStore, StoredSnapshot } from '../store/store.ts'
import { isPassing } from './patience.ts'

/**
 * A job as its history leaves it: from the newest snapshot and the tail, or from the beginning.
 * @throws AetherisError STORE_CORRUPT, REPLAY_DIVERGED.
 */
export async function loadExecution(
  store: JobStore,
  programs: Programs,
  row: JobRow,
  machine: string,
): Promise<{ execution: Execution; snapshotSeq: number }> {
  const snapshot = await store.snapshot(row.id, machine)
  const kept = snapshot && (await restored(store, programs, row.id, snapshot))
  const execution = kept ?? new Execution(programs)
  for await (const events of store.read(row.id, { from: execution.seq, to: row.seq }))
    foldInto(execution, events, row.id)
  execution.takeActions() // custom actions ran, or were lost, with the process that recorded them
  execution.takeOrphans() // these were told by the commits that are read here
  return { execution, snapshotSeq: kept === undefined ? 0 : (snapshot?.seq ?? 0) }
}

/** Undefined where the snapshot is none that this version knows: it only spares the folding of the history. */
async function restored(
  store: JobStore,
  programs: Programs,
  jobId: string,
  { state }: StoredSnapshot,
): Promise<Execution | undefined> {
  const { planSeq = null } = (state ?? {}) as { planSeq?: number | null }
  const created = await eventAt(store, jobId, 0, 'job.created')
  try {
    const plan = planSeq === null ? undefined : await eventAt(store, jobId, planSeq, 'plan.adopted', 'plan.revised')
    return Execution.restore(programs, state, created, plan)
  } catch (error) {
    if (isPassing(error)) throw error
    return undefined
  }
}

async function eventAt<T extends EventType>(
  store: JobStore,
  jobId: string,
  seq: number,
  ...types: readonly T[]
): Promise<EventData<T>> {
  let found: JobEvent | undefined
  for await (const [event] of store.read(jobId, { from: seq, to: seq + 1 })) found = event
  if (found !== undefined && types.some((type) => type === found?.type)) return found.data as EventData<T>
  const message = `Event ${seq} of job "${jobId}" should be ${types.join(' or ')} and is ${found?.type}.`
  throw new AetherisError('STORE_CORRUPT', message, { jobId, seq })
}
