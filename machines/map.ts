import { assign, enqueueActions, setup } from 'xstate'
import { type ErrorData, toErrorData } from '../src/base/error.ts'
import type { Json } from '../src/base/json.ts'
import { inert } from './inert.ts'
import type { EndedError, Halt, Stopped } from './outcome.ts'

/** A call for each item, `concurrency` of them at a time; done with the outputs in order of the items. */
export interface MapInput {
  /** The input of each item's call. */
  items: readonly unknown[]
  concurrency: number
  /** An item that fails is kept as such, and the others go on. */
  collect: boolean
  /** Whether it matters in which order the items completed. */
  undoable: boolean
  /** Why there are no items: the map fails at once. */
  error?: ErrorData
}

export interface MapContext extends MapInput {
  /** The next item to request. */
  next: number
  settled: number
  results: Json[]
  /** Of a map that can be undone: items that completed or may have, in the order in which they ended. */
  order: number[]
  /** Nothing more is begun; the map ends when what is under way has ended. */
  halted?: Stopped
}

export interface MapOutcome {
  output: Json[]
  order: number[]
  stopped?: Stopped
  error?: ErrorData
}

export const mapMachine = setup({
  types: { context: {} as MapContext, input: {} as MapInput, output: {} as MapOutcome, events: {} as Halt },
  actors: { call: inert('call') },
  guards: {
    allDone: ({ context }) => context.settled === (context.halted === undefined ? context.items.length : context.next),
  },
  actions: {
    requestFirst: enqueueActions(({ enqueue, context }) => {
      const first = Math.min(context.concurrency, context.items.length)
      for (let index = 0; index < first; index += 1) {
        enqueue.spawnChild('call', { id: String(index), input: context.items[index] })
      }
      enqueue.assign({ next: first })
    }),
    requestNext: enqueueActions(({ enqueue, context }) => {
      if (context.halted !== undefined || context.next >= context.items.length) return
      enqueue.spawnChild('call', { id: String(context.next), input: context.items[context.next] })
      enqueue.assign({ next: context.next + 1 })
    }),
    keepOutput: enqueueActions(({ enqueue, context, event }) => {
      const { actorId, output } = event as unknown as { actorId: string; output: Json }
      const index = Number(actorId)
      const result: Json = context.collect ? { status: 'completed', output } : output
      enqueue.stopChild(actorId)
      enqueue.assign({
        settled: context.settled + 1,
        results: context.results.with(index, result),
        ...(context.undoable ? { order: [...context.order, index] } : {}),
      })
    }),
    keepFailure: enqueueActions(({ enqueue, context, event }) => {
      const { actorId, error } = event as unknown as { actorId: string; error: EndedError }
      enqueue.stopChild(actorId)
      enqueue.assign({ settled: context.settled + 1, ...failureOf(context, Number(actorId), error) })
    }),
    halt: assign(({ context, event }) => ({ halted: context.halted ?? event.why })),
  },
}).createMachine({
  id: 'map',
  context: ({ input }) => ({
    ...input,
    ...{ next: 0, settled: 0, results: input.items.map(() => null), order: [] },
    ...(input.error === undefined ? {} : { halted: 'failed' }),
  }),
  initial: 'running',
  entry: 'requestFirst',
  states: {
    running: {
      always: { guard: 'allDone', target: 'done' },
      on: {
        'xstate.done.actor.*': { actions: ['keepOutput', 'requestNext'] },
        'xstate.error.actor.*': { actions: ['keepFailure', 'requestNext'] },
        'plan.halt': { actions: 'halt' },
      },
    },
    done: { type: 'final' },
  },
  output: ({ context: { results, order, halted, error } }) => ({
    output: results,
    order,
    ...(halted === undefined ? {} : { stopped: halted }),
    ...(error === undefined ? {} : { error }),
  }),
})

function failureOf(
  context: MapContext,
  index: number,
  { ended, isUncertain, ...error }: EndedError,
): Partial<MapContext> {
  const mayHaveHappened = ended === 'unknown' || isUncertain === true
  const order = context.undoable && mayHaveHappened ? [...context.order, index] : context.order
  if (ended !== undefined || context.halted !== undefined) return { order }
  const data = toErrorData(error)
  if (!context.collect) return { order, halted: 'failed', error: data }
  return { order, results: context.results.with(index, { status: 'failed', error: { ...data } }) }
}
