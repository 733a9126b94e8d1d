import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { createMcpHandler, fromJsonSchema, McpServer } from '@modelcontextprotocol/server'

/** A server of the newest protocol, which has no sessions, with one tool that may be called once. */

/** What happens to a call: it is done and answered, done and not answered as it should be, or met by a status. */
type Fault = 'none' | 'cut' | 'half' | 'endless' | number

export class WebServer {
  /** How often the tool was called. */
  payments = 0
  /** Headers of the last request. */
  headers: IncomingMessage['headers'] = {}
  fault: Fault = 'none'
  private readonly handler = createMcpHandler(() => this.serving())
  private readonly http = createServer((request, response) => void this.answer(request, response))

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.http.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}/mcp`
  }

  close(): void {
    this.http.closeAllConnections()
    this.http.close()
  }

  private serving(): McpServer {
    const server = new McpServer({ name: 'bank', version: '7' })
    const annotations = { destructiveHint: false }
    const inputSchema = fromJsonSchema({ type: 'object', properties: { euros: { type: 'number' } } })
    server.registerTool('pay', { inputSchema, annotations }, async () => {
      this.payments += 1
      return { content: [{ type: 'text', text: `payment ${this.payments}` }] }
    })
    return server
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.headers = request.headers
    const body = request.method === 'POST' ? await text(request) : null
    const fault = body?.includes('"tools/call"') ? this.fault : 'none'
    if (typeof fault === 'number') return void response.writeHead(fault).end('no')
    const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)] as [string, string])
    const url = `http://${request.headers.host}${request.url}`
    const given = await this.handler.fetch(new Request(url, { method: request.method ?? 'GET', headers, body }))
    const { status, body: stream } = given
    if (fault === 'cut') return void request.socket.destroy()
    if (fault === 'half') return void response.writeHead(200, { 'content-type': 'text/event-stream' }).end()
    response.writeHead(status, Object.fromEntries(given.headers))
    if (fault === 'endless') return void Readable.from(endless()).pipe(response)
    if (stream === null) response.end()
    else Readable.fromWeb(stream as Parameters<typeof Readable.fromWeb>[0]).pipe(response)
  }
}

function* endless() {
  for (;;) yield ' '.repeat(2 ** 20)
}
