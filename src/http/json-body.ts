import { isAetherisError } from '../base/error.ts'
import { type Json, jsonLimits, toJson } from '../base/json.ts'

/** Bodies of HTTP messages, as JSON and with bounds. Nobody who sends one is trusted. */

export type JsonBody =
  | { json: Json }
  | {
      problem: 'type' | 'size' | 'json' | 'lost' /** The end of a sentence that begins with what it is about. */
      why: string
    }

/** Reads a body as it comes and stops at the bound. A damaged one is told, never thrown. */
export async function readJson(
  { headers, body }: Pick<Request, 'headers' | 'body'>,
  { bytesMax, depthMax = jsonLimits.depthMax }: { bytesMax: number; depthMax?: number },
): Promise<JsonBody> {
  if (!jsonType.test(headers.get('content-type') ?? '')) {
    await body?.cancel().catch(() => {})
    return { problem: 'type', why: 'has no content type application/json' }
  }
  try {
    const bytes = await readBytes(body, bytesMax)
    if (bytes === undefined) return { problem: 'size', why: `is larger than ${bytesMax} bytes` }
    return parsed(bytes, depthMax)
  } catch {
    return { problem: 'lost', why: 'broke off' }
  }
}

const jsonType = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i

async function readBytes(body: ReadableStream<Uint8Array> | null, bytesMax: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  // Leaving the loop early cancels the stream.
  for await (const chunk of body ?? []) {
    size += chunk.byteLength
    if (size > bytesMax) return undefined
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}

function parsed(bytes: Uint8Array, depthMax: number): JsonBody {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return { problem: 'json', why: 'is no JSON' }
  }
  try {
    return { json: toJson(value, 'The body', 'INPUT_INVALID', { ...jsonLimits, depthMax }) }
  } catch (error) {
    if (!isAetherisError(error)) throw error
    const isSize = error.code === 'LIMIT_EXCEEDED'
    return { problem: isSize ? 'size' : 'json', why: error.message.replace(/^The body /, '').replace(/\.$/, '') }
  }
}
