/**
 * What a model is to Aetheris: what a model object of the AI SDK (`LanguageModelV3` or `V4`) already is, so any of its
 * providers fits, and nothing here depends on the SDK.
 *
 * Calling the object itself, rather than the SDK's `generateText`, leaves out the SDK's own hidden retries: every attempt
 * is the runner's, and an event.
 */
export interface ModelPort {
  readonly specificationVersion: 'v3' | 'v4'
  readonly provider: string
  readonly modelId: string
  doGenerate(options: ModelCall): PromiseLike<GeneratedReply>
  doStream(options: ModelCall): PromiseLike<{ stream: ReadableStream<StreamedPart> }>
}

/** What a model is asked. */
export interface ModelCall {
  prompt: PromptMessage[]
  tools?: { type: 'function'; name: string; description?: string; inputSchema: object }[]
  toolChoice?: { type: 'auto' } | { type: 'none' } | { type: 'required' } | { type: 'tool'; toolName: string }
  responseFormat?: { type: 'json'; schema?: object; name?: string; description?: string }
  maxOutputTokens?: number
  temperature?: number
  topP?: number
  stopSequences?: string[]
  seed?: number
  abortSignal?: AbortSignal
}

type Text = { type: 'text'; text: string }

export type PromptMessage =
  | { role: 'system'; content: string }
  | { role: 'user'; content: Text[] }
  | { role: 'assistant'; content: (Text | { type: 'reasoning'; text: string } | PromptToolCall)[] }
  | { role: 'tool'; content: PromptToolResult[] }

export interface PromptToolCall {
  type: 'tool-call'
  toolCallId: string
  toolName: string
  input: unknown
}

export interface PromptToolResult {
  type: 'tool-result'
  toolCallId: string
  toolName: string
  // biome-ignore lint/suspicious/noExplicitAny: V3 and V4 each have a JSON type of their own.
  output: { type: 'json'; value: any } | { type: 'error-text'; value: string }
}

/** Token counts; what the provider does not say is undefined. */
export interface ReportedUsage {
  inputTokens: {
    total: number | undefined
    cacheRead?: number | undefined
    cacheWrite?: number | undefined
  }
  outputTokens: { total: number | undefined; reasoning?: number | undefined }
}

export interface GeneratedReply {
  content: ReadonlyArray<{ type: string }>
  finishReason: { unified: string }
  usage: ReportedUsage
  response?: { id?: string; modelId?: string }
}

/** A part of a streamed reply; which fields it has depends on its type. */
export interface StreamedPart {
  type: string
}
