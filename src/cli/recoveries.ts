import type { JobEvent } from '../event/event.ts'
import { plural } from './text.ts'

/** What it has cost a job that its processes died, read off its history: no call comes before its event is durable. */
export class Recoveries {
  /** Times that its process ended while the job was running, and another took it up again. */
  count = 0
  /** Calls that had a recorded outcome when that happened last. */
  kept = 0
  /** Calls that were under way then, and were made again. */
  again = 0
  /** Calls that were made again although their outcome was recorded: 0, or a guarantee is broken. */
  repeated = 0
  readonly #completed = new Set<string>()

  add({ type, data }: JobEvent): void {
    if (type === 'node.completed') this.#completed.add(data.effect)
    if (type === 'node.started' || type === 'node.attempted') {
      if (this.#completed.has(data.effect)) this.repeated += 1
      if (type === 'node.attempted' && data.cause === 'recovery') this.again += 1
    }
    if (type !== 'job.recovered') return
    this.count += 1
    this.kept = this.#completed.size
  }

  toString(): string {
    const kept = `${plural(this.kept, 'completed step')} kept, ${this.repeated} of them done again`
    return `Taken up again ${plural(this.count, 'time')}: ${kept}; ${plural(this.again, 'step')} under way started again`
  }
}
