import type { Json } from '../base/json.ts'
import type { TaskGraph } from '../graph/graph.ts'

/** What a planner is asked. */
export interface PlanRequest {
  readonly jobId: string
  readonly input: Json
  /** What a plan may call: names with the JSON Schema of input and output. */
  readonly tools: readonly { name: string; input: Json; output: Json }[]
  /** The signals that a plan may wait for. */
  readonly signals: readonly string[]
  readonly abortSignal: AbortSignal
}

/**
 * Makes the TaskGraph of a job. It may do I/O or ask a model: it is asked once, its answer is recorded as
 * `plan.adopted`, and it is never asked again on recovery after that, nor on replay.
 */
export interface Planner {
  readonly name: string
  plan(request: PlanRequest): Promise<TaskGraph> | TaskGraph
}
