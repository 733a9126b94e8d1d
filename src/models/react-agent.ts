import { z } from 'zod'
import { type ReactMessage, type ReactSettings, reactMachine } from '../../machines/react.ts'
import type { Agent } from '../agent/agent.ts'
import { jsonSchema } from '../agent/catalogue.ts'
import { fromMachine } from '../agent/machine-agent.ts'
import type { AnyTool } from '../agent/tool.ts'
import { AetherisError } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import type { Budget } from '../event/budget.ts'
import type { ModelOptions } from './call-model.ts'
import { modelTool } from './model-tool.ts'
import { jsonIn } from './reply.ts'
import type { Message } from './request.ts'

export interface ReactAgentOptions<I extends z.ZodType, O extends z.ZodType> extends ModelOptions {
  name: string
  /** Default 1. Raise it when anything here changes; a running job goes on only with what it began with. */
  version?: number
  /** What the model is to be. */
  instructions?: string
  /** What it may call: with their effect classes, retries and approvals, as in a plan. */
  tools?: readonly AnyTool[]
  /** Default: a text. */
  input?: I
  /** Default: a text. With another schema the model is asked for JSON that fits, and told where it does not. */
  output?: O
  /** How the conversation begins. Pure. Default: the input as the user's message, as JSON where it is no text. */
  prompt?(input: z.output<I>): string | readonly Message[]
  /** Times that the model is asked; the last time it has to answer. Default 20. */
  stepsMax?: number
  /** Calls that one reply may ask for. Default 16. */
  callsMax?: number
  /** Calls under way at a time. Default 8. */
  concurrency?: number
  /** Turns that the model is shown, beside the begin of the conversation. Default 50. */
  turnsKept?: number
  /** Characters of one result that the model is shown. Default 100,000. */
  resultCharactersMax?: number
  budget?: Budget
  /** Time for one reply of the model, in milliseconds. Default 10 minutes. */
  timeoutMs?: number
}

const settingsSchema = z.object({
  stepsMax: z.int().min(1).max(100_000).default(20),
  callsMax: z.int().min(1).max(1_000).default(16),
  concurrency: z.int().min(1).max(1_000).default(8),
  turnsKept: z.int().min(1).max(10_000).default(50),
  resultCharactersMax: z.int().min(1).default(100_000),
})

const model = 'model'

/**
 * An agent whose model calls tools until it can answer: the statechart of machines/react.ts. What the model is told a
 * call gave is what the history has; a call of class `once` whose outcome was lost waits for a person, as anywhere else.
 *
 * @throws AetherisError AGENT_INVALID
 */
export function reactAgent<I extends z.ZodType = z.ZodString, O extends z.ZodType = z.ZodString>(
  options: ReactAgentOptions<I, O>,
): Agent<I, O> {
  const { name, version = 1, tools = [], budget, prompt, timeoutMs } = options
  const input = options.input ?? (z.string() as unknown as I)
  const asks = modelTool({ ...modelOptions(options), name: model, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
  const machine = reactMachine(settingsOf(options), {
    open: (given) => opening(prompt === undefined ? given : prompt(given as z.output<I>)),
    read: (text) => answerOf(text, options.output),
  })
  return fromMachine(name, machine, {
    version,
    input,
    output: options.output ?? (z.string() as unknown as O),
    tools: [asks, ...tools],
    ...(budget === undefined ? {} : { budget }),
  })
}

function modelOptions({ model, prices, stream }: ModelOptions): ModelOptions {
  return { model, ...(prices === undefined ? {} : { prices }), ...(stream === undefined ? {} : { stream }) }
}

// biome-ignore lint/suspicious/noExplicitAny: options of all types.
function settingsOf(options: ReactAgentOptions<any, any>): ReactSettings {
  const { name, instructions, tools = [], output } = options
  const parsed = settingsSchema.safeParse(options)
  if (!parsed.success) {
    throw new AetherisError('AGENT_INVALID', `Agent "${name}" is not valid: ${z.prettifyError(parsed.error)}`)
  }
  return {
    ...{ model, ...parsed.data },
    ...(instructions === undefined ? {} : { system: instructions }),
    tools: (tools as readonly AnyTool[]).map((tool) => ({
      name: tool.name,
      ...(tool.description === undefined ? {} : { description: tool.description }),
      inputSchema: jsonSchema(tool.input),
    })),
    ...(output === undefined ? {} : { format: jsonSchema(output) }),
  }
}

function opening(said: unknown): ReactMessage[] {
  if (Array.isArray(said)) return said as ReactMessage[]
  return [{ role: 'user', content: typeof said === 'string' ? said : JSON.stringify(said) }]
}

function answerOf(text: string, output: z.ZodType | undefined): { output: Json } | { problem: string } {
  if (output === undefined)
    return text.trim() === '' ? { problem: 'You said nothing. Answer, or ask for a tool.' } : { output: text }
  const json = jsonIn(text)
  if (json === undefined) return { problem: 'Your answer is no JSON. Give the JSON alone, without anything around it.' }
  const parsed = output.safeParse(json)
  if (parsed.success) return { output: json }
  return { problem: `Your answer does not match what was asked for: ${z.prettifyError(parsed.error)}` }
}
