import { z } from 'zod'
import { sha256 } from '../base/hash.ts'
import { canonical, type Json } from '../base/json.ts'
import type { ModelCall, PromptMessage } from './port.ts'

/** What a model is asked, as jobs write it: plain JSON. */

const json: z.ZodType<Json> = z.custom<Json>((value) => value !== undefined, 'expected JSON')
const text = z.strictObject({ type: z.literal('text'), text: z.string() })
const toolCall = z.strictObject({
  type: z.literal('tool-call'),
  toolCallId: z.string(),
  toolName: z.string(),
  input: json,
})
const toolResult = z.strictObject({
  type: z.literal('tool-result'),
  toolCallId: z.string(),
  toolName: z.string(),
  output: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('json'), value: json }),
    z.strictObject({ type: z.literal('error-text'), value: z.string() }),
  ]),
})

/** Parts that a provider gave go back to it as they were: some keep signatures of thoughts in them. */
const given = z.looseObject({ type: z.enum(['text', 'reasoning', 'tool-call']) })

export const messageSchema = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), content: z.string() }),
  z.strictObject({ role: z.literal('user'), content: z.union([z.string(), z.array(text)]) }),
  z.strictObject({
    role: z.literal('assistant'),
    content: z.union([z.string(), z.array(z.union([text, toolCall, given]))]),
  }),
  z.strictObject({ role: z.literal('tool'), content: z.array(toolResult) }),
])
/** A message of a conversation, in the form of the AI SDK; a text may stand for a list of one text part. */
export type Message = z.infer<typeof messageSchema>

export const requestSchema = z
  .strictObject({
    /** What the model is to be, for the whole conversation. */
    system: z.string().optional(),
    /** A conversation of one message. Give this or `messages`. */
    prompt: z.string().optional(),
    messages: z.array(messageSchema).optional(),
    /** Functions that it may ask for, with the JSON Schema of their input. */
    tools: z
      .array(z.strictObject({ name: z.string(), description: z.string().optional(), inputSchema: json }))
      .optional(),
    toolChoice: z.union([z.enum(['auto', 'none', 'required']), z.strictObject({ tool: z.string() })]).optional(),
    /** Asks for JSON, of this JSON Schema where the provider can hold the model to it. */
    responseFormat: z
      .strictObject({ schema: json.optional(), name: z.string().optional(), description: z.string().optional() })
      .optional(),
    maxOutputTokens: z.int().min(1).optional(),
    temperature: z.number().optional(),
    topP: z.number().optional(),
    stopSequences: z.array(z.string()).optional(),
    seed: z.int().optional(),
  })
  .refine(({ prompt, messages }) => (prompt === undefined) !== (messages === undefined), {
    message: 'give either prompt or messages',
  })
export type ModelRequest = z.infer<typeof requestSchema>

/** The request as a model object takes it. */
export function callOf(request: ModelRequest): ModelCall {
  const { system, prompt, messages = [], tools, toolChoice, responseFormat, ...settings } = request
  const said: Message[] = prompt === undefined ? messages : [{ role: 'user', content: prompt }]
  const call = {
    prompt: [...(system === undefined ? [] : [{ role: 'system' as const, content: system }]), ...said.map(promptOf)],
    ...settings,
    ...(tools === undefined || tools.length === 0
      ? {}
      : { tools: tools.map((tool) => ({ type: 'function', ...tool })) }),
    ...(toolChoice === undefined ? {} : { toolChoice: choiceOf(toolChoice) }),
    ...(responseFormat === undefined ? {} : { responseFormat: { type: 'json', ...responseFormat } }),
  }
  return call as unknown as ModelCall
}

function promptOf(message: Message): PromptMessage {
  const { role, content } = message
  if (role === 'system' || typeof content !== 'string') return message as PromptMessage
  return { role, content: [{ type: 'text', text: content }] } as PromptMessage
}

function choiceOf(choice: NonNullable<ModelRequest['toolChoice']>): ModelCall['toolChoice'] {
  return typeof choice === 'string' ? { type: choice } : { type: 'tool', toolName: choice.tool }
}

const lastKept = 200

/**
 * What the history keeps of a request: how long it is, how it ends, and a digest that tells it from any other. The
 * whole of it is in the state of the job at that point, for whoever replays.
 */
export function requestSummary(request: Json): Json {
  const { messages = [], tools = [], prompt, ...rest } = request as unknown as Partial<ModelRequest>
  const parts = { ...rest, prompt, messages: messages.map(hashOf), tools: tools.map(hashOf) }
  const last = prompt ?? textOf(messages.at(-1))
  return {
    messages: prompt === undefined ? messages.length : 1,
    ...(tools.length === 0 ? {} : { tools: tools.map(({ name }) => name) }),
    last: last.length > lastKept ? `${last.slice(0, lastKept).toWellFormed()}…` : last,
    digest: sha256(canonical(JSON.parse(JSON.stringify(parts)))),
  }
}

function textOf(message: Message | undefined): string {
  if (message === undefined) return ''
  return typeof message.content === 'string' ? message.content : JSON.stringify(message.content)
}

/** Of the messages of a conversation all but the last were in the request before; what is frozen stays what it was. */
const hashes = new WeakMap<object, string>()

function hashOf(part: object): string {
  const known = hashes.get(part)
  if (known !== undefined) return known
  const hash = sha256(canonical(part as unknown as Json))
  if (Object.isFrozen(part)) hashes.set(part, hash)
  return hash
}
