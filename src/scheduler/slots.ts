import { assert } from '../base/error.ts'

/**
 * A bounded number of slots, given out by priority and order of arrival.
 *
 * L1 never more than `max` slots are out.
 * L2 nobody starves: a waiter of lower priority is overtaken by at most `overtakeMax` later arrivals for each level.
 */
export class Slots {
  private readonly max: number
  private taken = 0
  private arrivals = 0
  private readonly queues: Waiter[][] = Array.from({ length: priorities }, () => [])

  constructor(max: number) {
    this.max = max
  }

  get inUse(): number {
    return this.taken
  }

  /** Takes a slot if one is free; then nobody waits for it. */
  tryAcquire(): boolean {
    if (this.taken >= this.max) return false
    this.taken += 1
    return true
  }

  /** Calls `granted` with a slot, at once if one is free. Returns a function that gives up waiting. */
  acquire(priority: number, granted: () => void): () => void {
    if (this.tryAcquire()) {
      granted()
      return () => {}
    }
    const waiter: Waiter = { arrival: this.arrivals, granted, gone: false }
    this.arrivals += 1
    ;(this.queues[priority] as Waiter[]).push(waiter)
    return () => {
      waiter.gone = true
    }
  }

  release(): void {
    assert(this.taken > 0, 'a slot was released that nobody held')
    this.taken -= 1
    const next = this.next()
    if (next === undefined) return
    this.taken += 1
    this.queues[next]?.shift()?.granted()
  }

  /** The queue whose first waiter is next, with those that gave up dropped. */
  private next(): number | undefined {
    let best: number | undefined
    let bestRank = Number.POSITIVE_INFINITY
    for (let priority = 0; priority < priorities; priority += 1) {
      const queue = this.queues[priority] as Waiter[]
      while (queue[0]?.gone) queue.shift()
      const first = queue[0]
      if (first === undefined) continue
      const rank = first.arrival - priority * overtakeMax
      if (rank < bestRank) [best, bestRank] = [priority, rank]
    }
    return best
  }
}

interface Waiter {
  arrival: number
  granted: () => void
  gone: boolean
}

/** Priorities go from 0 to 9; higher goes first. */
export const priorities = 10
export const defaultPriority = 5
const overtakeMax = 100
