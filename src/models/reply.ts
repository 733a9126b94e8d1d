import { z } from 'zod'
import { base64 } from '../base/bytes.ts'
import { type Json, toJson } from '../base/json.ts'
import type { ModelUsage } from '../event/spending.ts'
import type { GeneratedReply, ReportedUsage, StreamedPart } from './port.ts'

/** What a model answered, as the history keeps it: no headers, no bodies, nothing but JSON. */

const json: z.ZodType<Json> = z.custom<Json>((value) => value !== undefined, 'expected JSON')

export const replySchema = z.object({
  /** All of its text. */
  text: z.string(),
  /** The functions that it asks for. `invalid` is there where what it gave as input is no JSON. */
  toolCalls: z.array(
    z.object({ id: z.string(), name: z.string(), input: json.optional(), invalid: z.string().optional() }),
  ),
  /** Text, thoughts, calls and whatever else it gave, in order, as an assistant message takes them. */
  content: z.array(z.looseObject({ type: z.string() })),
  /** `stop`, `length`, `content-filter`, `tool-calls` or `other`; one that ends in `error` is no reply. */
  finishReason: z.string(),
  /** Provider and model that answered. */
  model: z.string(),
  responseId: z.string().optional(),
})
export type ModelReply = z.infer<typeof replySchema>

interface Part {
  type: string
  text?: string
  toolCallId?: string
  toolName?: string
  input?: unknown
  data?: unknown
  providerMetadata?: unknown
}

/** The reply that a result stands for. `model` is who was asked. */
export function replyOf({ content, finishReason, response }: GeneratedReply, model: string): ModelReply {
  const parts = content.map((part) => keptPart(part as Part))
  const toolCalls = content.filter(({ type }) => type === 'tool-call').map((part) => callOf(part as Part))
  const texts = content.filter(({ type }) => type === 'text').map((part) => String((part as Part).text ?? ''))
  return {
    text: texts.join(''),
    toolCalls,
    content: parts,
    finishReason: String(finishReason?.unified ?? 'other'),
    model: response?.modelId === undefined ? model : `${model.split('/')[0]}/${response.modelId}`,
    ...(response?.id === undefined ? {} : { responseId: response.id }),
  }
}

function keptPart({ providerMetadata, ...part }: Part): ModelReply['content'][number] {
  const data = part.data instanceof Uint8Array ? { data: base64(part.data) } : {}
  const input = part.type === 'tool-call' ? { input: callOf(part).input ?? {} } : {}
  const options = providerMetadata === undefined ? {} : { providerOptions: providerMetadata }
  return toJson({ ...part, ...data, ...input, ...options }, 'A part of a reply') as ModelReply['content'][number]
}

function callOf({ toolCallId = '', toolName = '', input }: Part): ModelReply['toolCalls'][number] {
  const call = { id: toolCallId, name: toolName }
  if (typeof input !== 'string') return { ...call, input: toJson(input ?? {}, 'The input of a tool call') }
  try {
    return { ...call, input: toJson(JSON.parse(input === '' ? '{}' : input), 'The input of a tool call') }
  } catch {
    return { ...call, invalid: input }
  }
}

/** What a reply has used; what the provider does not say counts as 0, and is marked. */
export function usageOf(usage: ReportedUsage | undefined, model: string): ModelUsage {
  const { total: input, cacheRead, cacheWrite } = usage?.inputTokens ?? { total: undefined }
  const { total: output, reasoning } = usage?.outputTokens ?? { total: undefined }
  return {
    model,
    inputTokens: input ?? 0,
    outputTokens: output ?? 0,
    ...(cacheRead ? { cachedTokens: cacheRead } : {}),
    ...(cacheWrite ? { cacheWriteTokens: cacheWrite } : {}),
    ...(reasoning ? { reasoningTokens: reasoning } : {}),
    ...(input === undefined || output === undefined ? { isPartial: true as const } : {}),
  }
}

interface Delta extends StreamedPart {
  id?: string
  delta?: string
  error?: unknown
  modelId?: string
  usage?: ReportedUsage
  finishReason?: { unified: string }
  providerMetadata?: unknown
}

/** Reads a streamed reply to its end. `emit` gets its text as it comes. @throws whatever the stream reports as an error. */
export async function readStream(
  stream: ReadableStream<StreamedPart>,
  emit: (text: string) => void,
): Promise<GeneratedReply> {
  const content: Part[] = []
  const open = new Map<string, Part>()
  let end: Pick<GeneratedReply, 'finishReason' | 'usage'> | undefined
  let response: GeneratedReply['response'] = {}
  for await (const each of stream) {
    const { type, id = '', delta = '', ...part } = each as Delta
    if (typeof delta !== 'string') throw new Error(`The model streamed a ${typeof delta} where text was expected.`)
    if (type === 'text-start' || type === 'reasoning-start') {
      const begun = { type: type.slice(0, -'-start'.length), text: '', ...metadata(part) }
      open.set(`${begun.type} ${id}`, begun)
      content.push(begun)
    } else if (type === 'text-delta' || type === 'reasoning-delta') {
      const begun = open.get(`${type.slice(0, -'-delta'.length)} ${id}`)
      if (begun !== undefined) begun.text += delta
      if (type === 'text-delta') emit(delta)
    } else if (type === 'text-end' || type === 'reasoning-end') {
      Object.assign(open.get(`${type.slice(0, -'-end'.length)} ${id}`) ?? {}, metadata(part))
    } else if (type === 'response-metadata') response = { ...(id === '' ? {} : { id }), ...modelId(part) }
    else if (type === 'finish')
      end = { finishReason: part.finishReason ?? { unified: 'other' }, usage: part.usage as ReportedUsage }
    else if (type === 'error') throw part.error
    else if (whole.has(type)) content.push(each as Part)
  }
  if (end === undefined) throw new Error('The stream of the model ended before its reply did.')
  return { content: content as GeneratedReply['content'], ...end, response }
}

/** Parts that come in one piece. */
const whole: ReadonlySet<string> = new Set(['tool-call', 'tool-result', 'file', 'source'])

function metadata({ providerMetadata }: { providerMetadata?: unknown }): Pick<Part, 'providerMetadata'> {
  return providerMetadata === undefined ? {} : { providerMetadata }
}

function modelId({ modelId: given }: { modelId?: string }): { modelId?: string } {
  return given === undefined ? {} : { modelId: given }
}

/** The JSON that a text is, also in a fenced block, as many models write it. */
export function jsonIn(text: string): Json | undefined {
  const fenced = /^\s*```(?:json)?\s*\n([\s\S]*?)\n?```\s*$/.exec(text)
  try {
    return JSON.parse(fenced?.[1] ?? text) as Json
  } catch {
    return undefined
  }
}
