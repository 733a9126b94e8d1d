import { AetherisError, assert } from '../base/error.ts'
import { keyPart } from './store.ts'

/**
 * The key layout: flat UTF-8 text, parts separated by `!`, numbers of fixed width.
 *
 * 1. Key order is the order of the parts: byte order of ids, numeric order of numbers.
 * 2. No part holds `!`, so a key splits into exactly the parts it was made of.
 *
 * | key | value |
 * |---|---|
 * | `m!format`, `m!owner` | format and genesis; number of openings |
 * | `e!job!seq` | event |
 * | `j!job` | row of the job |
 * | `u!job` | nothing: the job has not ended |
 * | `t!due!job!timer`, `T!job!timer` | nothing; the due time |
 * | `i!job!arrival`, `d!job!message` | unread message; its arrival, kept for ever so that an id counts once |
 * | `s!job!seq` | snapshot |
 * | `b!job!hash` | large value, as its text |
 * | `x!job` | when a job that had ended was deleted |
 * | `c!commit` | commit record: what one batch has changed |
 */
export const keys = {
  format: 'm!format',
  owner: 'm!owner',
  event: (jobId: string, seq: number) => `e!${jobId}!${fixed(seq, seqDigits)}`,
  row: (jobId: string) => `j!${jobId}`,
  unfinished: (jobId: string) => `u!${jobId}`,
  due: (dueAt: number, jobId: string, timerId: string) => `t!${fixed(dueAt, timeDigits)}!${jobId}!${timerId}`,
  timer: (jobId: string, timerId: string) => `T!${jobId}!${timerId}`,
  message: (jobId: string, arrival: number) => `i!${jobId}!${fixed(arrival, seqDigits)}`,
  arrival: (jobId: string, messageId: string) => `d!${jobId}!${messageId}`,
  snapshot: (jobId: string, seq: number) => `s!${jobId}!${fixed(seq, seqDigits)}`,
  blob: (jobId: string, hash: string) => `b!${jobId}!${hash}`,
  tombstone: (jobId: string) => `x!${jobId}`,
  commit: (commit: number) => `c!${fixed(commit, timeDigits)}`,
} as const

const seqDigits = 10
const timeDigits = 16

/** Bounds of a range, as LevelDB takes them. */
export interface KeyRange {
  gte: string
  lt: string
}

/** Every key that starts with `prefix` and a further part; `"` is the character after `!`. */
export function under(prefix: string): KeyRange {
  return { gte: `${prefix}!`, lt: `${prefix}"` }
}

/** The parts of a key, without the first that says what it is. */
export function keyParts(key: string): string[] {
  return key.split('!').slice(1)
}

/** Decimal text whose order is the numeric order. */
export function fixed(value: number, digits: number): string {
  const text = String(value)
  assert(
    Number.isSafeInteger(value) && value >= 0 && text.length <= digits,
    `${value} does not fit into ${digits} digits of a key`,
  )
  return text.padStart(digits, '0')
}

/** @throws AetherisError INPUT_INVALID unless `id` can be part of a key. */
export function checkKeyPart(id: unknown, what: string): asserts id is string {
  if (typeof id === 'string' && keyPart.test(id)) return
  const shown = typeof id === 'string' ? JSON.stringify(id.slice(0, 80)) : typeof id
  throw new AetherisError(
    'INPUT_INVALID',
    `The ${what} ${shown} is not valid: expected 1 to 256 of letters, digits and _ . : / # [ ] @ -.`,
  )
}
