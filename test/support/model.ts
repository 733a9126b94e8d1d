import { Readable } from 'node:stream'
import type { ModelCall, ModelPort, StreamedPart } from '../../src/models/port.ts'

/** A model whose every reply is given by the test. */

export interface FakeReply {
  text?: string
  thought?: string
  calls?: { name: string; input: unknown; id?: string }[]
  finishReason?: string
  usage?: { input?: number; cached?: number; output?: number; reasoning?: number }
  /** Thrown instead of an answer. */
  error?: unknown
}

export interface FakeModel extends ModelPort {
  /** What it was asked, in order. */
  readonly asked: ModelCall[]
}

/** Gives the replies in order, or what `reply` makes of each call. */
export function fakeModel(
  replies: readonly FakeReply[] | ((call: ModelCall, nth: number) => FakeReply | Promise<FakeReply>),
): FakeModel {
  const asked: ModelCall[] = []
  const next = async (call: ModelCall): Promise<FakeReply> => {
    asked.push(call)
    const nth = asked.length - 1
    const reply = typeof replies === 'function' ? await replies(call, nth) : replies[nth]
    if (reply === undefined) throw new Error(`The model was asked ${asked.length} times, and has ${nth} replies.`)
    if (reply.error !== undefined) throw reply.error
    return reply
  }
  return {
    specificationVersion: 'v3',
    provider: 'fake.chat',
    modelId: 'model-1',
    asked,
    doGenerate: async (call) => resultOf(await next(call)),
    doStream: async (call) => {
      const { content, finishReason, usage } = resultOf(await next(call))
      return {
        stream: Readable.toWeb(Readable.from(partsOf(content, finishReason, usage))) as ReadableStream<StreamedPart>,
      }
    },
  }
}

function resultOf({ text, thought, calls = [], finishReason, usage = {} }: FakeReply) {
  const content = [
    ...(thought === undefined ? [] : [{ type: 'reasoning', text: thought }]),
    ...(text === undefined ? [] : [{ type: 'text', text }]),
    ...calls.map(({ name, input, id = `call-${name}` }) => ({
      ...{ type: 'tool-call', toolCallId: id, toolName: name },
      input: typeof input === 'string' ? input : JSON.stringify(input),
    })),
  ]
  return {
    content,
    finishReason: { unified: finishReason ?? (calls.length > 0 ? 'tool-calls' : 'stop') },
    usage: {
      inputTokens: { total: usage.input ?? 10, cacheRead: usage.cached, cacheWrite: undefined },
      outputTokens: { total: usage.output ?? 5, reasoning: usage.reasoning },
    },
    response: {
      id: 'response-1',
      modelId: 'model-1-2026',
      timestamp: new Date(0),
      headers: { secret: 'no' },
      body: 'no',
    },
    request: { body: { secret: 'no' } },
    warnings: [],
  }
}

function* partsOf(content: { type: string; text?: string }[], finishReason: unknown, usage: unknown) {
  yield { type: 'stream-start', warnings: [] }
  yield { type: 'response-metadata', id: 'response-1', modelId: 'model-1-2026' }
  for (const [index, part] of content.entries()) {
    const id = String(index)
    if (part.type === 'tool-call') yield part
    else {
      yield { type: `${part.type}-start`, id }
      for (const delta of pieces(part.text ?? '')) yield { type: `${part.type}-delta`, id, delta }
      yield { type: `${part.type}-end`, id }
    }
  }
  yield { type: 'finish', finishReason, usage }
}

function* pieces(text: string) {
  const length = Math.max(4, Math.ceil(text.length / 50))
  for (let from = 0; from < text.length; from += length) yield text.slice(from, from + length)
}
