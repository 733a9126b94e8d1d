import type { Clock } from '../base/clock.ts'

/** A clock that stands still until it is told to go on. */
export class SimulatedClock implements Clock {
  private passed = 0
  /** The wall clock is that much ahead. */
  private offset: number
  private made = 0
  private readonly waiting = new Map<number, Waiting>()

  /** @param startAt epoch milliseconds; default 2026-01-01. */
  constructor(startAt = Date.UTC(2026, 0, 1)) {
    this.offset = startAt
  }

  /** Milliseconds that have passed: what timers count, whatever the wall clock says. */
  get elapsed(): number {
    return this.passed
  }

  now(): number {
    return this.passed + this.offset
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    const at = this.passed + Math.max(0, delayMs)
    return this.wait(callback, () => at + this.offset)
  }

  setAlarm(callback: () => void, at: number): () => void {
    return this.wait(callback, () => at)
  }

  /** When the next of what waits is due, by the wall clock; undefined if there is nothing. */
  get nextAt(): number | undefined {
    let next: number | undefined
    for (const { dueAt } of this.waiting.values()) next = Math.min(dueAt(), next ?? Number.POSITIVE_INFINITY)
    return next === undefined ? undefined : Math.max(next, this.now())
  }

  /** Lets time pass until `time`, and calls what is due by then, earliest first. */
  goTo(time: number): void {
    this.passed += Math.max(0, time - this.now())
    const now = this.now()
    const due = [...this.waiting].map(([id, { callback, dueAt }]) => ({ id, callback, at: dueAt() }))
    for (const { id, callback, at } of due.sort((a, b) => a.at - b.at || a.id - b.id)) {
      if (at <= now && this.waiting.delete(id)) callback()
    }
  }

  /** Sets the wall clock without calling anything, as an operator or a bad time server does. */
  jump(byMs: number): void {
    this.offset += byMs
  }

  /** Drops all that waits, as the end of a process does. */
  clear(): void {
    this.waiting.clear()
  }

  private wait(callback: () => void, dueAt: () => number): () => void {
    const id = this.made
    this.made += 1
    this.waiting.set(id, { callback, dueAt })
    return () => this.waiting.delete(id)
  }
}

interface Waiting {
  callback: () => void
  /** By the wall clock, as it is set now. */
  dueAt: () => number
}
