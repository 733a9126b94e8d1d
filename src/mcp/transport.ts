import {
  type JSONRPCMessage,
  StreamableHTTPClientTransport,
  type Transport,
  type TransportSendOptions,
} from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'

/** The two ways to a server: a process of our own, or HTTP. Neither is read from without bound. */

export type Endpoint =
  | { command: string; args: readonly string[]; env: Readonly<Record<string, string>>; cwd: string | undefined }
  | { url: string; headers: Readonly<Record<string, string>> }

/** A session that a server over HTTP has given, for whoever goes on with it in another process. */
export interface SessionRef {
  id: string
  version?: string
}

/** Bytes of one message. Somewhat more than a history takes of one value, so that it is the history that refuses. */
const messageBytesMax = 10 * 1024 * 1024

export function transportOf(endpoint: Endpoint, log: (line: string) => void, session?: SessionRef): Transport {
  if ('url' in endpoint) return new HttpTransport(endpoint.url, endpoint.headers, session)
  const { command, args, env, cwd } = endpoint
  const transport = new StdioClientTransport({
    ...{ command, args: [...args], env: { ...env }, stderr: 'pipe', maxBufferSize: messageBytesMax },
    ...(cwd === undefined ? {} : { cwd }),
  })
  // What nobody reads would stop the server in the end.
  transport.stderr?.on('data', linesTo(log))
  return transport
}

const lineCharactersMax = 4_096

/** Takes pieces of text and passes lines on; a line without an end is passed on in pieces. */
export function linesTo(log: (line: string) => void): (piece: Uint8Array) => void {
  const decoder = new TextDecoder()
  let rest = ''
  return (piece) => {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
    rest = lines.pop() as string
    if (rest.length > lineCharactersMax) lines.push(rest.slice(0, lineCharactersMax))
    if (rest.length > lineCharactersMax) rest = ''
    for (const line of lines) log(line.slice(0, lineCharactersMax).trimEnd())
  }
}

/** Answers a request with an error when its response stream ends without an answer, which else only time would tell. */
class HttpTransport extends StreamableHTTPClientTransport {
  constructor(url: string, headers: Readonly<Record<string, string>>, session: SessionRef | undefined) {
    super(new URL(url), {
      requestInit: { headers: { ...headers } },
      fetch: boundedFetch,
      ...(session === undefined ? {} : { sessionId: session.id }),
      ...(session?.version === undefined ? {} : { protocolVersion: session.version }),
    })
  }

  override async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    const id = 'method' in message && 'id' in message ? message.id : undefined
    if (id === undefined) return super.send(message, options)
    const error = { code: connectionLost, message: 'The connection was lost before an answer came.' }
    const onRequestStreamEnd = () => {
      options?.onRequestStreamEnd?.()
      // Where an answer has come, nobody waits for this one any more.
      this.onmessage?.({ jsonrpc: '2.0', id, error })
    }
    return super.send(message, { ...options, onRequestStreamEnd })
  }
}

/** Of the range that JSON-RPC leaves to implementations. */
const connectionLost = -32000

async function boundedFetch(url: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init)
  const { body, status, statusText, headers } = response
  if (body === null) return response
  const isStream = headers.get('content-type')?.startsWith('text/event-stream') === true
  return new Response(body.pipeThrough(bounded(isStream)), { status, statusText, headers })
}

/** Breaks off what is too long: all of it or, of a stream of events, one event, which a blank line ends. */
function bounded(isStream: boolean): TransformStream<Uint8Array, Uint8Array> {
  let size = 0
  let isBlank = true
  const count = (byte: number) => {
    size += 1
    if (byte === lineFeed && isBlank) size = 0
    isBlank = byte === lineFeed || (isBlank && byte === carriageReturn)
  }
  return new TransformStream({
    transform(chunk, controller) {
      if (isStream) for (const byte of chunk) count(byte)
      else size += chunk.length
      if (size > messageBytesMax) controller.error(new Error(`The answer has more than ${messageBytesMax} bytes.`))
      else controller.enqueue(chunk)
    },
  })
}

const [lineFeed, carriageReturn] = [10, 13]
