import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'

/** Somebody's agent: an HTTP server that knows nothing of Aetheris, and answers as a test says. */

export interface Received {
  method: string
  path: string
  headers: IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent.
  body: any
}

/** An answer as data, or something that is done with the connection. */
export type Reply =
  | { status?: number; headers?: Record<string, string>; json?: unknown; text?: string }
  | ((response: ServerResponse) => void)

export class OtherAgent {
  readonly received: Received[] = []
  private readonly server: Server
  private readonly wakers = new Set<() => void>()

  private constructor(server: Server) {
    this.server = server
  }

  static async listen(
    answer: (request: Received, nth: number) => Reply | Promise<Reply>,
    port = 0,
  ): Promise<OtherAgent> {
    const server = createServer()
    const agent = new OtherAgent(server)
    server.on('request', (incoming, outgoing) => void agent.serve(answer, incoming, outgoing))
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return agent
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/agent`
  }

  /** Resolves when that many requests have arrived. */
  async until(count: number): Promise<void> {
    while (this.received.length < count) await new Promise<void>((resolve) => this.wakers.add(resolve))
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private async serve(
    answer: (request: Received, nth: number) => Reply | Promise<Reply>,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
  ): Promise<void> {
    let text = ''
    for await (const chunk of incoming) text += chunk
    const { method = '', url: path = '', headers } = incoming
    const request = { method, path, headers, body: text === '' ? undefined : JSON.parse(text) }
    this.received.push(request)
    for (const wake of this.wakers) wake()
    this.wakers.clear()
    const reply = await answer(request, this.received.length)
    if (typeof reply === 'function') return reply(outgoing)
    const { status = 200, headers: own = {}, json, text: said } = reply
    const type = json === undefined ? {} : { 'Content-Type': 'application/json' }
    outgoing.writeHead(status, { ...type, ...own }).end(json === undefined ? said : JSON.stringify(json))
  }
}
