// What turn.ts is in Node. A message is a task of its own; a timer would wait for 4 ms where it follows others.

/** Resolves when all that can run now has run: after this turn of the event loop, without waiting for a time. */
export function endOfTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
}
