import fc from 'fast-check'
import { type AnyStateMachine, assign, createMachine, fromPromise, raise } from 'xstate'
import type { MachineCase, Step } from './machine-runs.ts'

/**
 * Random statecharts: nested and parallel states, history, delays, calls, guards, raised and eventless transitions.
 * Each notes in its context all that it does, in order, so that two runs of it can be compared.
 */

interface Chart {
  kind: 'atomic' | 'compound' | 'parallel' | 'final'
  states: Chart[]
  history: 'none' | 'shallow' | 'deep'
  on: Arrow[]
  after: Arrow | undefined
  call: Arrow | undefined
  always: Arrow | undefined
  done: Arrow | undefined
}

interface Arrow {
  event: string
  /** Which of all states, counted modulo their number; undefined stays where it is. */
  target: number | undefined
  reenter: boolean
  guard: 'even' | 'odd' | 'none'
  raises: string | undefined
  /** Delay of an `after`. */
  ms: number
}

interface Context {
  log: string[]
  /** What the machine does by itself costs fuel, so that it comes to an end. */
  fuel: number
}

const told = ['a', 'b', 'c']
const raised = ['r1', 'r2']
const selfMade: ReadonlySet<string> = new Set(['always', 'done', 'called', 'failed'])
const ticks = fc.integer({ min: 1, max: 9 }).map((count) => count * 100)

const arrow: fc.Arbitrary<Arrow> = fc.record({
  event: fc.constantFrom(...told),
  target: fc.option(fc.nat({ max: 99 }), { nil: undefined, freq: 4 }),
  reenter: fc.boolean(),
  guard: fc.constantFrom('none', 'none', 'even', 'odd'),
  raises: fc.option(fc.constantFrom(...raised), { nil: undefined, freq: 2 }),
  ms: ticks,
})

const rarely = fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: arrow })

/** A chart with at most so many levels below it. */
function chart(levels: number): fc.Arbitrary<Chart> {
  const others = { on: fc.array(arrow, { maxLength: 3 }), after: rarely, call: rarely, always: rarely, done: rarely }
  const history = fc.constantFrom('none' as const, 'none' as const, 'shallow' as const, 'deep' as const)
  const leaf = fc.record({
    ...others,
    kind: fc.constantFrom('atomic' as const, 'atomic' as const, 'final' as const),
    states: fc.constant<Chart[]>([]),
    history: fc.constant('none' as const),
  })
  if (levels === 0) return leaf
  const inner = fc.record({
    ...others,
    kind: fc.constantFrom('compound' as const, 'compound' as const, 'parallel' as const),
    states: fc.array(chart(levels - 1), { minLength: 1, maxLength: 3 }),
    history,
  })
  return fc.oneof({ weight: 2, arbitrary: leaf }, { weight: 3, arbitrary: inner })
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...told).map((type) => ({ type })) },
  { weight: 1, arbitrary: ticks },
)

export interface Sample {
  states: Chart[]
  parallel: boolean
  steps: Step[]
}

/** Plain data, so that a counter-example can be read. See {@link caseOf}. */
export const chartSamples: fc.Arbitrary<Sample> = fc.record({
  states: fc.array(chart(2), { minLength: 1, maxLength: 4 }),
  parallel: fc.boolean(),
  steps: fc.array(step, { minLength: 1, maxLength: 12 }),
})

export function caseOf({ states, parallel, steps }: Sample): MachineCase {
  const ids = states.flatMap((each, index) => idsOf(each, `s${index}`))
  const machine = createMachine({
    id: 'chart',
    context: { log: [], fuel: 20 },
    on: Object.fromEntries([...told, ...raised].map((type) => [type, { actions: note(type) }])),
    ...(parallel ? { type: 'parallel' } : { initial: 's0' }),
    states: Object.fromEntries(states.map((each, index) => [`s${index}`, configOf(each, `s${index}`, ids)])),
    output: ({ context }: { context: Context }) => context.log,
  } as never) as unknown as AnyStateMachine
  const calls = callsIn(states, 's').map((id) => [id, { effect: 'idempotent', retry: { maxAttempts: 1 } }] as const)
  return { machine, steps, options: { effects: Object.fromEntries(calls) } }
}

const historyId = (id: string) => `${id}-history`
const hasHistory = ({ kind, history }: Chart) => kind === 'compound' && history !== 'none'

function idsOf(each: Chart, id: string): string[] {
  const below = each.states.flatMap((state, index) => idsOf(state, `${id}-${index}`))
  return [id, ...below, ...(hasHistory(each) ? [historyId(id)] : [])]
}

function callsIn(states: readonly Chart[], prefix: string): string[] {
  return states.flatMap(({ kind, call, states: below }, index) => [
    ...(call === undefined || kind === 'final' ? [] : [`call-${prefix}${index}`]),
    ...callsIn(below, `${prefix}${index}-`),
  ])
}

function configOf(each: Chart, id: string, ids: readonly string[]): object {
  const { kind, history, on, after, call, always, done } = each
  const common = { id, entry: note(`+${id}`), exit: note(`-${id}`) }
  if (kind === 'final') return { ...common, type: 'final' }
  const states = each.states.map((state, index) => [`${id}-${index}`, configOf(state, `${id}-${index}`, ids)] as const)
  const memory = hasHistory(each) ? [[historyId(id), { id: historyId(id), type: 'history', history }] as const] : []
  return {
    ...common,
    ...(kind === 'parallel' ? { type: 'parallel' } : kind === 'compound' ? { initial: `${id}-0` } : {}),
    states: Object.fromEntries([...states, ...memory]),
    on: Object.fromEntries(
      told.map((type) => [type, on.filter(({ event }) => event === type).map((one) => transition(one, type, ids))]),
    ),
    ...(after && { after: { [after.ms]: transition(after, 'after', ids) } }),
    ...(always && { always: transition(always, 'always', ids) }),
    ...(done && kind !== 'atomic' && { onDone: transition(done, 'done', ids) }),
    ...(call && {
      invoke: {
        id: `call-${id}`,
        src: fromPromise(async ({ input }: { input: { n: number } }) => {
          if (input.n % 3 === 0) throw new Error('no')
          return input.n
        }),
        input: ({ context }: { context: Context }) => ({ n: context.log.length }),
        onDone: transition(call, 'called', ids),
        onError: transition(call, 'failed', ids),
      },
    }),
  }
}

function transition({ target, reenter, guard, raises }: Arrow, why: string, ids: readonly string[]): object {
  return {
    ...(target === undefined ? {} : { target: `#${ids[target % ids.length]}` }),
    reenter,
    guard: ({ context: { log, fuel } }: { context: Context }) =>
      (fuel > 0 || !selfMade.has(why)) && (guard === 'none' || (log.length % 2 === 0) === (guard === 'even')),
    actions: [note(why), ...(raises ? [raise({ type: raises })] : []), ...(selfMade.has(why) ? [burn] : [])],
  }
}

const note = (text: string) => assign({ log: ({ context }: { context: Context }) => [...context.log, text] })
const burn = assign({ fuel: ({ context }: { context: Context }) => context.fuel - 1 })
