import type { AetherisError, Issue } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import type { ModelUsage } from '../event/spending.ts'
import type { TaskGraph } from '../graph/graph.ts'
import { planInvalid } from '../graph/issue.ts'
import type { Results } from '../graph/result.ts'
import type { Described } from './catalogue.ts'

/** What a planner is asked. */
export interface PlanRequest {
  readonly jobId: string
  readonly input: Json
  /** What a plan may call: names with the JSON Schema of input and output. */
  readonly tools: readonly Described[]
  /** The signals that a plan may wait for. */
  readonly signals: readonly string[]
  /** The agents whose jobs a plan may start, with the JSON Schema of input and output. */
  readonly agents: readonly Described[]
  /** 1 for the first plan of the job. */
  readonly round: number
  /** The plan before, and how its nodes and those of earlier ones have ended so far. */
  readonly previous: { graph: TaskGraph; results: Results } | undefined
  /** What was answered to this request before and is no plan, oldest first, with what is wrong. */
  readonly rejected: readonly { answer: string; issues: readonly Issue[] }[]
  readonly abortSignal: AbortSignal
  /** As of a tool. */
  charge(spent: number | ModelUsage): void
  /** As of a tool. */
  emit(text: string): void
}

/** What a planner returns that has been given an answer which is no plan at all, such as prose. */
export class NoPlan {
  readonly answer: string
  readonly error: AetherisError
  constructor(answer: string, issues: Issue[]) {
    this.answer = answer
    this.error = planInvalid(issues)
  }
}

/**
 * Makes the TaskGraph of a job. It may do I/O or ask a model: it is asked once, its answer is recorded as
 * `plan.adopted`, and it is never asked again on recovery after that, nor on replay.
 *
 * It is asked for a further plan where the plan before says so (`revise`), or somebody does. That one holds only new
 * nodes and those that are still to be done; it may refer to the outputs of all that have settled.
 */
export interface Planner {
  readonly name: string
  /** Time for one answer, in milliseconds. Default: none. */
  readonly timeoutMs?: number
  /**
   * How often it may answer one request: where an answer is no valid plan, it is recorded (`plan.rejected`), and the
   * planner is asked again with what is wrong. Default 1.
   */
  readonly answersMax?: number
  plan(request: PlanRequest): Promise<TaskGraph | NoPlan> | TaskGraph | NoPlan
}
