import type { z } from 'zod'
import type { Arg, ToolLike } from './ref.ts'

/** A call that undoes another, as it is written in code. Made by {@link undo}. */
export interface Undo {
  readonly tool: ToolLike
  readonly input: unknown
}

/**
 * The call that undoes a node: `compensate: (booking) => undo(cancelFlight, { id: booking.id })`. It may be made where
 * the outcome of the node is unknown, so it must be harmless when there is nothing to undo.
 */
export function undo<I extends z.ZodType>(tool: ToolLike<I>, input: Arg<z.input<I>>): Undo {
  return Object.freeze({ tool: tool as ToolLike, input })
}
