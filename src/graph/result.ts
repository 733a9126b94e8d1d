import type { ErrorData } from '../base/error.ts'
import type { Json } from '../base/json.ts'

/** How a node of a plan ended. Only a completed one has an output. */
export type NodeResult =
  | { status: 'completed'; output: Json }
  /** `isUncertain`: it may have taken effect all the same. */
  | { status: 'failed'; error: ErrorData; isUncertain?: true }
  | { status: 'skipped' }
  | { status: 'timedOut' }
  /** The job was ending, so it was not begun, or was called off. */
  | { status: 'cancelled' }
  /** The job was ending, and nobody could say how the call had ended. */
  | { status: 'unknown' }

/** By node id, in the order in which they settled. */
export type Results = Readonly<Record<string, NodeResult>>

/** A call that undoes what a node did. */
export interface Compensation {
  /** The node, with the item where it is one of a map: `book`, `book/3`. */
  id: string
  tool: string
  input: Json
}
