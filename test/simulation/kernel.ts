import { setImmediate } from 'node:timers/promises'
import { type SeededRandom, seededRandom } from '../../src/base/random.ts'
import { SimulatedClock } from '../../src/testing/simulated-clock.ts'

/**
 * The world's time and chance. Whatever takes time waits here, in virtual milliseconds, so one seed gives one run: the
 * code between two waits is run to its end before time goes on.
 */
export class Kernel {
  readonly clock = new SimulatedClock()
  readonly random: SeededRandom
  steps = 0
  /** What was done to the system on purpose, by kind. */
  readonly injected = new Map<string, number>()
  /** The first thing that went wrong. */
  failure: string | undefined
  readonly timeline: string[] = []

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  /** Virtual milliseconds since the begin. */
  get elapsed(): number {
    return this.clock.elapsed
  }

  chance(probability: number): boolean {
    return this.random.next() < probability
  }

  /** A whole number from `low` to `high`. */
  between(low: number, high: number): number {
    return low + Math.floor(this.random.next() * (high - low + 1))
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random.next() * from.length)] as T
  }

  inject(kind: string): void {
    this.injected.set(kind, (this.injected.get(kind) ?? 0) + 1)
    this.log(`! ${kind}`)
  }

  log(line: string): void {
    if (this.timeline.length < 2_000) this.timeline.push(`${String(this.elapsed).padStart(8)} ${line}`)
  }

  fail(why: string): void {
    if (this.failure !== undefined) return
    this.failure = why
    this.log(`FAILED: ${why}`)
  }

  /** Calls `callback` after `ms`, whatever dies meanwhile. */
  after(ms: number, callback: () => void): void {
    this.clock.setTimer(callback, ms)
  }

  /** Lets time go on to what is due next. False where nothing is. */
  async step(until = Number.POSITIVE_INFINITY): Promise<boolean> {
    const now = this.clock.now()
    const next = this.clock.nextAt
    const isLater = next === undefined || this.elapsed + next - now > until
    if (isLater && until === Number.POSITIVE_INFINITY) return false
    this.clock.goTo(isLater ? now + Math.max(0, until - this.elapsed) : next)
    await this.drain()
    this.steps += 1
    return !isLater
  }

  /** Runs everything that needs no time. */
  async drain(): Promise<void> {
    // A store on LevelDB collects a batch until the end of a turn.
    for (let turn = 0; turn < 2; turn += 1) await setImmediate()
  }
}
