import { AetherisError } from '../base/error.ts'

/**
 * Catches machines that read the world.
 *
 * While a step runs (it is synchronous), the ambient clock, randomness and network of this realm are replaced by
 * functions that throw and note who called them. What escapes this net (a module's own state, node:crypto imported
 * by name) shows up as a divergence when the history is replayed.
 */

/** The function of the machine that is running, e.g. `guard "isLate"`; set by the wrappers of durable.ts. */
let running: string | undefined
let violation: string | undefined

/** Runs `body` as `name`, so that a violation can be put down to it. */
export function named<T>(name: string, body: () => T): T {
  const outer = running
  running = name
  try {
    return body()
  } finally {
    running = outer
  }
}

/**
 * Runs a step of `machine` with the world out of reach.
 * Returns MACHINE_IMPURE, naming the function and what it read, where the step tried to; also if the machine
 * swallowed the error that this raised inside.
 */
export function pure(machine: string, step: () => void): AetherisError | undefined {
  violation = undefined
  const restore = seal()
  try {
    step()
  } finally {
    restore()
  }
  return violation === undefined ? undefined : impure(machine, violation)
}

function impure(machine: string, what: string): AetherisError {
  return new AetherisError(
    'MACHINE_IMPURE',
    `Machine "${machine}": ${what} while deciding a step. A machine is a function of its events: let an invoked actor read it and take it from the event that brings the result.`,
  )
}

function forbidden(what: string): (...args: unknown[]) => never {
  return () => {
    violation = `${running ?? 'a guard, assign or input function'} used ${what}`
    throw new Error(violation)
  }
}

const RealDate = Date
const noNow = forbidden('the clock (new Date)')

/** A Date that knows calendars but not the time. */
const SealedDate = new Proxy(RealDate, {
  apply: () => noNow(),
  construct: (target, args) => (args.length === 0 ? noNow() : Reflect.construct(target, args)),
  get: (target, key) => (key === 'now' ? forbidden('the clock (Date.now)') : Reflect.get(target, key)),
})

const seals: [object, string, unknown][] = [
  [globalThis, 'Date', SealedDate],
  [Math, 'random', forbidden('randomness (Math.random)')],
  [performance, 'now', forbidden('the clock (performance.now)')],
  [crypto, 'randomUUID', forbidden('randomness (crypto.randomUUID)')],
  [crypto, 'getRandomValues', forbidden('randomness (crypto.getRandomValues)')],
  [globalThis, 'fetch', forbidden('the network (fetch)')],
]

/** Puts the seals on and returns what takes them off again; own properties are put back as they were. */
function seal(): () => void {
  const before = seals.map(([owner, key]) => Object.getOwnPropertyDescriptor(owner, key))
  for (const [owner, key, value] of seals) {
    Object.defineProperty(owner, key, { value, configurable: true, writable: true })
  }
  return () => {
    for (const [index, [owner, key]] of seals.entries()) {
      const own = before[index]
      if (own === undefined) Reflect.deleteProperty(owner, key)
      else Object.defineProperty(owner, key, own)
    }
  }
}
