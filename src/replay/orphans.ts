import type { Effect, SpawnInput } from './effect.ts'

/** A job that was started by another one which no longer waits for it. */
export interface Orphan {
  /** The effect that started it. */
  effect: string
  command: 'cancel' | 'terminate'
}

/** Collects them until the runner, which alone can reach other jobs, takes them. */
export class Orphans {
  private found: Orphan[] = []

  /** The job that an effect has started, or may have. One that is to outlive its parent is no orphan. */
  add({ id, kind, attempt, input }: Effect): void {
    if (kind !== 'spawn' || attempt === 0) return
    const { onParentEnd } = input as SpawnInput
    if (onParentEnd !== 'abandon') this.found.push({ effect: id, command: onParentEnd })
  }

  take(): Orphan[] {
    const found = this.found
    this.found = []
    return found
  }
}
