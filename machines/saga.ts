import { enqueueActions, setup } from 'xstate'
import type { Compensation } from '../src/graph/result.ts'
import { inert } from './inert.ts'

/**
 * Undoes what a job has done: one call after the other, in the given order. One that fails for good does not keep the
 * others from being undone; it is named in the output.
 */
export interface SagaContext {
  steps: readonly Compensation[]
  /** The step that is under way. */
  at: number
  failed: Compensation[]
}

export const sagaMachine = setup({
  types: {
    context: {} as SagaContext,
    input: {} as { steps: readonly Compensation[] },
    output: {} as Compensation[],
  },
  actors: { call: inert('call') },
  guards: { allDone: ({ context }) => context.at >= context.steps.length },
  actions: {
    request: enqueueActions(({ context, enqueue }) => {
      const step = context.steps[context.at]
      if (step === undefined) return
      enqueue.spawnChild('call', { id: step.id, input: { tool: step.tool, input: step.input } })
    }),
    goOn: enqueueActions(({ context, event, enqueue }) => {
      const step = context.steps[context.at] as Compensation
      const hasFailed = event.type.startsWith('xstate.error')
      enqueue.stopChild(step.id)
      enqueue.assign({ at: context.at + 1, failed: hasFailed ? [...context.failed, step] : context.failed })
    }),
  },
}).createMachine({
  id: 'saga',
  context: ({ input }) => ({ steps: input.steps, at: 0, failed: [] }),
  initial: 'undoing',
  states: {
    undoing: {
      entry: 'request',
      always: { guard: 'allDone', target: 'done' },
      on: {
        'xstate.done.actor.*': { actions: ['goOn', 'request'] },
        'xstate.error.actor.*': { actions: ['goOn', 'request'] },
      },
    },
    done: { type: 'final' },
  },
  output: ({ context }) => context.failed,
})
