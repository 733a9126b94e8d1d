import fc from 'fast-check'
import { agentNames } from './agents.ts'
import type { Timed } from './people.ts'
import type { Knobs, WriteFault, WriteKind } from './process.ts'
import type { Weather } from './world.ts'

/** One run: who does what when, what goes wrong when, and the seed of everything else. Plain JSON, so it can be kept. */
export interface Case {
  seed: number
  disk: 'memory' | 'level'
  acts: Timed[]
  writeFaults: PlannedFault[]
  troubles: Trouble[]
  knobs: Knobs
  weather: Weather
}

/** Happens to the `nth` write of its kind, counted from 0. */
export interface PlannedFault {
  of: WriteKind
  nth: number
  fault: WriteFault
}

/** Something that happens to the machine at some time. */
export type Trouble = { atMs: number } & (
  | { kind: 'kill' | 'power cut' }
  /** Another process takes over, and this one goes on as if nothing had happened. Only where nothing locks it out. */
  | { kind: 'zombie'; forMs: number }
  /** As SIGSTOP and SIGCONT. */
  | { kind: 'stop'; forMs: number }
  | { kind: 'clock jump'; byMs: number }
)

const lengthMs = 60_000
const jobsMax = 4

const atMs = fc.integer({ min: 0, max: lengthMs })
const job = fc.nat({ max: jobsMax - 1 })

const spawn = fc.record({
  kind: fc.constant('spawn' as const),
  job,
  // What people have to do with is worth more runs.
  agent: fc.constantFrom(...agentNames, 'waiting', 'waiting', 'charted', 'approved', 'saga'),
  atMs: fc.integer({ min: 0, max: 5_000 }),
  times: fc.constantFrom(1, 1, 2),
})

const act = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('signal' as const),
      job,
      n: fc.nat({ max: 9 }),
      count: fc.constantFrom(1, 1, 3),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('approve' as const, 'deny' as const), job, who: fc.nat({ max: 2 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('resolve' as const),
      job,
      as: fc.constantFrom('completed' as const, 'failed' as const, 'again' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const), job }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('cancel' as const, 'terminate' as const), job }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('retry' as const), job, node: fc.nat({ max: 3 }) }) },
)

const timed = fc
  .tuple(act, atMs, fc.constantFrom(1, 1, 1, 2, 3))
  .map(([what, when, times]) => ({ ...what, atMs: when, times }))

const writeFault = fc.constantFrom<WriteFault>(
  'refused',
  'stored',
  'stored',
  'lost',
  'dies before',
  'dies after',
  'slow',
)

const plannedFault: fc.Arbitrary<PlannedFault> = fc
  .constantFrom<[WriteKind, number]>(['commit', 60], ['commit', 60], ['claim', 2], ['message', 5])
  .chain(([of, max]) => fc.record({ of: fc.constant(of), nth: fc.nat({ max }), fault: writeFault }))

const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      // Most jobs have done what they can without people by then.
      atMs: fc.oneof(fc.nat({ max: 8_000 }), atMs),
      kind: fc.constantFrom('kill' as const, 'power cut' as const),
    }),
  },
  fc.record({ atMs, kind: fc.constant('zombie' as const), forMs: fc.integer({ min: 1, max: 30_000 }) }),
  fc.record({ atMs, kind: fc.constant('stop' as const), forMs: fc.integer({ min: 1, max: 120_000 }) }),
  fc.record({
    atMs,
    kind: fc.constant('clock jump' as const),
    byMs: fc.constantFrom(-86_400_000, -3_600_000, -1_000, 1_000, 3_600_000, 86_400_000),
  }),
)

export const cases: fc.Arbitrary<Case> = fc.record({
  seed: fc.nat({ max: 2 ** 31 - 1 }),
  disk: fc.constantFrom('memory' as const, 'level' as const),
  acts: fc
    .tuple(fc.array(spawn, { minLength: 1, maxLength: jobsMax }), fc.array(timed, { maxLength: 10 }))
    .map(([spawns, others]) => [...spawns, ...others] as Timed[]),
  writeFaults: fc.uniqueArray(plannedFault, { selector: ({ of, nth }) => `${of} ${nth}`, maxLength: 5 }),
  troubles: fc.array(trouble, { maxLength: 4 }),
  knobs: fc.record({
    snapshotEvery: fc.constantFrom(1, 2, 3, 100),
    maxJobs: fc.constantFrom(1, 2, 1_000),
    maxEffects: fc.constantFrom(1, 2, 100),
    writeMs: fc.constantFrom(0, 3, 50),
  }),
  weather: fc.record({
    fails: fc.constantFrom(0, 10, 30),
    hangs: fc.constantFrom(0, 5, 20),
    isLate: fc.constantFrom(0, 5, 20),
  }),
})
