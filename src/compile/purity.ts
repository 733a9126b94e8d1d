import { AetherisError } from '../base/error.ts'

/**
 * Catches machines that read the world.
 *
 * While a step runs (it is synchronous), the ambient clock, randomness and network of this realm are replaced by
 * functions that throw and note who called them. What escapes this net (a module's own state, node:crypto imported
 * by name) shows up as a divergence when the history is replayed.
 */

/** The function of the machine that is running, e.g. `guard "isLate"`. */
let running: string | undefined
/** The functions that the step has called. */
let called = new Set<string>()
let violation: string | undefined

/** Runs `body` as `name`, so that a violation can be put down to it. */
export function named<T>(name: string, body: () => T): T {
  const outer = running
  running = name
  called.add(name)
  try {
    return body()
  } catch (error) {
    if (error instanceof TypeError && writesFrozen.test(error.message))
      violation ??= `${name} changed something in place (${error.message})`
    throw error
  } finally {
    running = outer
  }
}

/** What JavaScript says to whoever writes to a frozen context or event. */
const writesFrozen = /read only|not extensible|Cannot (delete|redefine) property/

/** `value` as it is, or where it is a function that computes, one that runs as `name`. */
export function computing(value: unknown, name: string): unknown {
  return typeof value === 'function' ? (...args: unknown[]) => named(name, () => value(...args)) : value
}

/** What is known of a step after it. */
export interface Purity {
  /** The machine's functions that it called, by name. */
  called: readonly string[]
  /** What reached for the world, and for what of it: `guard "isLate" used the clock (Date.now)`. */
  impurity: string | undefined
  /** MACHINE_IMPURE where one of them tried to read the world; also if the machine swallowed the error of that. */
  violation: AetherisError | undefined
}

/** Runs a step of `machine` with the world out of reach. */
export function pure(machine: string, step: () => void): Purity {
  violation = undefined
  called = new Set()
  const restore = seal()
  try {
    step()
  } finally {
    restore()
  }
  const impurity = violation
  return { called: [...called], impurity, violation: impurity === undefined ? undefined : impure(machine, impurity) }
}

function impure(machine: string, what: string): AetherisError {
  return new AetherisError(
    'MACHINE_IMPURE',
    `Machine "${machine}": ${what} while deciding a step. A machine is a function of its events: let an invoked actor read the world, take what it found from the event that brings the result, and assign new values.`,
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
})

const seals: [object, string, unknown][] = [
  [globalThis, 'Date', SealedDate],
  // For those who have taken hold of Date before.
  [RealDate, 'now', forbidden('the clock (Date.now)')],
  [Math, 'random', forbidden('randomness (Math.random)')],
  [performance, 'now', forbidden('the clock (performance.now)')],
  [crypto, 'randomUUID', forbidden('randomness (crypto.randomUUID)')],
  [crypto, 'getRandomValues', forbidden('randomness (crypto.getRandomValues)')],
  [globalThis, 'fetch', forbidden('the network (fetch)')],
  [globalThis, 'setTimeout', forbidden('a timer (setTimeout)')],
  [globalThis, 'setInterval', forbidden('a timer (setInterval)')],
  [globalThis, 'setImmediate', forbidden('a timer (setImmediate)')],
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
