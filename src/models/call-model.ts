import { AetherisError, RetryableError, TerminalError, toErrorData } from '../base/error.ts'
import type { ModelUsage } from '../event/spending.ts'
import type { ModelPort } from './port.ts'
import { type PriceTable, priced } from './prices.ts'
import { type ModelReply, readStream, replyOf, usageOf } from './reply.ts'
import { callOf, type ModelRequest } from './request.ts'

/** One call of a model: no retry of its own, so that every attempt is the runner's. */

export interface ModelOptions {
  model: ModelPort
  prices?: PriceTable
  /** Whether the reply is read as it comes, for those who watch the job. Default true. */
  stream?: boolean
}

/** What a call needs of the attempt that it is part of. */
export interface ModelAttempt {
  readonly abortSignal: AbortSignal
  emit(text: string): void
  charge(usage: ModelUsage): void
}

/**
 * Asks a model.
 * @throws RetryableError where the provider may answer another time (429, 5xx, no connection, an answer that makes no
 * sense), after the delay that it asks for; TerminalError where it will not (another 4xx).
 */
export async function callModel(
  { model, prices, stream = true }: ModelOptions,
  request: ModelRequest,
  { abortSignal, emit, charge }: ModelAttempt,
): Promise<ModelReply> {
  const name = modelName(model)
  const call = { ...callOf(request), abortSignal }
  try {
    const result = stream ? await readStream((await model.doStream(call)).stream, emit) : await model.doGenerate(call)
    charge(priced(usageOf(result.usage, name), prices))
    const reply = replyOf(result, name)
    // What was said up to there is no answer, though the provider calls it one.
    if (reply.finishReason === 'error') throw new Error('it broke off its reply.')
    return reply
  } catch (error) {
    if (abortSignal.aborted) throw abortSignal.reason
    throw modelError(name, error)
  }
}

/** Provider and model, e.g. `openai/gpt-5`. */
export function modelName({ provider, modelId }: ModelPort): string {
  return `${provider.split('.')[0]}/${modelId}`
}

/** @throws AetherisError AGENT_INVALID where it is no model object, or the price table does not have it. */
export function checkModel(what: string, { model, prices }: ModelOptions): void {
  const isModel = typeof model?.doGenerate === 'function' && typeof model.doStream === 'function'
  if (!isModel || (model.specificationVersion !== 'v3' && model.specificationVersion !== 'v4')) {
    const message = `${what} needs a model object of the AI SDK (LanguageModelV3 or V4), such as provider('name'); a name alone will not do.`
    throw new AetherisError('AGENT_INVALID', message)
  }
  const name = modelName(model)
  if (prices !== undefined && prices.models[name] === undefined) {
    const known = Object.keys(prices.models).join(', ') || 'none'
    throw new AetherisError(
      'AGENT_INVALID',
      `${what} uses ${name}, of which the price table knows nothing; it has: ${known}.`,
    )
  }
}

/** What an error of a provider has, where it is one of the AI SDK's. */
interface ProviderError {
  message?: unknown
  statusCode?: unknown
  isRetryable?: unknown
  responseHeaders?: Record<string, string | undefined>
}

/** Client errors after which asking again may help. */
const passing: ReadonlySet<number> = new Set([408, 409, 425, 429])

/** Only the message is kept: the error itself has the request and its headers in it. */
function modelError(name: string, thrown: unknown): Error {
  if (thrown instanceof AetherisError) return thrown
  const { statusCode, responseHeaders } = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as ProviderError
  const status = typeof statusCode === 'number' ? statusCode : undefined
  const said = toErrorData(thrown).message
  const message = `Model ${name} ${status === undefined ? 'did not answer' : `answered with status ${status}`}: ${said}`
  if (status !== undefined && status >= 400 && status < 500 && !passing.has(status)) return new TerminalError(message)
  const retryAfterMs = delayOf(responseHeaders ?? {})
  return new RetryableError(message, retryAfterMs === undefined ? {} : { retryAfterMs })
}

const longestDelayMs = 3_600_000

/** How long the provider asks to wait. A date is not understood: it would need a clock that agrees with the provider's. */
function delayOf(headers: Record<string, string | undefined>): number | undefined {
  const ms = Number(headers['retry-after-ms'] ?? Number.NaN)
  const seconds = Number(headers['retry-after'] ?? Number.NaN)
  const delay = Number.isFinite(ms) ? ms : seconds * 1_000
  return Number.isFinite(delay) && delay >= 0 ? Math.min(delay, longestDelayMs) : undefined
}
