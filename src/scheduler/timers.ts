import type { Clock } from '../base/clock.ts'
import type { JobStore } from '../store/store.ts'

/**
 * Wakes jobs whose timers are due. The timers themselves are rows in the store; here is only the next wake-up.
 *
 * T1 a due timer wakes its job at least once after every opening of the store; the job's owner applies it once,
 *    since the row goes in the same commit as the event.
 * T2 only the earliest timer is held in memory, however many there are.
 * T3 the wall clock alone says what is due, so that a clock that is set changes when a timer fires, and not whether.
 */
export class Timers {
  private readonly store: JobStore
  private readonly clock: Clock
  private readonly wake: (jobId: string) => void
  /** Jobs that were woken and have not cleared their due timers yet. */
  private readonly woken = new Set<string>()
  private armedFor = Number.POSITIVE_INFINITY
  private disarm: () => void = () => {}
  private stopped = false
  private looking = false
  /** Something was due while the runtime was looking already, perhaps past the place where it is. */
  private lookAgain = false

  constructor(store: JobStore, clock: Clock, wake: (jobId: string) => void) {
    this.store = store
    this.clock = clock
    this.wake = wake
  }

  /** A commit has set a timer. */
  notice(dueAt: number): void {
    if (dueAt < this.armedFor) this.arm(dueAt)
  }

  /** A job has handled its due timers, or is about to look at all of them. */
  cleared(jobId: string): void {
    this.woken.delete(jobId)
  }

  get busy(): boolean {
    return this.looking
  }

  /** Wakes all jobs with a timer that is due, then waits for the next one. */
  async look(): Promise<void> {
    this.lookAgain = true
    if (this.looking) return
    this.looking = true
    try {
      while (this.lookAgain && !this.stopped) {
        this.lookAgain = false
        await this.wakeDue()
      }
    } finally {
      this.looking = false
    }
  }

  private async wakeDue(): Promise<void> {
    const now = this.clock.now()
    for (const { jobId } of await this.store.dueTimers(now, pageSize + this.woken.size)) {
      if (this.woken.has(jobId)) continue
      this.woken.add(jobId)
      this.wake(jobId)
    }
    const next = await this.store.nextTimer()
    // What is due already has been woken, or waits behind a full page: look again a little later.
    if (next !== undefined) this.notice(Math.max(next, now + againMs))
  }

  stop(): void {
    this.stopped = true
    this.disarm()
  }

  private arm(dueAt: number): void {
    if (this.stopped) return
    this.disarm()
    this.armedFor = dueAt
    this.disarm = this.clock.setAlarm(() => {
      this.armedFor = Number.POSITIVE_INFINITY
      // A failing store reports itself through the commits; the next look comes with its next opening.
      this.look().catch(() => this.arm(this.clock.now() + againMs))
    }, dueAt)
  }
}

const pageSize = 1_000
const againMs = 20
