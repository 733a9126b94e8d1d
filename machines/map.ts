import { assign, enqueueActions, setup, stopChild } from 'xstate'
import type { Json } from '../src/base/json.ts'
import { inert } from './inert.ts'

/** A call for each item, `concurrency` of them at a time; done with the outputs in order of the items. */
export interface MapInput {
  /** The input of each item's call. */
  items: readonly unknown[]
  concurrency: number
}

export interface MapContext extends MapInput {
  /** The next item to request. */
  next: number
  completed: number
  results: Json[]
}

export const mapMachine = setup({
  types: { context: {} as MapContext, input: {} as MapInput, output: {} as Json[] },
  actors: { call: inert('call') },
  guards: { allDone: ({ context }) => context.completed === context.items.length },
  actions: {
    requestFirst: enqueueActions(({ enqueue, context }) => {
      const first = Math.min(context.concurrency, context.items.length)
      for (let index = 0; index < first; index += 1) {
        enqueue.spawnChild('call', { id: String(index), input: context.items[index] })
      }
      enqueue.assign({ next: first })
    }),
    requestNext: enqueueActions(({ enqueue, context }) => {
      if (context.next >= context.items.length) return
      enqueue.spawnChild('call', { id: String(context.next), input: context.items[context.next] })
      enqueue.assign({ next: context.next + 1 })
    }),
  },
}).createMachine({
  id: 'map',
  context: ({ input }) => ({ ...input, next: 0, completed: 0, results: input.items.map(() => null) }),
  initial: 'running',
  entry: 'requestFirst',
  states: {
    running: {
      always: { guard: 'allDone', target: 'done' },
      on: {
        // A failed item is not handled, so that its error becomes the map's own.
        'xstate.done.actor.*': {
          actions: [
            assign({
              completed: ({ context }) => context.completed + 1,
              results: ({ context, event }) => context.results.with(Number(doneActorId(event)), doneOutput(event)),
            }),
            stopChild(({ event }) => doneActorId(event)),
            'requestNext',
          ],
        },
      },
    },
    done: { type: 'final' },
  },
  output: ({ context }) => context.results,
})

function doneActorId(event: unknown): string {
  return (event as { actorId: string }).actorId
}

function doneOutput(event: unknown): Json {
  return (event as { output: Json }).output
}
