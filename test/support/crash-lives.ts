import { memoryStore } from '../../src/store/memory-store.ts'
import type { Commit, JobStore } from '../../src/store/store.ts'
import { Life, mortalStore } from '../../src/testing/mortal-store.ts'
import { type TestRuntime, type TestRuntimeOptions, testRuntime } from '../../src/testing/test-runtime.ts'

/** A crash: at which commit of its process, and whether that one still reached the store. */
export interface Crash {
  /** The number of it, or what tells it. */
  after: number | ((commit: Commit) => boolean)
  stored: boolean
}

/** A store whose process, `life`, dies at a commit. */
function dyingStore(store: JobStore, life: Life, { after, stored }: Crash): JobStore {
  let count = 0
  return mortalStore(store, life, (write) => {
    if (write.kind !== 'commit') return undefined
    count += 1
    const isLast = typeof after === 'number' ? count >= after : after(write.commit)
    return isLast ? (stored ? 'unheard' : 'before') : undefined
  })
}

/** The processes that run one store, one after the other: each dies as planned, and the next one takes over. */
export class Lives {
  runtime!: TestRuntime
  crashes = 0
  private readonly store: JobStore
  private readonly planned: readonly Crash[]
  private life = new Life()

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
      // A call into a process that dies is never answered, so it is raced against its end.
      const answer = step(this.runtime).then((value) => ({ value }))
      const first = await Promise.race([answer, this.life.over.then(() => undefined)])
      if (this.life.isOver) await this.reopen()
      else if (first !== undefined) return first.value
    }
  }

  /** Settles, through as many deaths as come. */
  async settle(): Promise<void> {
    for (;;) {
      await this.runtime.settle()
      if (!this.life.isOver) return
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

  private async reopen(): Promise<void> {
    this.crashes += 1
    this.life = new Life()
    this.runtime = await this.runtime.reopen({ store: this.next() })
  }

  private next(): JobStore {
    const crash = this.planned[this.crashes]
    return crash === undefined ? this.store : dyingStore(this.store, this.life, crash)
  }
}
