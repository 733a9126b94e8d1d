import { setImmediate } from 'node:timers/promises'
import type { AnyAgent, InputOf } from '../agent/agent.ts'
import { AetherisError } from '../base/error.ts'
import { type SeededRandom, seededRandom } from '../base/random.ts'
import type { SpawnOptions } from '../runtime/admission.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import { openRuntime, type Runtime, type RuntimeOptions } from '../runtime/runtime.ts'
import { type MemoryContents, MemoryStore, memoryStore } from '../store/memory-store.ts'
import type { JobStore } from '../store/store.ts'
import { SimulatedClock } from './simulated-clock.ts'

export interface TestRuntimeOptions extends Omit<RuntimeOptions, 'store' | 'clock' | 'random'> {
  /** Default: a new store in memory. */
  store?: JobStore
  /** What it begins with instead of nothing, as {@link TestRuntime.snapshot} gave it; in a store in memory. */
  snapshot?: TestSnapshot
  /** Default: a new one. Give it where something else is to go by the same time, such as a store of the test's own. */
  clock?: SimulatedClock
  /** Seed of all randomness: ids and jitter. Default: that of the snapshot, else 1. */
  seed?: number
}

/** A test runtime as JSON: its jobs, its time, its randomness. For the same version of Aetheris only. */
export interface TestSnapshot {
  /** Epoch milliseconds. */
  now: number
  /** The seed from which its randomness goes on. */
  seed: number
  store: MemoryContents
}

/**
 * A runtime for tests: in memory, under a simulated clock, with seeded randomness. Tools really run.
 *
 * `crash()` loses everything that is not in the store, like a process that dies; `reopen()` starts the next one.
 * `snapshot()` keeps all of it as JSON, from which other runtimes can start.
 * @throws AetherisError INPUT_INVALID where a snapshot is given beside a store or a clock, which it has itself.
 */
export async function testRuntime(options: TestRuntimeOptions): Promise<TestRuntime> {
  if (options.snapshot !== undefined && (options.store ?? options.clock) !== undefined) {
    const message = 'A test runtime begins with a snapshot, or with a store and a clock, not with both.'
    throw new AetherisError('INPUT_INVALID', message)
  }
  const { snapshot, store = memoryStore(snapshot?.store), seed = snapshot?.seed ?? 1, ...rest } = options
  const random = seededRandom(seed)
  const { clock = new SimulatedClock(snapshot?.now) } = options
  const problems: { jobId: string; error: unknown }[] = []
  const full: FullOptions = { onProblem: (problem) => problems.push(problem), ...rest, store, random, clock }
  return new TestRuntime(await openRuntime(full), full, clock, problems)
}

type FullOptions = RuntimeOptions & { random: SeededRandom }

export class TestRuntime {
  readonly clock: SimulatedClock
  /** Jobs that could not go on, with the reason. */
  readonly problems: { jobId: string; error: unknown }[]
  private readonly runtime: Runtime
  private readonly options: FullOptions

  /** @internal Use {@link testRuntime}. */
  constructor(
    runtime: Runtime,
    options: FullOptions,
    clock: SimulatedClock,
    problems: { jobId: string; error: unknown }[],
  ) {
    this.runtime = runtime
    this.options = options
    this.clock = clock
    this.problems = problems
  }

  get store(): JobStore {
    return this.options.store
  }

  spawn<A extends AnyAgent>(agent: A, input: InputOf<A>, options?: SpawnOptions): Promise<JobHandle<A>> {
    return this.runtime.spawn(agent, input, options)
  }

  job(jobId: string): Promise<JobHandle> {
    return this.runtime.job(jobId)
  }

  /**
   * Resolves when nothing moves any more without a signal, a timer or a tool that never returns: either the runtime
   * is idle, or nothing was committed for `patience` turns of the event loop (default 50) while tools were under way.
   * A store on a disk takes longer than that to answer: give it `Number.POSITIVE_INFINITY` where every tool returns.
   */
  async settle(patience = 50): Promise<void> {
    let seen = this.runtime.commits
    for (let quiet = 0; quiet < patience; quiet += 1) {
      await setImmediate()
      if (this.runtime.idle) {
        await setImmediate()
        if (this.runtime.idle) return
      }
      if (seen !== this.runtime.commits) quiet = 0
      seen = this.runtime.commits
    }
  }

  /** Lets `ms` milliseconds pass, timer by timer, settling after each. */
  async advance(ms: number): Promise<void> {
    const end = this.clock.now() + ms
    await this.settle()
    for (let next = this.clock.nextAt; next !== undefined && next <= end; next = this.clock.nextAt) {
      this.clock.goTo(next)
      await this.settle()
    }
    this.clock.goTo(end)
    await this.settle()
  }

  /** Ends it as kill -9 would: nothing more is committed; what tools still do has no effect on the job. */
  async crash(): Promise<void> {
    this.clock.clear()
    await this.runtime.close()
  }

  /** The next process on the same store, `afterMs` later (default 0). */
  async reopen(
    options: Partial<Omit<RuntimeOptions, 'clock' | 'random'>> & { afterMs?: number } = {},
  ): Promise<TestRuntime> {
    const { afterMs = 0, ...changed } = options
    await this.crash()
    this.clock.jump(afterMs)
    const full = { ...this.options, ...changed }
    return new TestRuntime(await openRuntime(full), full, this.clock, this.problems)
  }

  /**
   * All jobs and the time, settled, as JSON. Any number of runtimes can start from it, with
   * `testRuntime({ agents, snapshot })`, each as if it had come that far by itself. What a tool was doing is lost, as in
   * a crash.
   * @throws AetherisError INPUT_INVALID where the runtime has another store than one in memory.
   */
  async snapshot(): Promise<TestSnapshot> {
    await this.settle()
    const { store, random } = this.options
    if (!(store instanceof MemoryStore))
      throw new AetherisError('INPUT_INVALID', 'Only a store in memory can be put into a snapshot of a test runtime.')
    return { now: this.clock.now(), seed: random.state, store: store.contents() }
  }

  async close(): Promise<void> {
    await this.runtime.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
