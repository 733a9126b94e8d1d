import type { PromiseActorLogic } from 'xstate'
import type { z } from 'zod'
import { inert } from '../../machines/inert.ts'
import type { Tool } from './tool.ts'

/**
 * A tool as an actor of a hand-written machine: `setup({ actors: { search: toolActor(search) } })`. Its invoke is a call
 * like that of a plan, with the tool's schemas, effect class, retries, approval and all.
 *
 * Only the runtime performs it: in a plain XState actor it never ends.
 */
export function toolActor<I extends z.ZodType, O extends z.ZodType>(
  tool: Tool<I, O>,
): PromiseActorLogic<z.output<O>, z.input<I>> {
  const call = inert('call')
  const logic = {
    ...call,
    tool,
    getInitialSnapshot: (scope: never, input: unknown) =>
      call.getInitialSnapshot(scope, { tool: tool.name, input: input ?? null }),
  }
  return logic as unknown as PromiseActorLogic<z.output<O>, z.input<I>>
}
