import type { AnyAgent } from '../agent/agent.ts'
import type { NewEvent } from '../event/event.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'

/** An inspection event with the fields that XState's inspectors read. */
export type JobInspectionEvent =
  | { type: '@xstate.actor'; rootId: string; actorRef: InspectedActor }
  | { type: '@xstate.event'; rootId: string; actorRef: InspectedActor; sourceRef: undefined; event: NewEvent }
  | { type: '@xstate.snapshot'; rootId: string; actorRef: InspectedActor; event: NewEvent; snapshot: JobSnapshot }

export type Inspect = (event: JobInspectionEvent) => void

/** A job as inspectors know actors. */
export interface InspectedActor {
  id: string
  sessionId: string
  src: string
  getSnapshot(): JobSnapshot
}

/** Tells the `inspect` option of every durable step, in XState's inspection protocol. */
export class Inspection {
  private readonly inspect: Inspect | undefined

  constructor(inspect: Inspect | undefined) {
    this.inspect = inspect
  }

  get on(): boolean {
    return this.inspect !== undefined
  }

  events(jobId: string, agent: AnyAgent, events: readonly NewEvent[], snapshot: JobSnapshot): void {
    const { inspect } = this
    if (inspect === undefined) return
    const common = {
      rootId: jobId,
      actorRef: { id: jobId, sessionId: jobId, src: agent.name, getSnapshot: () => snapshot },
    }
    for (const event of events) {
      if (event.type === 'job.created') inspect({ type: '@xstate.actor', ...common })
      inspect({ type: '@xstate.event', ...common, sourceRef: undefined, event })
    }
    const last = events.at(-1)
    if (last !== undefined) inspect({ type: '@xstate.snapshot', ...common, event: last, snapshot })
  }
}
