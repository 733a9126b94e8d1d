import type { AnyAgent } from '../agent/agent.ts'
import type { Planner, PlanRequest } from '../agent/planner.ts'
import type { AnyTool, ToolContext } from '../agent/tool.ts'
import type { EffectClass } from '../event/event.ts'

/** An agent whose calls go through a test before they reach its tools. */

/** A call of a tool, or a question to a planner. */
export interface Call {
  tool: string
  class: EffectClass
  jobId: string
  effect: string
  /** From 1; of a planner the answer that is asked for. */
  attempt: number
  /** Undefined for a planner. */
  idempotencyKey: string | undefined
  input: unknown
  /** An attempt before has submitted it, and this one asks what has become of it. */
  continues: boolean
}

/** What stands around a call: may take its time, throw, or not perform it at all. */
export type Around = (call: Call, perform: () => Promise<unknown>, abortSignal: AbortSignal) => Promise<unknown>

/** The agents, and those whose jobs they start, by name. */
export function familyOf(agents: readonly AnyAgent[]): Map<string, AnyAgent> {
  const family = new Map<string, AnyAgent>()
  const add = (agent: AnyAgent) => {
    for (const child of agent.agents.values()) add(child)
    family.set(agent.name, agent)
  }
  agents.forEach(add)
  return family
}

/** The family of `agents`, by name, with `around` around the calls of their tools and planners. */
export function wrapFamily(agents: readonly AnyAgent[], around: Around): Map<string, AnyAgent> {
  const wrapped = new Map<string, AnyAgent>()
  // Children come first, and a runtime knows agents by identity.
  for (const [name, agent] of familyOf(agents)) {
    const { planner } = agent
    const tools = mapped(agent.tools, (tool) => wrapTool(tool, around))
    const children = mapped(agent.agents, (child) => wrapped.get(child.name) as AnyAgent)
    wrapped.set(
      name,
      Object.freeze({ ...agent, tools, agents: children, planner: planner && wrapPlanner(planner, around) }),
    )
  }
  return wrapped
}

function mapped<T>(map: ReadonlyMap<string, T>, change: (value: T) => T): Map<string, T> {
  return new Map([...map].map(([name, value]) => [name, change(value)]))
}

function wrapTool(tool: AnyTool, around: Around): AnyTool {
  const { poll } = tool
  const callOf = (input: unknown, { jobId, effect, attempt, idempotencyKey }: ToolContext, continues: boolean) => ({
    ...{ tool: tool.name, class: tool.effect, jobId, effect, attempt, idempotencyKey, input, continues },
  })
  return {
    ...tool,
    run: (input: unknown, context: ToolContext) =>
      around(callOf(input, context, false), async () => tool.run(input, context), context.abortSignal),
    poll:
      poll &&
      ((task, input, context) =>
        around(callOf(input, context, true), async () => poll(task, input, context), context.abortSignal)),
  }
}

function wrapPlanner(planner: Planner, around: Around): Planner {
  return {
    ...planner,
    plan(request: PlanRequest) {
      const { jobId, input, rejected, round, abortSignal } = request
      const effect = round === 1 ? 'job.planner' : `job.planner#${round}`
      const about = { jobId, effect, attempt: rejected.length + 1, idempotencyKey: undefined, input, continues: false }
      const perform = async () => planner.plan(request)
      return around({ tool: planner.name, class: 'read', ...about }, perform, abortSignal) as ReturnType<typeof perform>
    },
  }
}
