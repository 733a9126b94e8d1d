import type { z } from 'zod'
import { AetherisError } from '../base/error.ts'
import { limits } from '../base/limits.ts'

/** A typed, durable message from outside to a job. Made by {@link signal}. */
export interface Signal<P extends z.ZodType = z.ZodType> {
  readonly name: string
  readonly payload: P
}

// biome-ignore lint/suspicious/noExplicitAny: a list of signals has signals of all types.
export type AnySignal = Signal<any>

/**
 * Defines a signal.
 * @throws AetherisError AGENT_INVALID when the name is empty, too long, or reserved for the runtime.
 */
export function signal<P extends z.ZodType>(name: string, payload: P): Signal<P> {
  if (typeof name !== 'string' || name === '' || name.length > limits.idCharactersMax) {
    throw new AetherisError(
      'AGENT_INVALID',
      `A signal's name has 1 to ${limits.idCharactersMax} characters; ${JSON.stringify(name)} does not.`,
    )
  }
  if (isReserved(name)) {
    throw new AetherisError(
      'AGENT_INVALID',
      `The signal name "${name}" is reserved for the runtime; take one that does not start with xstate., job. or aetheris.`,
    )
  }
  return Object.freeze({ name, payload })
}

/** Names that only the runtime may send to a machine: an outsider could forge outcomes with them. */
export function isReserved(name: string): boolean {
  return /^(xstate|aetheris|job)\.|^\*$|^$/.test(name)
}
