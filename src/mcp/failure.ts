import { ProtocolError, ProtocolErrorCode, SdkError, SdkErrorCode, SdkHttpError } from '@modelcontextprotocol/client'
import { OutcomeUnknownError, TerminalError, toErrorData } from '../base/error.ts'
import type { EffectClass } from '../event/event.ts'

/** What an error says about a request: whether it was ever sent, and whether the server may have done something. */

/**
 * stale: it was not sent, or not heeded, since this connection is over; another one will do. unsent: the server cannot
 * be reached, or is busy. refused: the server has read it and will not begin it. unknown: it may have been done.
 */
type Fate = 'stale' | 'unsent' | 'refused' | 'unknown'

/** Raised here, before anything is sent. */
const local: ReadonlySet<string> = new Set([
  ...[SdkErrorCode.NotConnected, SdkErrorCode.NotInitialized, SdkErrorCode.CapabilityNotSupported],
  SdkErrorCode.MethodNotSupportedByProtocolVersion,
])

/**
 * JSON-RPC errors that come before a tool is called. InvalidParams is none of them: servers on older SDKs answer with
 * it when what a tool returned, after it was called, does not match its own output schema.
 */
const beforehand: ReadonlySet<number> = new Set([
  ...[ProtocolErrorCode.ParseError, ProtocolErrorCode.InvalidRequest, ProtocolErrorCode.MethodNotFound],
  ...[ProtocolErrorCode.MissingRequiredClientCapability, ProtocolErrorCode.UnsupportedProtocolVersion],
  ProtocolErrorCode.UrlElicitationRequired,
])

/** Of the network, before a connection is there. */
const unconnected: ReadonlySet<string> = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'],
  ...['UND_ERR_CONNECT_TIMEOUT', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'ERR_TLS_CERT_ALTNAME_INVALID'],
])

/** @param hasSession whether the server over HTTP had given a session, which it may have forgotten. */
export function fateOf(error: unknown, hasSession: boolean): Fate {
  if (error instanceof SdkHttpError) return httpFate(error.status, hasSession)
  // The server wants to ask somebody something first, which is not offered.
  if (error instanceof SdkError && error.code === SdkErrorCode.UnsupportedResultType) return 'refused'
  if (error instanceof SdkError) return local.has(error.code) ? 'stale' : 'unknown'
  if (error instanceof ProtocolError) return beforehand.has(error.code) ? 'refused' : 'unknown'
  const { name, cause } = error as Error
  if (name === 'UnauthorizedError' || name === 'InsufficientScopeError') return 'refused'
  return unconnected.has(String((cause as { code?: unknown } | undefined)?.code)) ? 'unsent' : 'unknown'
}

function httpFate(status: number, hasSession: boolean): Fate {
  // A server that was started again knows none of the sessions that it had given; some say 400.
  if (hasSession && (status === 404 || status === 400)) return 'stale'
  if (status === 429) return 'unsent'
  return status >= 400 && status < 500 && status !== 408 ? 'refused' : 'unknown'
}

/** What has become of a call that was made, and whose answer is of no use: asking again would not give another. */
export function unusable(effect: EffectClass, message: string): Error {
  return effect === 'once' ? new OutcomeUnknownError(message) : new TerminalError(message)
}

const causesMax = 4

/** Only what it and its causes say: errors of the SDK may hold requests, with their headers. */
export function saying(error: unknown): string {
  let [said, each] = ['', error]
  for (let n = 0; n < causesMax && each !== undefined; n += 1) {
    const { message } = toErrorData(each)
    if (!said.includes(message)) said += said === '' ? message : `: ${message}`
    each = each instanceof Error ? each.cause : undefined
  }
  return said
}
