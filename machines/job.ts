import { type AnyActorRef, assign, enqueueActions, sendTo, setup } from 'xstate'
import { type ErrorData, toErrorData } from '../src/base/error.ts'
import type { Json } from '../src/base/json.ts'
import { type Compensation, type Pages, type Results, resultsOf } from '../src/graph/result.ts'
import { inert } from './inert.ts'
import type { PlanOutcome } from './outcome.ts'
import { sagaMachine } from './saga.ts'

/**
 * The life of every job.
 *
 * `phase` is how far it is. The body (the compiled plan, or a hand-written machine) is invoked while `running`. A job
 * that fails or is cancelled first lets what is under way end, then undoes what it has done, then ends.
 *
 * `gate` says whether anything new may be started. It is apart from the phase, so that pausing leaves everything where
 * it is: attempts finish and the body moves on, but the runner starts nothing new.
 *
 * `revision` asks the planner for another plan while the body runs.
 */
export interface JobContext {
  input: Json
  /** Whether the body is a plan, and not a hand-written machine. */
  isPlan: boolean
  /** Whether the plan is there from the start. */
  planned: boolean
  planner: string
  /** Plans that the planner was asked for. */
  rounds: number
  /** What earlier plans and earlier tries of this one have come to. */
  results: Results
  /** What parts of the last one have left to be undone, by node. */
  parts: Readonly<Record<string, readonly Compensation[]>>
  /** What can be undone of them, latest first. */
  undo: readonly Compensation[]
  /** How the job will end once everything is undone. */
  ending: 'failed' | 'cancelled'
  output?: Json
  error?: ErrorData
}

type Kept = { results: Results; undo: readonly Compensation[] }

export type JobControl =
  | { type: 'job.pause' }
  | { type: 'job.resume' }
  | { type: 'job.exceed' }
  /** `heard`: the body has something to do before it ends. */
  | { type: 'job.cancel'; heard: boolean }
  | { type: 'job.kill' }
  | { type: 'job.terminate' }
  | { type: 'job.fail'; error: ErrorData }
  | { type: 'job.replan' }
  /** The body begins anew, on another plan or from an earlier point, with what is kept. */
  | ({ type: 'job.rerun' } & Kept)

