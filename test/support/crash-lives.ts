import { memoryStore } from '../../src/store/memory-store.ts'
import type { Commit, JobStore } from '../../src/store/store.ts'
import { type TestRuntime, type TestRuntimeOptions, testRuntime } from '../../src/testing/test-runtime.ts'

/** A crash: at which commit of its process, and whether that one still reached the store. */
export interface Crash {
  /** The number of it, or what tells it. */
  after: number | ((commit: Commit) => boolean)
  stored: boolean
}

type Dying = JobStore & { readonly halted: boolean; readonly death: Promise<void> }

/**
 * A store whose process dies at its n-th commit: from then on nothing is written or answered any more.
 * `death` resolves when it has happened, and `halted` tells it.
 */
function dyingStore(store: JobStore, { after, stored }: Crash): Dying {
  let count = 0
  let halted = false
  let die = () => {}
  const death = new Promise<void>((resolve) => {
    die = resolve
  })
  const never = () => new Promise<never>(() => {})
  const commit = (...args: Parameters<JobStore['commit']>) => {
    count += 1
    const isLast = typeof after === 'number' ? count >= after : after(args[0])
    if (!isLast) return store.commit(...args)
    halted = true
    die()
    if (stored) void store.commit(...args).catch(() => {})
    return never()
  }
  return new Proxy(store, {
    get(target, key) {
      if (key === 'halted') return halted
      if (key === 'death') return death
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      if (key === 'open' || key === 'close') return value.bind(target)
      return (...args: unknown[]) => {
        if (halted) return streams.has(String(key)) ? hanging() : never()
        return key === 'commit' ? commit(...(args as Parameters<JobStore['commit']>)) : value.apply(target, args)
      }
    },
  }) as Dying
}

const streams: ReadonlySet<string> = new Set(['list', 'read', 'verify'])

async function* hanging(): AsyncGenerator<never> {
  await new Promise(() => {})
}

/** The processes that run one store, one after the other: each dies as planned, and the next one takes over. */
export class Lives {
  runtime!: TestRuntime
  crashes = 0
  private readonly store: JobStore
  private readonly planned: readonly Crash[]

  private constructor(planned: readonly Crash[], store: JobStore) {
    this.planned = planned
    this.store = store
  }

  static async open(
    { store = memoryStore(), ...options }: TestRuntimeOptions,
    planned: readonly Crash[] = [],
  ): Promise<Lives> {
    const lives = new Lives(planned, store)
    lives.runtime = await testRuntime({ ...options, store: lives.next() })
    return lives
  }

  /** Does something to the process that lives, again after each death until it was answered. */
  async doing<T>(step: (runtime: TestRuntime) => Promise<T>): Promise<T> {
    for (;;) {
      const { death } = this.runtime.store as Partial<Dying>
      const dead = death?.then(() => undefined)
      // A call into a process that dies is never answered, so it is raced against its end.
      const answer = step(this.runtime).then((value) => ({ value }))
      const first = await (dead === undefined ? answer : Promise.race([answer, dead]))
      if (this.halted) await this.reopen()
      else if (first !== undefined) return first.value
    }
  }

  /** Settles, through as many deaths as come. */
  async settle(): Promise<void> {
    for (;;) {
      await this.runtime.settle()
      if (!this.halted) return
      await this.reopen()
    }
  }

  /** Lets `ms` milliseconds pass, timer by timer, through as many deaths as come. */
  async advance(ms: number): Promise<void> {
    const { clock } = this.runtime
    const end = clock.now() + ms
    await this.settle()
    for (let next = clock.nextAt; next !== undefined && next <= end; next = clock.nextAt) {
      clock.goTo(next)
      await this.settle()
    }
    clock.goTo(end)
    await this.settle()
  }

  /** Goes to the next timer; false where there is none. */
  tick(): boolean {
    const next = this.runtime.clock.nextAt
    if (next === undefined) return false
    this.runtime.clock.goTo(next)
    return true
  }

  private get halted(): boolean {
    return (this.runtime.store as Partial<Dying>).halted === true
  }

  private async reopen(): Promise<void> {
    this.crashes += 1
    this.runtime = await this.runtime.reopen({ store: this.next() })
  }

  private next(): JobStore {
    const crash = this.planned[this.crashes]
    return crash === undefined ? this.store : dyingStore(this.store, crash)
  }
}
