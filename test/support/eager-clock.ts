import type { Clock } from '../../src/base/clock.ts'

/**
 * A clock for tests whose tools really wait, for a server for example: time goes on to the next durable timer at once,
 * so that nobody waits between attempts. The time that an attempt may take is over when the test says so.
 */
export class EagerClock implements Clock {
  private at = Date.UTC(2026, 0, 1)
  private readonly attempts = new Set<() => void>()

  now(): number {
    return this.at
  }

  setAlarm(callback: () => void, at: number): () => void {
    const handle = setImmediate(() => {
      this.at = Math.max(this.at, at)
      callback()
    })
    return () => clearImmediate(handle)
  }

  setTimer(callback: () => void): () => void {
    this.attempts.add(callback)
    return () => this.attempts.delete(callback)
  }

  /** The time of all attempts under way is over. */
  expire(): void {
    for (const callback of [...this.attempts]) if (this.attempts.delete(callback)) callback()
  }
}
