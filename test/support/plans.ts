import fc from 'fast-check'
import type { EffectClass } from '../../src/event/event.ts'

/**
 * Random plans, as samples: what each node is and what will become of it. plans-graph.ts makes a TaskGraph of a sample,
 * plans-model.ts says what it should come to, plans-world.ts is the world in which it is run, by plans-run.ts.
 *
 * What a tool does is written in its input, so a plan is data all the way.
 */

/** What one call does: fail some times, then end. */
export interface Script {
  class: EffectClass
  /** Failed attempts before the last, each of which may be tried again. */
  failures: number
  end: 'ok' | 'terminal' | 'always'
}

interface Base {
  id: string
  /** Earlier nodes whose output this one reads. */
  reads: number[]
  /** Earlier nodes that it only comes after. */
  after: number[]
  when: When | undefined
}

/** What becomes of the plan when a node fails, and of the node when the plan does. */
interface Failing {
  onFailure: 'compensate' | 'fail' | 'continue' | undefined
  /** It declares what undoes it. */
  compensate: boolean
  deadlineMs: number | undefined
}

export type Sample = CallSample | MapSample | WaitSample | SleepSample | SpawnSample | ChooseSample | LoopSample
export type CallSample = Base & Failing & { kind: 'call'; script: Script; approval: Approving | undefined }
export type MapSample = Base &
  Failing & { kind: 'map'; script: Script; items: number[]; concurrency: number; collect: boolean }
export type WaitSample = Base & { kind: 'wait'; timeoutMs: number | undefined; given: Given }
export type SleepSample = Base & { kind: 'sleep'; ms: number }
export type SpawnSample = Base & Failing & { kind: 'spawn'; script: Script; detach: boolean }
export type ChooseSample = Base & { kind: 'choose'; cases: { name: Way; when: When }[]; otherwise: Way | undefined }
export type LoopSample = Base &
  Pick<Failing, 'onFailure' | 'compensate'> & {
    kind: 'loop'
    script: Script
    max: number
    onMax: 'fail' | 'stop'
    /** The iteration whose call fails for good. */
    failAt: number | undefined
  }

/** When a wait's signal comes: before the job starts anything, when somebody waits for it, or not at all. */
export type Given = 'early' | 'waiting' | 'never'

/** What is answered to a call that asks, and whether somebody says so or nobody does in time. */
export interface Approving {
  verdict: 'approve' | 'deny'
  by: 'somebody' | 'nobody'
}

export type Way = 'a' | 'b' | 'z'

/** A question about one earlier node, in a form that the model can answer by itself. */
export type When = { of: number; test: 'even' | 'odd' | 'exists' | 'absent' | 'small' | 'wayA'; and?: When }

export interface SampleOptions {
  classes?: readonly EffectClass[]
  /** Whether calls may fail for good. */
  failing?: boolean
  nodesMin?: number
  nodesMax?: number
}

function scripts({ classes = ['read', 'idempotent', 'once'], failing = true }: SampleOptions): fc.Arbitrary<Script> {
  const end = failing
    ? fc.constantFrom(...Array<'ok'>(12).fill('ok'), 'terminal' as const, 'always' as const)
    : fc.constant('ok' as const)
  return fc.record({ class: fc.constantFrom(...classes), failures: fc.constantFrom(0, 0, 0, 1, 2), end })
}

/** Later than any retry of a sample. */
const farMs = 1_000_000
/** Sooner than the first retry, for calls that never succeed. */
const soonMs = 20

const onFailure = fc.constantFrom(undefined, 'compensate' as const, 'fail' as const, 'continue' as const)
const failing = { onFailure, compensate: fc.boolean(), deadlineMs: fc.constantFrom(undefined, undefined, farMs) }

function nodeAt(index: number, options: SampleOptions): fc.Arbitrary<Sample> {
  const earlier: fc.Arbitrary<number[]> =
    index === 0 ? fc.constant([]) : fc.uniqueArray(fc.nat({ max: index - 1 }), { maxLength: 3 })
  const base = {
    id: fc.constant(`n${index}`),
    reads: earlier,
    after: earlier,
    when: index === 0 ? fc.constant(undefined) : fc.option(when(index), { nil: undefined, freq: 4 }),
  }
  const script = scripts(options)
  const kinds = { ...base, ...failing, script }
  return fc.oneof(
    { weight: 6, arbitrary: calls(kinds, options) },
    { weight: 2, arbitrary: maps(kinds) },
    { weight: 1, arbitrary: waits(base) },
    { weight: 1, arbitrary: sleeps(base) },
    // The child of a job that waits for a person would wait as well, which is another story.
    { weight: 1, arbitrary: spawns({ ...kinds, script: scripts({ ...options, classes: ['read', 'idempotent'] }) }) },
    { weight: 1, arbitrary: chooses(base, index) },
    { weight: 1, arbitrary: loops(kinds, options) },
  )
}

