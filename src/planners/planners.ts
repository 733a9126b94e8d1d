/** What makes the plan of a job: a model, rules, or always the same. */
export { NoPlan, type Planner, type PlanRequest } from '../agent/planner.ts'
export { type LlmPlannerOptions, llmPlanner } from './llm-planner.ts'
export { type Rule, rulePlanner, staticPlanner } from './rule-planner.ts'
