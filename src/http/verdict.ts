import { OutcomeUnknownError, RetryableError, TerminalError } from '../base/error.ts'
import { isObject, type Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import type { EffectClass } from '../event/event.ts'
import type { Exchange } from './peer.ts'

/**
 * What an exchange says of the call that it was made for. The one question behind it: may the agent have done
 * something? A status counts as saying no only where its definition leaves nothing else.
 */
export type Verdict =
  | { type: 'output'; output: Json }
  /** It has begun, and is to be asked about at `place`, where it said so, else as `task`. */
  | { type: 'accepted'; task?: string; place?: string; progress?: Json; retryAfterMs?: number }
  /** The agent says that it has failed. */
  | { type: 'failed'; message: string }
  /** It was not taken, and asking again will not help. */
  | { type: 'refused'; message: string; status: number }
  /** It was not taken; another time it may be. */
  | { type: 'deferred'; message: string; retryAfterMs?: number }
  /** Nobody knows. */
  | { type: 'unknown'; message: string; retryAfterMs?: number }

type Answer = Extract<Exchange, { type: 'answer' }>

/** Of servers that did not wait for the request, did not want it so early, or do not want it now. */
const deferring: ReadonlySet<number> = new Set([408, 425, 429])

/** Of moved resources, of servers that cannot do such a request at all, and of networks that one has to log in to. */
const refusing: ReadonlySet<number> = new Set([301, 307, 308, 501, 505, 511])

/** @param attempt of the call, from 1. */
export function verdictOf(who: string, exchange: Exchange, attempt: number): Verdict {
  if (exchange.type === 'unsent')
    return { type: 'deferred', message: `${who} could not be reached, so nothing was sent (${exchange.why}).` }
  if (exchange.type === 'lost')
    return { type: 'unknown', message: `${who} was sent a request, and the answer never came (${exchange.why}).` }
  const { status, headers, said } = exchange
  if (status === 200) return outputOf(who, exchange)
  if (status === 202) return acceptedOf(exchange)
  const message = `${who} answered with status ${status}${said}`
  const after = retryAfter(headers)
  // A server that is asked to wait for says so on purpose; a 503 without it may come from a proxy whose connection broke.
  if (deferring.has(status) || (status === 503 && 'retryAfterMs' in after))
    return { type: 'deferred', message, ...after }
  // To the first attempt it is a refusal; to a later one it says that the one before is still at work.
  if (status === 409 && attempt > 1) return { type: 'unknown', message, ...after }
  if (refusing.has(status) || (status >= 400 && status < 500)) return { type: 'refused', message, status }
  return { type: 'unknown', message, ...after }
}

/** What a tool throws for a verdict that is no output. */
export function errorOf(verdict: Exclude<Verdict, { type: 'output' | 'accepted' }>, effect: EffectClass): Error {
  const { message } = verdict
  if (verdict.type === 'failed' || verdict.type === 'refused') return new TerminalError(message)
  const { retryAfterMs } = verdict
  const isDone = verdict.type === 'unknown' && (effect === 'once' || retryAfterMs === undefined)
  if (isDone) return new OutcomeUnknownError(message)
  return new RetryableError(message, retryAfterMs === undefined ? {} : { retryAfterMs })
}

function outputOf(who: string, { body, said }: Answer): Verdict {
  const lost = `${who} has answered, so it may have done something, but its answer`
  if (!('json' in body)) return { type: 'unknown', message: `${lost} ${body.why}.` }
  const { json } = body
  if (isObject(json) && json['output'] !== undefined) return { type: 'output', output: json['output'] }
  if (isObject(json) && json['error'] !== undefined) return { type: 'failed', message: `${who} failed${said}` }
  return { type: 'unknown', message: `${lost} has neither "output" nor "error".` }
}

function acceptedOf({ headers, body }: Answer): Verdict {
  const { task, progress } = 'json' in body && isObject(body.json) ? body.json : {}
  const place = headers.get('location')
  return {
    type: 'accepted',
    ...(typeof task === 'string' && task.length <= limits.taskCharactersMax ? { task } : {}),
    ...(place === null ? {} : { place }),
    ...(progress === undefined ? {} : { progress }),
    ...retryAfter(headers),
  }
}

const longestDelayMs = 3_600_000

/** A date is not understood: it would need a clock that agrees with the agent's. */
function retryAfter(headers: Headers): { retryAfterMs?: number } {
  const seconds = headers.get('retry-after') ?? ''
  return /^\d+$/.test(seconds) ? { retryAfterMs: Math.min(Number(seconds) * 1_000, longestDelayMs) } : {}
}
