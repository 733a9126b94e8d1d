import type { Clock } from '../base/clock.ts'

/** A clock that stands still until it is told to go on. */
export class SimulatedClock implements Clock {
  private time: number
  private timersMade = 0
  private readonly timers = new Map<number, { at: number; callback: () => void }>()

  /** @param startAt epoch milliseconds; default 2026-01-01. */
  constructor(startAt = Date.UTC(2026, 0, 1)) {
    this.time = startAt
  }

  now(): number {
    return this.time
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    const id = this.timersMade
    this.timersMade += 1
    this.timers.set(id, { at: this.time + Math.max(0, delayMs), callback })
    return () => this.timers.delete(id)
  }

  /** When the next timer is due; undefined if there is none. */
  get nextAt(): number | undefined {
    const times = [...this.timers.values()].map(({ at }) => at)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** Goes to `time` and calls what is due by then, earliest first. */
  goTo(time: number): void {
    this.time = Math.max(this.time, time)
    const due = [...this.timers].filter(([, { at }]) => at <= this.time).sort(([a, x], [b, y]) => x.at - y.at || a - b)
    for (const [id, { callback }] of due) if (this.timers.delete(id)) callback()
  }

  /** Sets the wall clock without calling anything, as an operator or a bad time server does. */
  jump(byMs: number): void {
    this.time += byMs
  }

  /** Drops all timers, as the end of a process does. */
  clear(): void {
    this.timers.clear()
  }
}
