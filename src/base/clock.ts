/** Time as the runtime sees it. The system clock lives here and nowhere else; tests give a simulated one. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number
  /** Calls `callback` once, `delayMs` from now. Returns a function that takes it back. */
  setTimer(callback: () => void, delayMs: number): () => void
}

/** Node fires a timer of more than 2^31-1 ms at once, so longer ones go in pieces. */
const pieceMs = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(callback, delayMs) {
    let handle: ReturnType<typeof setTimeout>
    const wait = (leftMs: number) => {
      const nextMs = Math.min(leftMs, pieceMs)
      handle = setTimeout(() => (leftMs > nextMs ? wait(leftMs - nextMs) : callback()), nextMs)
    }
    wait(Math.max(0, delayMs))
    return () => clearTimeout(handle)
  },
}