type Bases = { [K in keyof Base]: fc.Arbitrary<Base[K]> }
type Kinds = Bases & { [K in keyof Failing]: fc.Arbitrary<Failing[K]> } & { script: fc.Arbitrary<Script> }

function calls(kinds: Kinds, { failing: mayFail = true }: SampleOptions): fc.Arbitrary<CallSample> {
  const verdict = mayFail ? fc.constantFrom('approve' as const, 'deny' as const) : fc.constant('approve' as const)
  const approval = fc.record({ verdict, by: fc.constantFrom('somebody' as const, 'nobody' as const) })
  return fc
    .record({
      ...kinds,
      kind: fc.constant('call' as const),
      approval: fc.option(approval, { nil: undefined, freq: 6 }),
      isSoon: fc.boolean(),
    })
    .map(({ isSoon, ...call }) => {
      const fails = call.script.end === 'always' && call.approval === undefined
      return fails && isSoon ? { ...call, deadlineMs: soonMs } : call
    })
}

function maps(kinds: Kinds): fc.Arbitrary<MapSample> {
  return fc.record({
    ...kinds,
    kind: fc.constant('map' as const),
    items: fc.array(fc.nat({ max: 9 }), { maxLength: 4 }),
    concurrency: fc.integer({ min: 1, max: 3 }),
    collect: fc.boolean(),
  })
}

/** A wait without a timeout gets its signal, or the job would wait for ever. */
function waits(base: Bases): fc.Arbitrary<WaitSample> {
  const wait = {
    ...base,
    kind: fc.constant('wait' as const),
    timeoutMs: fc.option(fc.nat({ max: 100_000 }), { nil: undefined }),
    given: fc.constantFrom<Given>('early', 'waiting', 'never'),
  }
  return fc.record(wait).map(({ timeoutMs, given, ...rest }) => ({
    ...rest,
    timeoutMs: given === 'never' ? (timeoutMs ?? 1_000) : timeoutMs === undefined ? undefined : timeoutMs + 1_000,
    given,
  }))
}

function sleeps(base: Bases): fc.Arbitrary<SleepSample> {
  return fc.record({ ...base, kind: fc.constant('sleep' as const), ms: fc.constantFrom(0, 1, 1_000, 86_400_000) })
}

function spawns(kinds: Kinds): fc.Arbitrary<SpawnSample> {
  return fc.record({ ...kinds, kind: fc.constant('spawn' as const), detach: fc.boolean() })
}

function chooses(base: Bases, index: number): fc.Arbitrary<ChooseSample> {
  const cases: fc.Arbitrary<ChooseSample['cases']> =
    index === 0
      ? fc.constant([])
      : fc
          .array(when(index), { maxLength: 2 })
          .map((whens) => whens.map((each, nth) => ({ name: nth === 0 ? 'a' : 'b', when: each })))
  const otherwise = fc.constantFrom(undefined, 'a' as const, 'z' as const)
  return fc.record({ ...base, kind: fc.constant('choose' as const), cases, otherwise })
}

function loops(kinds: Kinds, { failing: mayFail = true }: SampleOptions): fc.Arbitrary<LoopSample> {
  const { deadlineMs: _, ...rest } = kinds
  return fc
    .record({
      ...rest,
      kind: fc.constant('loop' as const),
      max: fc.integer({ min: 1, max: 4 }),
      onMax: mayFail ? fc.constantFrom('fail' as const, 'stop' as const) : fc.constant('stop' as const),
      failAt: mayFail ? fc.option(fc.nat({ max: 3 }), { nil: undefined, freq: 6 }) : fc.constant(undefined),
    })
    .map((loop) => ({ ...loop, script: { ...loop.script, end: 'ok' } }))
}

function when(index: number): fc.Arbitrary<When> {
  const one = fc.record({
    of: fc.nat({ max: index - 1 }),
    test: fc.constantFrom<When['test']>('even', 'odd', 'exists', 'absent', 'small', 'wayA'),
  })
  return fc.oneof(
    { weight: 3, arbitrary: one },
    { weight: 1, arbitrary: fc.tuple(one, one).map(([first, and]) => ({ ...first, and })) },
  )
}

/** Plans of `nodesMin` (default 0) to `nodesMax` (default 9) nodes, each of which may depend on those before it. */
export function samples(options: SampleOptions = {}): fc.Arbitrary<Sample[]> {
  const { nodesMin = 0, nodesMax = 9 } = options
  return fc
    .integer({ min: nodesMin, max: nodesMax })
    .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => nodeAt(index, options))))
}
