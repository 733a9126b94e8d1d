import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { type JournalEntry, LLMock, type MockServerOptions } from '@copilotkit/aimock'
import type { ModelPort } from '../../src/models/port.ts'

/**
 * A model server that nobody here wrote, aimock, on loopback, and the provider of the AI SDK that calls it over HTTP. A
 * request that no fixture matches is answered with 503.
 */
export class ModelServer {
  readonly mock: LLMock

  private constructor(options: MockServerOptions) {
    this.mock = new LLMock({ port: 0, strict: true, journalMaxEntries: 0, ...options })
  }

  static async start(options: MockServerOptions = {}): Promise<ModelServer> {
    const server = new ModelServer(options)
    await server.mock.start()
    return server
  }

  get url(): string {
    return `${this.mock.url}/v1`
  }

  /** All requests to models that came in and were dealt with, in order. */
  get requests(): JournalEntry[] {
    return this.mock.getRequests().filter(({ path }) => path.endsWith('/chat/completions'))
  }

  /** Forgets what came in, and what is to be answered. */
  clear(): void {
    this.mock.reset()
  }

  stop(): Promise<void> {
    return this.mock.stop()
  }
}

/** What no history may hold. */
export const secrets = { key: 'sk-do-not-tell', header: 'a-header-that-is-nobodys-business' }

/** A model behind an OpenAI-compatible URL. */
export function modelAt(baseURL: string, modelId = 'small'): ModelPort {
  const headers = { 'x-team': secrets.header }
  const apiKey = secrets.key
  return createOpenAICompatible({
    ...{ name: 'local', baseURL, apiKey, headers },
    ...{ includeUsage: true, supportsStructuredOutputs: true },
  })(modelId)
}
