import type { ErrorData } from '../src/base/error.ts'
import type { Json } from '../src/base/json.ts'
import type { Compensation, Results } from '../src/graph/result.ts'

/** Why a plan, or a part of it with a machine of its own, stopped before its end. */
export type Stopped = 'failed' | 'cancelled'

/** How a part of a plan ended that has a machine of its own: a map, a loop. */
export interface PartOutcome {
  output: Json
  stopped?: Stopped
  error?: ErrorData
  /** What has to be undone, latest first, if it comes to that. */
  undo: Compensation[]
}

/** How a plan ended. */
export interface PlanOutcome extends PartOutcome {
  results: Results
  /** The planner is to be asked for the next plan. */
  asksAgain: boolean
}

/** Tells a plan, or a part of it, to begin nothing more and to end when what is under way has ended. */
export interface Halt {
  type: 'plan.halt'
  why: Stopped
}

/**
 * How a call ended that has no result. `ended`: it has not failed, but was called off, or nobody knows. `isUncertain`: it
 * has failed, and may have taken effect all the same.
 */
export interface EndedError extends ErrorData {
  ended?: 'cancelled' | 'unknown'
  isUncertain?: true
}
