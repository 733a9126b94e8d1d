import { createMachine, fromPromise, setup } from 'xstate'
import { fromMachine } from '../../src/index.ts'

/**
 * Hand-written machines whose histories are kept in test/golden: the histories are replayed on these, so a machine here
 * stays what it is. Another one gets another name.
 */

const told = fromPromise(async ({ input }: { input: string }) => `told ${input}`)
const child = setup({ actors: { told } }).createMachine({
  id: 'child',
  initial: 'telling',
  states: {
    telling: { invoke: { id: 'tell', src: 'told', input: 'the child', onDone: 'resting' } },
    resting: { after: { 2000: 'rested' } },
    rested: { type: 'final' },
  },
  output: 'the child is rested',
})

/** A call, regions, delays, a child machine with a call and a delay of its own, what is withdrawn, and a deep history. */
export const chart = fromMachine(
  'chart',
  setup({ actors: { told, child, slow: fromPromise(() => new Promise<never>(() => {})) } }).createMachine({
    id: 'chart',
    initial: 'first',
    states: {
      first: { invoke: { id: 'tell', src: 'told', input: 'the first', onDone: 'rooms' } },
      rooms: {
        type: 'parallel',
        on: { leave: 'outside', finish: 'end' },
        states: {
          light: {
            initial: 'off',
            states: { off: { on: { switch: 'on' } }, on: { on: { switch: 'off' }, after: { 60000: 'off' } } },
          },
          child: {
            initial: 'awake',
            states: { awake: { invoke: { id: 'child', src: 'child', onDone: 'asleep' } }, asleep: {} },
          },
          work: { invoke: { id: 'slow', src: 'slow' } },
          memory: { type: 'history', history: 'deep' },
        },
      },
      outside: { on: { return: 'rooms.memory' } },
      end: { type: 'final' },
    },
    output: 'went home',
  }),
  { effects: { told: 'read' } },
)

/** Has a bug in a guard. */
export const broken = fromMachine(
  'broken',
  createMachine({
    initial: 'on',
    states: {
      on: {
        on: {
          go: {
            target: 'off',
            guard: () => {
              throw new Error('a bug')
            },
          },
        },
      },
      off: {},
    },
  }),
)
