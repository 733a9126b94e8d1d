import type { AnyAgent, OutputOf } from '../agent/agent.ts'
import { AetherisError } from '../base/error.ts'
import type { JobEvent, NewEvent } from '../event/event.ts'
import { type Divergence, differs, Execution } from './execution.ts'
import { JobSnapshot, type Pending } from './job-snapshot.ts'
import { programsOf } from './programs.ts'

export type { Divergence } from './execution.ts'
export { JobSnapshot, type NodeStatus, type Pending } from './job-snapshot.ts'

export interface ReplayOptions {
  /** Stop after the event of this seq. Default: all. */
  until?: number
}

export interface Replay<Output> {
  /** The job after the last event that was replayed. */
  snapshot: JobSnapshot<Output>
  pending: readonly Pending[]
  /** Events replayed. */
  events: number
  /** Where the history and the replay first part; undefined where they are identical. */
  divergence: Divergence | undefined
}

type Events = AsyncIterable<JobEvent> | Iterable<JobEvent>

/**
 * Folds a history again, with no effects: no clock, no network, no tool runs. Every recorded state and announcement
 * is compared with what the machine makes of the same inputs; a hand-written machine is folded twice, and must come to
 * the same context.
 * @throws AetherisError EVENT_INVALID when the history is empty or does not begin with job.created; AGENT_UNKNOWN
 * when it is of another agent.
 */
export async function replay<A extends AnyAgent>(
  agent: A,
  events: Events,
  options: ReplayOptions = {},
): Promise<Replay<OutputOf<A>>> {
  const until = options.until ?? Number.POSITIVE_INFINITY
  const programs = programsOf(new Map([[agent.name, agent]]))
  const execution = new Execution(programs)
  // The history does not hold the context of a hand-written machine, so only a second fold can tell whether it is pure.
  const twin = agent.program && new Execution(programs)
  let divergence: Divergence | undefined
  let jobId = ''
  for await (const event of events) {
    if (event.seq > until) break
    if (jobId === '') jobId = checkFirst(agent, event)
    divergence = execution.follow(event) ?? (twin && parting(execution, twin, event))
    if (divergence !== undefined) break
  }
  if (jobId === '')
    throw new AetherisError('EVENT_INVALID', 'The history is empty; a job has at least the event job.created.')
  const snapshot = new JobSnapshot<OutputOf<A>>(jobId, execution)
  return { snapshot, pending: snapshot.pending, events: execution.seq, divergence }
}

/** Where two folds of the same events come to different states. */
function parting(one: Execution, other: Execution, event: JobEvent): Divergence | undefined {
  const found = other.follow(event)
  if (found !== undefined) return found
  const parted = differs(event.seq, [], one.persist(), other.persist())
  return parted && { ...parted, path: parted.path.replace(bodyPath, ''), called: other.called }
}

/** Where the state of a machine is in that of its job. */
const bodyPath = 'actor.children.body.snapshot.'

function checkFirst(agent: AnyAgent, event: JobEvent): string {
  if (event.type !== 'job.created' || event.seq !== 0) {
    throw new AetherisError(
      'EVENT_INVALID',
      `A history begins with job.created at seq 0; this one begins with ${event.type} at seq ${event.seq}.`,
    )
  }
  if (event.data.agent !== agent.name) {
    throw new AetherisError('AGENT_UNKNOWN', `The history is of agent "${event.data.agent}", not of "${agent.name}".`)
  }
  if (event.data.machine !== undefined && agent.program === undefined) {
    throw new AetherisError('AGENT_UNKNOWN', `The history is of a hand-written machine; agent "${agent.name}" plans.`)
  }
  return event.jobId
}

/** Folds events into `execution`. @throws AetherisError REPLAY_DIVERGED at the first difference. */
export function foldInto(execution: Execution, events: readonly (JobEvent | NewEvent)[], jobId: string): void {
  for (const event of events) {
    const found = execution.follow(event)
    if (found === undefined) continue
    throw new AetherisError(
      'REPLAY_DIVERGED',
      `Job "${jobId}" does not replay: at seq ${found.seq}, ${found.path} was recorded as ${JSON.stringify(found.recorded)} and is now ${JSON.stringify(found.replayed)}. The code of its machine has changed, or reads something that is not in its history.${blame(found)}`,
      { jobId, seq: found.seq },
    )
  }
}

function blame({ called = [] }: Divergence): string {
  return called.length === 0 ? '' : ` The last step called: ${called.join(', ')}.`
}
