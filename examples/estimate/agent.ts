/**
 * A hand-written XState machine with a loop: it measures, waits, and measures again until the mean is known well enough,
 * or somebody says that it is.
 *
 *     aetheris run examples/estimate/agent.ts --id room --input '{"pauseMs":2000}'
 *     aetheris signal room accept '{"by":"ana"}'       after Ctrl-C, to take it as it is
 */
import { fromMachine, signal } from 'aetheris'
import { assign, fromPromise, setup } from 'xstate'
import { z } from 'zod'

const input = z.object({
  /** The standard error at which to stop. */
  goodEnough: z.number().positive().default(0.1),
  pauseMs: z.int().min(0).default(3_600_000),
})
type Context = z.infer<typeof input> & { count: number; sum: number; squares: number; by: string | null }

const accept = signal('accept', z.object({ by: z.string() }))

/** What a sensor would say; the same for the same question, so that the example is. */
const measure = fromPromise(async ({ input: { from } }: { input: { from: number } }) =>
  Array.from({ length: 10 }, (_, n) => 20 + Math.sin(from + n)),
)

/** The standard error of the mean. */
function errorOf({ count, sum, squares }: Context): number {
  return count < 2 ? Number.POSITIVE_INFINITY : Math.sqrt((squares - sum ** 2 / count) / (count - 1) / count)
}

const round = (value: number) => Number(value.toFixed(3))

// #region machine
const machine = setup({
  types: { context: {} as Context, input: {} as z.infer<typeof input>, events: {} as { type: 'accept'; by: string } },
  actors: { measure },
  guards: { isOver: ({ context }) => context.by !== null || errorOf(context) <= context.goodEnough },
  delays: { pause: ({ context }) => context.pauseMs },
}).createMachine({
  context: ({ input }) => ({ ...input, count: 0, sum: 0, squares: 0, by: null }),
  initial: 'measuring',
  on: { accept: { actions: assign({ by: ({ event }) => event.by }) } }, // whenever it comes
  states: {
    measuring: {
      invoke: {
        id: 'measure',
        src: 'measure',
        input: ({ context }) => ({ from: context.count }),
        onDone: {
          target: 'judging',
          actions: assign(({ context, event }) => ({
            count: context.count + event.output.length,
            sum: event.output.reduce((sum, value) => sum + value, context.sum),
            squares: event.output.reduce((sum, value) => sum + value ** 2, context.squares),
          })),
        },
      },
    },
    judging: { always: [{ guard: 'isOver', target: 'done' }, { target: 'resting' }] },
    resting: { always: { guard: 'isOver', target: 'done' }, after: { pause: 'measuring' } },
    done: { type: 'final' },
  },
  output: ({ context }) => ({
    mean: round(context.sum / context.count),
    error: round(errorOf(context)),
    count: context.count,
    by: context.by,
  }),
})

export const estimate = fromMachine('estimate', machine, {
  input,
  output: z.object({ mean: z.number(), error: z.number(), count: z.int(), by: z.string().nullable() }),
  signals: [accept],
  effects: { measure: 'read' }, // may be made again after a crash; the default is `once`
})
// #endregion
