import { OutcomeUnknownError, RetryableError, TerminalError } from '../base/error.ts'
import { never } from './mortal-store.ts'

/** The ways in which a call goes wrong. */

/** @param nth number of the attempt, from 1. */
type Way = (nth: number, perform: () => Promise<unknown>, abortSignal: AbortSignal) => Promise<unknown>

export const faults = {
  /** The first attempt fails, and may be made again. */
  'fails once': async (nth, perform) => {
    if (nth === 1) throw new RetryableError('The first attempt fails, for a test.')
    return perform()
  },

  'fails for good': async () => {
    throw new TerminalError('It fails for good, for a test.')
  },

  /** No attempt gives an answer, however long anybody waits; each stops when it is told to. */
  'times out': (_, __, abortSignal) =>
    new Promise((_resolve, reject) => {
      abortSignal.addEventListener('abort', () => reject(abortSignal.reason), { once: true })
    }),

  /** It never answers, and does not stop either when its job is cancelled. */
  'hangs past cancel': () => never(),

  /** It returns what no schema takes, since it is no JSON. */
  'invalid output': async () => () => {},

  /** The first attempt does all that it is to do, and its answer is lost. */
  'outcome lost': async (nth, perform) => {
    const output = await perform()
    if (nth === 1) throw new OutcomeUnknownError('The answer is lost, for a test.')
    return output
  },
} as const satisfies Record<string, Way>

export type Fault = keyof typeof faults
