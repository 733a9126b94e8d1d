import type { AnyEventObject, Snapshot } from 'xstate'
import type { AnyAgent } from '../agent/agent.ts'
import { AetherisError } from '../base/error.ts'
import { compile } from '../compile/compile.ts'
import type { NewEvent } from '../event/event.ts'
import type { Execution } from '../replay/execution.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'

/**
 * Tells the `inspect` option of every durable step, in XState's inspection protocol, so that XState's inspectors can
 * watch jobs as they watch actors. A job is one actor; what happens to it are the events of its history.
 */

/** An event of XState's protocol, about a job. Whatever takes XState's own `InspectionEvent` takes these. */
export type JobInspectionEvent =
  | { type: '@xstate.actor'; rootId: string; actorRef: InspectedJob }
  | {
      type: '@xstate.event'
      rootId: string
      actorRef: InspectedJob
      sourceRef: undefined
      event: NewEvent & AnyEventObject
    }
  | {
      type: '@xstate.snapshot'
      rootId: string
      actorRef: InspectedJob
      event: NewEvent & AnyEventObject
      snapshot: JobSnapshot & Snapshot<unknown>
    }

/** A function, or an observer as XState's `createActor` takes it and its inspectors are one. */
export type Inspect = ((event: JobInspectionEvent) => void) | { next?: (event: JobInspectionEvent) => void }

/** A job as inspectors know actors. */
export interface InspectedJob {
  id: string
  sessionId: string
  src: string
  /** The chart that the state values of the job are states of; inspectors draw it. */
  logic: { config: object }
  getSnapshot(): JobSnapshot & Snapshot<unknown>
  /** Refuses: a signal has to be durable before it is answered. @throws AetherisError SIGNAL_INVALID */
  send(event: unknown): never
}

export class Inspection {
  private readonly tell: ((event: JobInspectionEvent) => void) | undefined
  private readonly problem: (jobId: string, error: unknown) => void
  /** Jobs that the inspector knows, with the seq of the plan that it was shown. */
  private readonly known = new Map<string, number | undefined>()

  constructor(inspect: Inspect | undefined, problem: (jobId: string, error: unknown) => void) {
    this.tell = typeof inspect === 'function' ? inspect : inspect?.next?.bind(inspect)
    this.problem = problem
  }

  get on(): boolean {
    return this.tell !== undefined
  }

  /** Tells of a commit. What an inspector throws is reported, and does not touch the job. */
  committed(agent: AnyAgent, execution: Execution, events: readonly NewEvent[], jobSnapshot: JobSnapshot): void {
    const { jobId } = jobSnapshot
    const snapshot = jobSnapshot as JobSnapshot & Snapshot<unknown>
    const common = { rootId: jobId, actorRef: inspected(agent, execution, snapshot) }
    if (!this.known.has(jobId) || this.known.get(jobId) !== execution.planSeq) {
      this.known.set(jobId, execution.planSeq)
      this.send(jobId, { type: '@xstate.actor', ...common })
    }
    for (const event of events) this.send(jobId, { type: '@xstate.event', ...common, sourceRef: undefined, event })
    const last = events.at(-1)
    if (last === undefined) return
    this.send(jobId, { type: '@xstate.snapshot', ...common, event: last, snapshot })
    if (execution.isEnded) this.known.delete(jobId)
  }

  private send(jobId: string, event: JobInspectionEvent): void {
    try {
      this.tell?.(event)
    } catch (error) {
      this.problem(jobId, error)
    }
  }
}

function inspected(agent: AnyAgent, execution: Execution, snapshot: JobSnapshot & Snapshot<unknown>): InspectedJob {
  const { jobId } = snapshot
  return {
    id: jobId,
    sessionId: jobId,
    src: agent.name,
    get logic() {
      return { config: chartOf(agent, execution) }
    },
    getSnapshot: () => snapshot,
    send() {
      throw new AetherisError('SIGNAL_INVALID', 'An inspected job takes no events; send a signal by its handle.', {
        jobId,
      })
    },
  }
}

/** The life of the job, with its plan or its machine in the middle. */
function chartOf(agent: AnyAgent, { graph }: Execution): object {
  const body = graph === undefined ? agent.program?.body.config : compile(graph).config
  const end = { type: 'final' }
  return {
    id: agent.name,
    initial: agent.program === undefined ? 'planning' : 'running',
    states: {
      ...{ planning: {}, running: body ?? {}, failing: body ?? {}, cancelling: body ?? {}, compensating: {} },
      ...{ paused: body ?? {}, budgetExceeded: body ?? {} },
      ...{ completed: end, failed: end, cancelled: end, terminated: end },
    },
  }
}
