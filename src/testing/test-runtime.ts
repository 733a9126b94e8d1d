import { setImmediate } from 'node:timers/promises'
import type { AnyAgent, InputOf } from '../agent/agent.ts'
import { seededRandom } from '../base/random.ts'
import type { SpawnOptions } from '../runtime/admission.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import { openRuntime, type Runtime, type RuntimeOptions } from '../runtime/runtime.ts'
import { memoryStore } from '../store/memory-store.ts'
import type { JobStore } from '../store/store.ts'
import { SimulatedClock } from './simulated-clock.ts'

export interface TestRuntimeOptions extends Omit<RuntimeOptions, 'store' | 'clock' | 'random'> {
  /** Default: a new store in memory. */
  store?: JobStore
  /** Seed of all randomness: ids and jitter. Default 1. */
  seed?: number
}

/**
 * A runtime for tests: in memory, under a simulated clock, with seeded randomness. Tools really run.
 *
 * `crash()` loses everything that is not in the store, like a process that dies; `reopen()` starts the next one.
 */
export async function testRuntime(options: TestRuntimeOptions): Promise<TestRuntime> {
  const { store = memoryStore(), seed = 1, ...rest } = options
  const random = seededRandom(seed)
  const clock = new SimulatedClock()
  const problems: { jobId: string; error: unknown }[] = []
  const full: RuntimeOptions = { onProblem: (problem) => problems.push(problem), ...rest, store, random, clock }
  return new TestRuntime(await openRuntime(full), full, clock, problems)
}

export class TestRuntime {
  readonly clock: SimulatedClock
  /** Jobs that could not go on, with the reason. */
  readonly problems: { jobId: string; error: unknown }[]
  private readonly runtime: Runtime
  private readonly options: RuntimeOptions

  /** @internal Use {@link testRuntime}. */
  constructor(
    runtime: Runtime,
    options: RuntimeOptions,
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
  async reopen(options: Partial<RuntimeOptions> & { afterMs?: number } = {}): Promise<TestRuntime> {
    const { afterMs = 0, ...changed } = options
    await this.crash()
    this.clock.jump(afterMs)
    const full = { ...this.options, ...changed }
    return new TestRuntime(await openRuntime(full), full, this.clock, this.problems)
  }

  async close(): Promise<void> {
    await this.runtime.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
