import type { CallToolResult } from '@modelcontextprotocol/client'
import { z } from 'zod'
import type { AetherisError } from '../base/error.ts'
import { type Json, type JsonObject, toJson } from '../base/json.ts'
import type { EffectClass } from '../event/event.ts'
import { unusable } from './failure.ts'
import { fromServer } from './schema.ts'

/** What a call of a server's tool gives. */

/** A piece of content: text, an image or sound as base64, a resource or a link to one. As the server gave it. */
const contentSchema = z.looseObject({ type: z.string(), text: z.string().optional() })

export interface McpResult {
  content: z.infer<typeof contentSchema>[]
  /** Of tools with an output schema. */
  // biome-ignore lint/suspicious/noExplicitAny: what it holds is between the server and whoever reads it.
  structuredContent?: Record<string, any>
}

export function resultSchema(output: JsonObject | undefined): z.ZodType<McpResult, McpResult> {
  const structured = fromServer(output ?? { type: 'object' })
  const schema = z.object({ content: z.array(contentSchema), structuredContent: structured.optional() })
  return schema as unknown as z.ZodType<McpResult, McpResult>
}

/**
 * What a server answered, where it says that the call was done.
 * @throws Error with what the server said, where it says that the call has failed: that is a known outcome
 * @throws OutcomeUnknownError, TerminalError where the answer is of no use
 */
export function resultOf(
  { content, structuredContent, isError }: CallToolResult,
  effect: EffectClass,
  schema: z.ZodType<McpResult>,
): McpResult {
  if (isError === true) throw new Error(textOf(content))
  const given = { content, ...(structuredContent === undefined ? {} : { structuredContent }) }
  const parsed = schema.safeParse(plain(given, effect))
  if (parsed.success) return parsed.data
  throw unusable(effect, `The answer does not match the tool's own schema: ${z.prettifyError(parsed.error)}`)
}

function plain(given: unknown, effect: EffectClass): Json {
  try {
    return toJson(given, 'The answer')
  } catch (error) {
    throw unusable(effect, (error as AetherisError).message)
  }
}

function textOf(content: CallToolResult['content'] = []): string {
  const text = content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n')
  return text === '' ? 'The server says that the call has failed, and not why.' : text
}
