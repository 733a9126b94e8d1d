// A browser gets turn.browser.ts in place of this file.

/** Resolves when all that can run now has run: after this turn of the event loop, without waiting for a time. */
export function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
