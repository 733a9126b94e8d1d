import { agent, fromMachine, signal, tool } from 'aetheris'
import { assign, fromPromise, setup } from 'xstate'
import { z } from 'zod'

const payload = z.object({ n: z.int(), text: z.string() })
const text = 'x'.repeat(180)

/** A step that returns about 200 bytes at once: what is left is the runtime's own cost. */
export const step = tool({
  name: 'step',
  input: payload,
  output: payload,
  effect: 'read',
  run: ({ n }) => ({ n: n + 1, text }),
})

/** `steps` calls, each on the output of the one before. Another `first` makes another plan. */
export const chain = agent({
  name: 'chain',
  input: z.object({ steps: z.int(), first: z.int().default(0) }),
  output: payload,
  tools: [step],
  plan(graph, { steps, first }) {
    let last = graph.call('s1', step, { n: first, text })
    for (let index = 2; index <= steps; index += 1) last = graph.call(`s${index}`, step, last)
    return last
  },
})

/** `width` calls at once, joined. */
export const fan = agent({
  name: 'fan',
  input: z.object({ width: z.int(), first: z.int().default(0) }),
  output: z.array(payload),
  tools: [step],
  plan: (graph, { width, first }) =>
    Array.from({ length: width }, (_, index) => graph.call(`s${index}`, step, { n: first + index, text })),
})

export const go = signal('go', z.object({ by: z.string() }))

/** One step, then it waits for somebody. */
export const parked = agent({
  name: 'parked',
  input: z.object({}),
  output: z.object({ by: z.string() }),
  tools: [step],
  signals: [go],
  plan(graph) {
    const first = graph.call('first', step, { n: 0, text })
    return graph.wait('go', go, { after: [first] })
  },
})

/** It only waits for somebody. */
export const waiting = agent({
  name: 'waiting',
  input: z.object({}),
  output: z.object({ by: z.string() }),
  signals: [go],
  plan: (graph) => graph.wait('go', go),
})

/**
 * Goes round `turns` times with a state that does not grow, so that only its history gets longer. `onTurn` is told of
 * each turn as it is performed.
 */
export const loopOf = (onTurn: (n: number) => void) =>
  fromMachine(
    'loop',
    setup({
      types: { context: {} as { n: number; turns: number }, input: {} as { turns: number } },
      actors: {
        turn: fromPromise(async ({ input }: { input: { n: number; text: string } }) => {
          onTurn(input.n)
          return { n: input.n + 1, text }
        }),
      },
    }).createMachine({
      context: ({ input }) => ({ n: 0, turns: input.turns }),
      initial: 'turning',
      states: {
        turning: {
          invoke: {
            id: 'turn',
            src: 'turn',
            input: ({ context }) => ({ n: context.n, text }),
            onDone: [
              {
                guard: ({ context, event }) => event.output.n < context.turns,
                target: 'turning',
                reenter: true,
                actions: assign({ n: ({ event }) => event.output.n }),
              },
              { target: 'done' },
            ],
          },
        },
        done: { type: 'final' },
      },
    }),
    { input: z.object({ turns: z.int() }), effects: { turn: 'read' } },
  )
