/** Time as the runtime sees it. The system clock lives here and nowhere else; tests give a simulated one. */
export interface Clock {
  /** Epoch milliseconds. May go back, where somebody sets the clock. */
  now(): number
  /** Calls `callback` once, `delayMs` from now. Returns a function that takes it back. */
  setTimer(callback: () => void, delayMs: number): () => void
  /**
   * Calls `callback` once `now()` has come to `at`, however the clock was set meanwhile. Returns a function that takes
   * it back.
   */
  setAlarm(callback: () => void, at: number): () => void
}

/** Resolves after `ms`, or as soon as `abortSignal` aborts. */
export function pause(ms: number, clock: Clock, abortSignal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clear()
      abortSignal.removeEventListener('abort', end)
      resolve()
    }
    const clear = clock.setTimer(end, ms)
    abortSignal.addEventListener('abort', end)
    if (abortSignal.aborted) end()
  })
}

/** Node fires a timer of more than 2^31-1 ms at once, so longer ones go in pieces. */
const pieceMs = 2 ** 31 - 1

/** How late an alarm may be after the clock was set forward. */
const lookEveryMs = 30_000

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer: (callback, delayMs) => {
    const wait = waiting(callback)
    let leftMs = Math.max(0, delayMs)
    return wait(() => {
      const nextMs = Math.min(leftMs, pieceMs)
      leftMs -= nextMs
      return nextMs
    })
  },
  setAlarm: (callback, at) => waiting(callback)(() => Math.min(Math.max(0, at - Date.now()), lookEveryMs)),
}

/** Waits in pieces, of which `next` gives the lengths in milliseconds, until it gives 0. */
function waiting(callback: () => void): (next: () => number) => () => void {
  return (next) => {
    let handle: ReturnType<typeof setTimeout>
    const wait = (ms: number) => {
      handle = setTimeout(() => {
        const left = next()
        if (left > 0) wait(left)
        else callback()
      }, ms)
    }
    wait(next())
    return () => clearTimeout(handle)
  }
}
