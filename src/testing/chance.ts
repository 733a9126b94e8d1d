import { AetherisError } from '../base/error.ts'
import { seededRandom } from '../base/random.ts'
import type { SimulatedClock } from './simulated-clock.ts'

/** What goes wrong by chance, from a seed: the same faults for the same calls, in the same order. */

export interface ChanceOptions<Kind extends string> {
  /** Of the runtime that is tried. Whatever is slow waits by it. */
  clock: SimulatedClock
  /** Default 1. */
  seed?: number
  /** How likely each fault is, from 0 to 1; together at most 1. Default: it does not happen. */
  rates: Partial<Record<Kind, number>>
  /** Told of each fault. */
  onFault?(fault: Kind): void
}

export class Chance<Kind extends string> {
  private readonly random
  private readonly rates: [Kind, number][]
  private readonly options: ChanceOptions<Kind>

  /** @throws AetherisError INPUT_INVALID */
  constructor(kinds: readonly Kind[], options: ChanceOptions<Kind>) {
    this.options = options
    this.random = seededRandom(options.seed ?? 1)
    this.rates = Object.entries(options.rates) as [Kind, number][]
    const sum = this.rates.reduce((all, [, rate]) => all + rate, 0)
    const isKnown = this.rates.every(([kind, rate]) => kinds.includes(kind) && rate >= 0)
    if (isKnown && sum <= 1) return
    const message = `Expected rates from 0 to 1, together at most 1, of ${kinds.join(', ')}; got ${JSON.stringify(options.rates)}.`
    throw new AetherisError('INPUT_INVALID', message)
  }

  /** What happens this time; mostly nothing. */
  draw(): Kind | undefined {
    let left = this.random.next()
    for (const [kind, rate] of this.rates) {
      left -= rate
      if (left >= 0) continue
      this.options.onFault?.(kind)
      return kind
    }
    return undefined
  }

  /** Lets 1 to 30 s pass. */
  pause(): Promise<void> {
    const ms = 1_000 + Math.floor(this.random.next() * 29_000)
    return new Promise((resolve) => this.options.clock.setTimer(resolve, ms))
  }
}