export const jobMachine = setup({
  types: {
    context: {} as JobContext,
    input: {} as Pick<JobContext, 'input' | 'isPlan' | 'planned' | 'planner'>,
    events: {} as JobControl,
  },
  actors: { planner: inert('plan'), body: inert('plan'), saga: sagaMachine },
  guards: {
    planned: ({ context }) => context.planned,
    asksAgain: ({ context, event }) => context.isPlan && outcomeOf(event).asksAgain,
    hasFailed: ({ context, event }) => context.isPlan && outcomeOf(event).stopped === 'failed',
    mustUndo: ({ context, event }) =>
      context.isPlan &&
      outcomeOf(event).undo.length + context.undo.length > 0 &&
      outcomeOf(event).stopped !== undefined,
    mustUndoEarlier: ({ context }) => context.undo.length > 0,
    heard: ({ event }) => event.type === 'job.cancel' && event.heard,
    endsFailed: ({ context }) => context.ending === 'failed',
  },
  actions: {
    count: assign({ rounds: ({ context }) => context.rounds + 1 }),
    fail: assign({ error: ({ event }) => toErrorData((event as unknown as { error: unknown }).error) }),
    /** How far a plan has come, whyever its body ends. */
    keepResults: assign(({ context, self }) => {
      const body = (self.getSnapshot() as { children?: Record<string, AnyActorRef> }).children?.['body']
      if (!context.isPlan || body === undefined) return {}
      const { results, undo } = body.getSnapshot().context as { results: Pages; undo: JobContext['parts'] }
      return { results: resultsOf(results), parts: undo }
    }),
    keepOutput: assign(({ context, event }) => ({
      output: context.isPlan ? outcomeOf(event).output : (event as unknown as { output: Json }).output,
    })),
    /** What a plan leaves to the next one, or to the saga. */
    keepOutcome: assign(({ context, event }) => {
      if (!context.isPlan) return {}
      const { undo, error } = outcomeOf(event)
      return { undo: [...undo, ...context.undo], ...(error === undefined ? {} : { error }) }
    }),
    keepRest: assign(({ event }) =>
      event.type === 'job.rerun' ? { results: event.results, parts: {}, undo: event.undo } : {},
    ),
    toFail: assign({ ending: 'failed' }),
    toCancel: assign({ ending: 'cancelled' }),
    keepFailures: enqueueActions(({ context, event, enqueue }) => {
      const failures = (event as unknown as { output: Compensation[] }).output
      if (failures.length === 0) return
      const list = failures.map(({ id }) => id).join(', ')
      const because = context.error === undefined ? '' : ` The job failed: ${context.error.message}`
      const error = { name: 'AetherisError', code: 'COMPENSATION_FAILED', message: `Not undone: ${list}.${because}` }
      enqueue.assign({ error, ending: 'failed' })
    }),
    tellBody: sendTo('body', ({ context }) =>
      context.isPlan ? { type: 'plan.halt', why: 'cancelled' } : { type: 'job.cancel' },
    ),
  },
}).createMachine({
  id: 'job',
  type: 'parallel',
  context: ({ input }) => ({ ...input, rounds: 0, results: {}, parts: {}, undo: [], ending: 'failed' }),
  states: {
    phase: {
      initial: 'created',
      states: {
        created: { always: [{ guard: 'planned', target: 'running' }, { target: 'planning' }] },
        planning: {
          entry: 'count',
          invoke: {
            id: 'planner',
            src: 'planner',
            input: ({ context: { planner, rounds } }) => ({ planner, round: rounds }),
            onDone: 'running',
            onError: [
              { guard: 'mustUndoEarlier', target: 'compensating', actions: ['fail', 'toFail'] },
              { target: 'failed', actions: 'fail' },
            ],
          },
          on: {
            'job.cancel': [
              { guard: 'mustUndoEarlier', target: 'compensating', actions: 'toCancel' },
              { target: 'cancelled' },
            ],
          },
        },
        running: {
          exit: 'keepResults',
          invoke: {
            id: 'body',
            src: 'body',
            input: ({ context: { isPlan, input, results } }) => (isPlan ? { input, results } : input),
            onDone: [
              { guard: 'asksAgain', target: 'planning', actions: 'keepOutcome' },
              { guard: 'mustUndo', target: 'compensating', actions: ['keepOutcome', 'toFail'] },
              { guard: 'hasFailed', target: 'failed', actions: 'keepOutcome' },
              { target: 'completed', actions: 'keepOutput' },
            ],
            onError: [
              { guard: 'mustUndoEarlier', target: 'compensating', actions: ['fail', 'toFail'] },
              { target: 'failed', actions: 'fail' },
            ],
          },
          initial: 'going',
          states: {
            going: {
              on: { 'job.cancel': [{ guard: 'heard', target: 'stopping' }, { target: '#job.phase.cancelled' }] },
            },
            stopping: {
              entry: 'tellBody',
              on: {
                'job.kill': '#job.phase.cancelled',
                'xstate.done.actor.body': [
                  { guard: 'mustUndo', target: '#job.phase.compensating', actions: ['keepOutcome', 'toCancel'] },
                  { target: '#job.phase.cancelled', actions: 'keepOutcome' },
                ],
                'xstate.error.actor.body': [
                  { guard: 'mustUndoEarlier', target: '#job.phase.compensating', actions: 'toCancel' },
                  { target: '#job.phase.cancelled' },
                ],
              },
            },
          },
          on: { 'job.rerun': { target: 'running', reenter: true, actions: 'keepRest' } },
        },
        compensating: {
          invoke: {
            id: 'saga',
            src: 'saga',
            input: ({ context }) => ({ steps: context.undo }),
            onDone: [{ target: 'compensated', actions: ['keepFailures', assign({ undo: [] })] }],
          },
        },
        compensated: { always: [{ guard: 'endsFailed', target: 'failed' }, { target: 'cancelled' }] },
        completed: {},
        failed: { on: { 'job.rerun': { target: 'running', actions: ['keepRest', assign({ error: undefined })] } } },
        cancelled: {},
        terminated: {},
      },
    },
    gate: {
      initial: 'open',
      states: {
        open: { on: { 'job.pause': 'paused', 'job.exceed': 'exceeded' } },
        paused: { on: { 'job.resume': 'open', 'job.cancel': 'open' } },
        exceeded: { on: { 'job.resume': 'open', 'job.pause': 'paused' } },
      },
    },
    revision: {
      initial: 'none',
      states: {
        none: { on: { 'job.replan': 'asking' } },
        asking: {
          entry: 'count',
          invoke: {
            id: 'reviser',
            src: 'planner',
            input: ({ context: { planner, rounds } }) => ({ planner, round: rounds }),
            onDone: 'none',
            onError: 'none',
          },
          on: { 'job.cancel': 'none' },
        },
      },
    },
  },
  on: {
    'job.terminate': '.phase.terminated',
    'job.fail': { target: '.phase.failed', actions: assign({ error: ({ event }) => event.error }) },
  },
})

function outcomeOf(event: unknown): PlanOutcome {
  return (event as { output: PlanOutcome }).output
}
