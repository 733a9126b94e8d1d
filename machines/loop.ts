import { type AnyStateMachine, enqueueActions, setup } from 'xstate'
import { type ErrorData, toErrorData } from '../src/base/error.ts'
import type { Json } from '../src/base/json.ts'
import type { Compensation } from '../src/graph/result.ts'
import { inert } from './inert.ts'
import type { Halt, PartOutcome, PlanOutcome, Stopped } from './outcome.ts'

/** A plan run again and again, each time on what the last time gave, until a condition holds. */
export interface LoopInput {
  /** The input of the job. */
  input: Json
  /** What the first iteration goes on with. */
  state: Json
  max: number
  /** Ends as completed where `max` iterations were not enough. */
  stopsAtMax: boolean
}

export interface LoopContext extends LoopInput {
  /** From 0. */
  iteration: number
  undo: Compensation[]
  halted?: Stopped
  error?: ErrorData
}

/** What a loop is made of that is no data. */
export interface LoopParts {
  /** The machine of the plan inside. */
  body: AnyStateMachine
  /** Whether the loop has come to its end with this state. */
  isOver(context: LoopContext): boolean
}

export const loopMachine = setup({
  types: { context: {} as LoopContext, input: {} as LoopInput, output: {} as PartOutcome, events: {} as Halt },
  actors: { body: inert('plan') },
  guards: {
    stopped: ({ context }) => context.halted !== undefined,
    over: () => false,
    atMax: ({ context }) => context.iteration + 1 >= context.max,
  },
  actions: {
    begin: enqueueActions(({ enqueue, context: { input, state, iteration } }) => {
      enqueue.spawnChild('body', { id: String(iteration), input: { input, results: {}, state, iteration } })
    }),
    next: enqueueActions(({ enqueue, context }) => enqueue.assign({ iteration: context.iteration + 1 })),
    keepOutcome: enqueueActions(({ enqueue, context, event }) => {
      const { actorId, output: outcome } = event as unknown as { actorId: string; output: PlanOutcome }
      enqueue.stopChild(actorId)
      const undone = outcome.undo.map((each) => ({ ...each, id: `${actorId}/${each.id}` }))
      const undo = [...undone, ...context.undo]
      if (outcome.stopped === undefined) enqueue.assign({ state: outcome.output, undo })
      else enqueue.assign({ undo, halted: outcome.stopped, ...(outcome.error && { error: outcome.error }) })
    }),
    keepError: enqueueActions(({ enqueue, event }) => {
      enqueue.assign({ halted: 'failed', error: toErrorData((event as unknown as { error: unknown }).error) })
    }),
    atItsMax: enqueueActions(({ enqueue, context }) => {
      if (context.stopsAtMax) return
      const message = `The loop was not over after ${context.max} iterations; raise its max, or let it stop there.`
      enqueue.assign({ halted: 'failed', error: { name: 'AetherisError', code: 'LIMIT_EXCEEDED', message } })
    }),
    halt: enqueueActions(({ enqueue, context, event }) => {
      enqueue.sendTo(String(context.iteration), event)
    }),
  },
}).createMachine({
  id: 'loop',
  context: ({ input }) => ({ ...input, iteration: 0, undo: [] }),
  initial: 'running',
  states: {
    running: {
      entry: 'begin',
      on: {
        'xstate.done.actor.*': { target: 'deciding', actions: 'keepOutcome' },
        'xstate.error.actor.*': { target: 'deciding', actions: 'keepError' },
        'plan.halt': { actions: 'halt' },
      },
    },
    deciding: {
      always: [
        { guard: 'stopped', target: 'done' },
        { guard: 'over', target: 'done' },
        { guard: 'atMax', target: 'done', actions: 'atItsMax' },
        { target: 'running', actions: 'next' },
      ],
    },
    done: { type: 'final' },
  },
  output: ({ context: { state, undo, halted, error } }) => ({
    output: state,
    undo,
    ...(halted === undefined ? {} : { stopped: halted }),
    ...(error === undefined ? {} : { error }),
  }),
})

/** The loop of one node. */
export function loopOf({ body, isOver }: LoopParts): typeof loopMachine {
  return loopMachine.provide({
    actors: { body: body as never },
    guards: { over: ({ context }) => isOver(context) },
  })
}
