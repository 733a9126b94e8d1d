import type { AnyAgent } from '../agent/agent.ts'
import { described } from '../agent/catalogue.ts'
import { NoPlan, type Planner, type PlanRequest } from '../agent/planner.ts'
import { AetherisError } from '../base/error.ts'
import { limits } from '../base/limits.ts'
import { planInvalid } from '../graph/issue.ts'
import { checkGraph, type Known } from '../graph/validate.ts'
import type { Effect, PlanRequestInput } from '../replay/effect.ts'
import { type AttemptResult, failed, type Performance, type PerformanceHost, plain } from './performance.ts'

/** How a planner is asked, and what becomes of its answer. */

export function planning(agent: AnyAgent, effect: Effect, host: PerformanceHost): Performance {
  const { planner } = agent
  const { round } = effect.input as PlanRequestInput
  const { rejected = [] } = effect
  return {
    ...plain,
    name: planner?.name ?? agent.name,
    timeoutMs: planner?.timeoutMs,
    input: null,
    async run({ jobId, abortSignal, charge, emit }) {
      if (planner === undefined) {
        return failed(new AetherisError('AGENT_INVALID', `Agent "${agent.name}" has no planner.`), false)
      }
      if (round > limits.planRoundsMax) {
        const message = `Planner "${planner.name}" asks for plan ${round}; a job may have ${limits.planRoundsMax}. Let \`revise\` out of a plan that is to be the last.`
        return failed(new AetherisError('LIMIT_EXCEEDED', message), false)
      }
      const previous = host.previousPlan()
      const common = {
        tools: [...agent.tools.values()].map(described),
        agents: [...agent.agents.values()].map(described),
        signals: [...agent.signals.keys()],
      }
      const request = { ...common, jobId, input: host.jobInput, round, previous, rejected, abortSignal, charge, emit }
      return planned(agent, planner, await planner.plan(request), previous)
    },
  }
}

function planned(
  agent: AnyAgent,
  { answersMax = 1 }: Planner,
  answer: unknown,
  previous: PlanRequest['previous'],
): AttemptResult {
  if (answer instanceof NoPlan) return { type: 'rejected', answer: answer.answer, error: answer.error, answersMax }
  const { graph, issues } = checkGraph(answer, knownTo(agent, previous))
  if (issues === undefined) return { type: 'planned', graph }
  return { type: 'rejected', answer: textOf(answer), error: planInvalid(issues), answersMax }
}

/** Whatever a planner answers, as text; not even that may throw. */
function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return `(a ${typeof value} that is no JSON)`
  }
}

/** What a plan of `agent` may name. */
export function knownTo({ tools, signals, agents }: AnyAgent, previous: PlanRequest['previous']): Known {
  const results = previous && new Set(Object.keys(previous.results))
  return { tools, signals, agents, ...(results === undefined ? {} : { results }) }
}
