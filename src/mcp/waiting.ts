import { systemClock } from '../base/clock.ts'

/** Waiting that a signal cuts short. */

/** Waits no longer than until the signal; the work itself goes on, as others may want what comes of it. */
export function orAborted<T>(work: Promise<T>, abortSignal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(abortSignal.reason)
    if (abortSignal.aborted) stop()
    abortSignal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => abortSignal.removeEventListener('abort', stop))
  })
}

export async function pause(ms: number, abortSignal: AbortSignal): Promise<void> {
  let clear = () => {}
  const over = new Promise<void>((resolve) => {
    clear = systemClock.setTimer(resolve, ms)
  })
  await orAborted(over, abortSignal).finally(clear)
}

/** Lets those who ask have a turn one after the other. */
export class Turns {
  private last: Promise<void> = Promise.resolve()

  async inTurn<T>(abortSignal: AbortSignal, body: () => Promise<T>): Promise<T> {
    const before = this.last
    let done = () => {}
    const mine = new Promise<void>((resolve) => {
      done = resolve
    })
    // Whoever gives up waiting is passed over, and nobody overtakes those before.
    this.last = before.then(() => mine)
    try {
      await orAborted(before, abortSignal)
      return await body()
    } finally {
      done()
    }
  }
}
