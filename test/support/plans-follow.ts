import type { AnyAgent } from '../../src/agent/agent.ts'
import type { Json } from '../../src/base/json.ts'
import type { EventData, JobEvent } from '../../src/event/event.ts'
import { type Divergence, Execution, fingerprint } from '../../src/replay/execution.ts'
import { programsOf } from '../../src/replay/programs.ts'
import type { Programs } from '../../src/replay/state.ts'

/** Folds, with the state put away as text and taken out again wherever asked. */

export function programsFor(agent: AnyAgent): Programs {
  return programsOf(new Map([[agent.name, agent]]))
}

export function fold(programs: Programs, events: readonly JobEvent[], execution = new Execution(programs)): Execution {
  for (const event of events) {
    const found: Divergence | undefined = execution.follow(event)
    if (found !== undefined)
      throw new Error(`diverged at ${found.seq}: ${found.path}: ${JSON.stringify([found.recorded, found.replayed])}`)
  }
  return execution
}

/** The execution as another process would get it: as text, with the two events that it refers to. */
export function throughText(programs: Programs, execution: Execution, events: readonly JobEvent[]): Execution {
  const state = JSON.parse(JSON.stringify(execution.persist())) as Json
  const created = events[0]?.data as EventData<'job.created'>
  const { planSeq } = state as { planSeq: number | null }
  const plan = planSeq === null ? undefined : (events[planSeq]?.data as EventData<'plan.adopted'>)
  return Execution.restore(programs, state, created, plan)
}

/** The state after each event, as one text. */
export function fingerprints(agent: AnyAgent, events: readonly JobEvent[]): string[] {
  const programs = programsFor(agent)
  const execution = new Execution(programs)
  return events.map((event) => fingerprint(fold(programs, [event], execution)))
}
