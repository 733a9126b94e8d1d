import type { Tool as ListedTool } from '@modelcontextprotocol/client'
import { AetherisError } from '../base/error.ts'
import { digest, type JsonObject, jsonLimits, toJson } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import type { ToolHints } from './policy.ts'

/** What a server says about one of its tools, bounded in size. */
export interface Definition {
  /** The server's own name of it. */
  readonly name: string
  readonly description: string | undefined
  readonly input: JsonObject
  readonly output: JsonObject | undefined
  readonly hints: ToolHints
  /** Whether a call may or has to go on as a task. */
  readonly task: 'forbidden' | 'optional' | 'required'
  /** Of all of the above. */
  readonly digest: string
}

/**
 * The tools that a server has listed, by name. One that cannot be used has an error in its place, which whoever asks
 * for it is told.
 */
export type Definitions = ReadonlyMap<string, Definition | AetherisError>

export function definitionsOf(listed: readonly ListedTool[]): Definitions {
  const found = new Map<string, Definition | AetherisError>()
  for (const tool of listed) found.set(tool.name, found.has(tool.name) ? twice(tool.name) : definitionOf(tool))
  return found
}

function twice(name: string): AetherisError {
  return new AetherisError('AGENT_INVALID', `The server lists two tools that it calls ${JSON.stringify(name)}.`)
}

const bounds = { ...jsonLimits, bytesMax: limits.toolDefinitionCharactersMax }

function definitionOf(tool: ListedTool): Definition | AetherisError {
  const { name, description, inputSchema, outputSchema, annotations, execution } = tool
  const { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } = annotations ?? {}
  const said = {
    ...{ name, description, input: inputSchema, output: outputSchema },
    hints: { readOnlyHint, destructiveHint, idempotentHint, openWorldHint },
    task: execution?.taskSupport ?? 'forbidden',
  }
  try {
    const json = toJson(said, `The definition of tool "${name}"`, 'AGENT_INVALID', bounds)
    return { ...(json as unknown as Definition), digest: digest(json) }
  } catch (error) {
    return error as AetherisError
  }
}
