import { NoPlan, type Planner, type PlanRequest } from '../agent/planner.ts'
import type { TaskGraph } from '../graph/graph.ts'

/** A plan, and when it is the right one. */
export interface Rule {
  /** Default: always. */
  when?(request: PlanRequest): boolean
  plan: TaskGraph | ((request: PlanRequest) => TaskGraph)
}

/** A planner that takes the first rule that fits. Where none does, planning fails. */
export function rulePlanner(name: string, rules: readonly Rule[]): Planner {
  return {
    name,
    plan(request) {
      const rule = rules.find(({ when }) => when === undefined || when(request))
      if (rule === undefined) {
        return new NoPlan('', [{ path: [], code: 'no_rule', message: `None of the ${rules.length} rules fits.` }])
      }
      return typeof rule.plan === 'function' ? rule.plan(request) : rule.plan
    },
  }
}

/** A planner that always gives the same plan. */
export function staticPlanner(name: string, plan: TaskGraph): Planner {
  return rulePlanner(name, [{ plan }])
}
