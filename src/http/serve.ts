import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Handler } from './call-endpoint.ts'
import { problemResponse, Refusal } from './refusal.ts'

/** A server that listens on the loopback. */
export interface Server {
  /** Such as `http://127.0.0.1:4810`. */
  readonly url: string
  /** Ends the connections too. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Serves a handler to this machine, with what Node has. For others, mount the handler where TLS is, in any server that
 * takes web-standard handlers.
 *
 * @param port default: one that is free. Rejects with what Node says where it cannot be had, such as EADDRINUSE.
 */
export async function serve(handler: Handler, { port = 0 }: { port?: number } = {}): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    void respond(handler, incoming, outgoing).catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  const address = server.address() as { port: number }
  return { url: `http://127.0.0.1:${address.port}`, close, [Symbol.asyncDispose]: close }
}

const unreadable = new Refusal(
  400,
  'REQUEST_INVALID',
  'The method, the address or the Host of the request is not valid.',
)

async function respond(handler: Handler, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const request = requestOf(incoming, outgoing)
  const response = request === undefined ? problemResponse(unreadable) : await handler(request)
  const body = await response.text()
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  outgoing.end(body)
}

/** Undefined where the platform takes no such request: a forbidden method, a Host that is none. */
function requestOf(incoming: IncomingMessage, outgoing: ServerResponse): Request | undefined {
  const { method = 'GET', url = '/', headers } = incoming
  const abort = new AbortController()
  outgoing.once('close', () => abort.abort())
  const hasBody = method !== 'GET' && method !== 'HEAD'
  try {
    return new Request(new URL(`http://${headers.host}${url}`), {
      method,
      headers: Object.entries(incoming.headersDistinct).flatMap(([name, values = []]) =>
        values.map((value): [string, string] => [name, value]),
      ),
      signal: abort.signal,
      ...(hasBody ? { body: bodyOf(incoming), duplex: 'half' as const } : {}),
    })
  } catch {
    return undefined
  }
}

/** Leaves the connection open when it is cancelled, as the answer still has to go out. */
function bodyOf(incoming: IncomingMessage): ReadableStream {
  const chunks = incoming.iterator({ destroyOnReturn: false })
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: async () => void (await chunks.return?.()),
  })
}
