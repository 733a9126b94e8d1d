import type { Clock } from '../base/clock.ts'
import { isAetherisError } from '../base/error.ts'

/** A store that has failed opens itself again; until then it answers with these, and later with the truth. */
const passing = ['COMMIT_UNKNOWN', 'STORE_FAILED', 'STORE_BUSY'] as const

export function isPassing(error: unknown): boolean {
  return passing.some((code) => isAetherisError(error, code))
}

const firstDelayMs = 10
const longestDelayMs = 1_000

/**
 * Asks a store until it answers. Only for what may be asked again: reads, and commits, which are known by the ids of
 * their events. `onWait` gets the first answer that is none.
 * @throws what the store answers for good; whatever it answered last, once `isOver`.
 */
export async function untilAnswered<T>(
  clock: Clock,
  isOver: () => boolean,
  ask: () => Promise<T>,
  onWait?: (error: unknown) => void,
): Promise<T> {
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, longestDelayMs)) {
    try {
      return await ask()
    } catch (error) {
      if (isOver() || !isPassing(error)) throw error
      if (delayMs === firstDelayMs) onWait?.(error)
      await new Promise<void>((resolve) => clock.setTimer(resolve, delayMs))
    }
  }
}

/** A write whose outcome is unknown is asked for again until it is known; one that surely did nothing fails at once. */
export async function untilKnown<T>(clock: Clock, isOver: () => boolean, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (!isAetherisError(error, 'COMMIT_UNKNOWN')) throw error
    return untilAnswered(clock, isOver, write)
  }
}
