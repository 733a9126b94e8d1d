import { z } from 'zod'
import { type Agent, agent } from '../agent/agent.ts'
import type { AnyTool } from '../agent/tool.ts'
import { AetherisError } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { Tokens } from './tokens.ts'

export interface ExposeToolsOptions {
  tools: readonly AnyTool[]
  /** Where agents reach the endpoint that serves them, such as `http://127.0.0.1:4810/calls`. */
  url: string
  /**
   * Makes tokens that cannot be forged; at least 16 characters, the same in every process on the store. Default: a random
   * one, so that an agent which is at work when this process ends cannot go on when the next one is there.
   */
  secret?: string
  /** The agent that the calls are jobs of. Default `calls`. */
  name?: string
}

/** Tools that external agents may call, while they work for a job. */
export interface ExposedTools {
  /** Every call is a job of this one; to be given to `openRuntime({ agents })`. */
  readonly agent: Agent<typeof callSchema>
  /** Without a slash at its end. */
  readonly url: string
  /** @internal */
  readonly tokens: Tokens
  /** @internal What the agent that a call is for is told. */
  grant(jobId: string, effect: string): { url: string; token: string }
}

/** Part of a path, and of the id of a job. */
export const callKey = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.:@-]*$/, 'expected a letter or a digit, then letters, digits and _ . : @ -')
  .max(limits.idCharactersMax)

/** A call of a tool that came in through the endpoint: the input of its job. */
export const callSchema = z.strictObject({
  /** The call of an agent on whose behalf it is made. */
  for: z.strictObject({ jobId: z.string(), effect: z.string() }),
  key: callKey,
  tool: z.string(),
  input: z.custom<Json>((value) => value !== undefined, 'expected JSON'),
})

export type OutsideCall = z.output<typeof callSchema>

/**
 * Tools for agents that are not jobs here. A call through {@link callEndpoint} is a job of its own, with a plan of one
 * node, so it has what every call has: an effect class, attempts, approval, a history.
 *
 * @throws AetherisError AGENT_INVALID
 */
export function exposeTools({ tools, url, secret, name = 'calls' }: ExposeToolsOptions): ExposedTools {
  if (!URL.canParse(url) || !/^https?:\/\/[^?#@]+$/.test(url))
    return invalid('their url has to be an http or https URL without a query, a name or a password')
  if (secret !== undefined && secret.length < 16) return invalid('their secret has to have at least 16 characters')
  const byName = new Map(tools.map((tool) => [tool.name, tool]))
  const calls = agent({
    name,
    input: callSchema,
    output: z.any(),
    tools,
    plan: (graph, call) => graph.call(callNode, byName.get(call.tool) as AnyTool, call.input),
  })
  const tokens = new Tokens(name, secret)
  const base = new URL(url).href.replace(/\/$/, '')
  return Object.freeze({
    agent: calls,
    url: base,
    tokens,
    grant: (jobId: string, effect: string) => ({ url: base, token: tokens.mint({ jobId, effect }) }),
  })
}

/** The one node of such a job. */
const callNode = 'call'

function invalid(why: string): never {
  throw new AetherisError('AGENT_INVALID', `The tools for external agents are not valid: ${why}.`)
}
