import type { z } from 'zod'
import { type Tool, tool } from '../agent/tool.ts'
import type { RetryPolicy } from '../graph/graph.ts'
import { callModel, checkModel, type ModelOptions, modelName } from './call-model.ts'
import { replySchema } from './reply.ts'
import { requestSchema, requestSummary } from './request.ts'

export interface ModelToolOptions extends ModelOptions {
  name: string
  description?: string
  /** Default: 3 attempts, from 1 s, doubling, with what the provider asks for first. */
  retry?: RetryPolicy
  /** Time for one attempt, in milliseconds. Default 10 minutes. */
  timeoutMs?: number
}

/** A tool that asks a model: see {@link modelTool}. */
export type ModelTool = Tool<typeof requestSchema, typeof replySchema>

const timeoutMsDefault = 600_000

/**
 * A model as a tool: a node of a plan, or an actor of a machine, whose input is the request and whose output the reply.
 *
 * It is of class `read`: asking again costs money but changes nothing, so an attempt that was cut off is repeated. A
 * reply that is recorded is never asked for again, by recovery or replay. The history keeps a summary of the request
 * with its digest, and the whole reply.
 *
 * @throws AetherisError AGENT_INVALID
 */
export function modelTool({
  name,
  description,
  retry,
  timeoutMs = timeoutMsDefault,
  ...options
}: ModelToolOptions): ModelTool {
  checkModel(`Tool "${name}"`, options)
  return tool({
    name,
    description: description ?? `Asks the model ${modelName(options.model)}.`,
    input: requestSchema as z.ZodType as typeof requestSchema,
    output: replySchema,
    effect: 'read',
    timeoutMs,
    ...(retry === undefined ? {} : { retry }),
    summarize: requestSummary,
    run: (request, attempt) => callModel(options, request, attempt),
  })
}
