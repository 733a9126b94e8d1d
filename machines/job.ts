import { assign, setup } from 'xstate'
import { type ErrorData, toErrorData } from '../src/base/error.ts'
import type { Json } from '../src/base/json.ts'
import { inert } from './inert.ts'

/**
 * The life of every job. The body (the compiled plan, or a hand-written machine) is invoked while `running`.
 *
 * Pausing does not leave `running`, so nothing under way is lost: attempts finish and the body moves on, but the
 * runner starts nothing new.
 */
export const jobMachine = setup({
  types: {
    context: {} as { input: Json; planned: boolean; planner: string; output?: Json; error?: ErrorData },
    input: {} as { input: Json; planned: boolean; planner: string },
    output: {} as Json,
    events: {} as
      | { type: 'job.pause' }
      | { type: 'job.resume' }
      | { type: 'job.cancel' }
      | { type: 'job.fail'; error: ErrorData },
  },
  actors: { planner: inert('plan'), body: inert('plan') },
  guards: { planned: ({ context }) => context.planned },
}).createMachine({
  id: 'job',
  context: ({ input }) => input,
  initial: 'created',
  states: {
    created: { always: [{ guard: 'planned', target: 'running' }, { target: 'planning' }] },
    planning: {
      invoke: {
        id: 'planner',
        src: 'planner',
        input: ({ context }) => ({ planner: context.planner }),
        onDone: 'running',
        onError: { target: 'failed', actions: assign({ error: ({ event }) => toErrorData(event.error) }) },
      },
    },
    running: {
      invoke: {
        id: 'body',
        src: 'body',
        input: ({ context }) => context.input,
        onDone: { target: 'completed', actions: assign({ output: ({ event }) => event.output as Json }) },
        onError: { target: 'failed', actions: assign({ error: ({ event }) => toErrorData(event.error) }) },
      },
      initial: 'active',
      states: {
        active: { on: { 'job.pause': 'paused' } },
        paused: { on: { 'job.resume': 'active' } },
      },
    },
    completed: { type: 'final' },
    failed: { type: 'final' },
    cancelled: { type: 'final' },
  },
  on: {
    'job.cancel': '.cancelled',
    'job.fail': { target: '.failed', actions: assign({ error: ({ event }) => event.error }) },
  },
  output: ({ context }) => context.output ?? null,
})
