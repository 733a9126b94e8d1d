import { AetherisError, toErrorData } from '../base/error.ts'
import { isObject, type Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { type JsonBody, readJson } from './json-body.ts'

/** An agent at a URL, and one exchange with it: nothing is repeated, and no redirect followed. */

/** Headers, or what makes them for each request: a token that is renewed now and then. */
export type HeaderSource = HeadersInit | (() => HeadersInit | Promise<HeadersInit>)

export interface PeerOptions {
  name: string
  url: string
  headers?: HeaderSource | undefined
  fetch?: typeof fetch | undefined
}

export interface Sending {
  method: 'GET' | 'POST'
  url: URL
  headers: Readonly<Record<string, string>>
  body?: Json
  /** Something in the body that no error may show. */
  secret?: string | undefined
  abortSignal: AbortSignal
}

/** What came of sending a request. */
export type Exchange =
  /** `said`: what the body says of a failure, without secrets; begins with a colon, or is empty. */
  | { type: 'answer'; status: number; headers: Headers; body: JsonBody; said: string }
  /** It surely did not leave this machine. */
  | { type: 'unsent'; why: string }
  /** It may have arrived. */
  | { type: 'lost'; why: string }

export class Peer {
  readonly url: URL
  private readonly headers: HeaderSource
  private readonly send: typeof fetch

  /** @throws AetherisError AGENT_INVALID */
  constructor({ name, url, headers = {}, fetch: send = fetch }: PeerOptions) {
    this.url = parseUrl(name, url)
    this.headers = headers
    this.send = send
    if (typeof headers !== 'function' && asHeaders(headers) === undefined)
      invalid(name, 'one of its headers has a name or a value that HTTP forbids')
  }

  /** Sends a request and reads what comes back. Never throws. */
  async exchange({ method, url, headers, body, secret, abortSignal }: Sending): Promise<Exchange> {
    const all = await this.headersNow()
    if (typeof all === 'string') return { type: 'unsent', why: all }
    const secrets = [...secretsIn(all, url), ...(secret === undefined ? [] : [secret])]
    for (const [name, value] of Object.entries(headers)) all.set(name, value)
    const content = body === undefined ? {} : { body: JSON.stringify(body) }
    try {
      const init: RequestInit = { method, headers: all, redirect: 'manual', signal: abortSignal, ...content }
      const { status, headers: got, ...rest } = await open(this.send(url, init))
      return { type: 'answer', status, headers: got, ...rest, said: saidIn(rest.body, secrets) }
    } catch (error) {
      return { type: isUnsent(error) ? 'unsent' : 'lost', why: codeOf(error) }
    }
  }

  /** The headers of the user, or why there are none. */
  private async headersNow(): Promise<Headers | string> {
    try {
      const made = typeof this.headers === 'function' ? await this.headers() : this.headers
      return asHeaders(made) ?? 'the headers that were made for it are not valid'
    } catch (error) {
      return `its headers could not be made: ${toErrorData(error).message}`
    }
  }
}

async function open(sent: Promise<Response>): Promise<{ status: number; headers: Headers; body: JsonBody }> {
  const response = await sent
  const body = await readJson(response, { bytesMax: limits.answerBytesMax })
  return { status: response.status, headers: response.headers, body }
}

/** What was given is not shown in errors: keys and passwords are often in it. */
function parseUrl(name: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) return invalid(name, 'its url is no http or https URL')
  if (url.username + url.password !== '')
    return invalid(name, 'its url has a name or a password in it; give them in `headers`')
  url.hash = ''
  return url
}

function invalid(name: string, why: string): never {
  throw new AetherisError('AGENT_INVALID', `The agent ${JSON.stringify(name)} at a URL is not valid: ${why}.`)
}

function asHeaders(init: HeadersInit): Headers | undefined {
  try {
    return new Headers(init)
  } catch {
    return undefined
  }
}

/** Shorter ones are words that are found everywhere. */
const secretMin = 6

function secretsIn(headers: Headers, { searchParams }: URL): string[] {
  const words = [...headers.values()].flatMap((value) => value.split(/\s+/))
  return [...words, ...searchParams.values()].filter(({ length }) => length >= secretMin)
}

const saidMax = 500

/** What problem+json, or an answer `{ error: { message } }`, says in words. Servers that say back what they were sent exist. */
function saidIn(body: JsonBody, secrets: readonly string[]): string {
  if (!('json' in body) || !isObject(body.json)) return ''
  const { detail, title, error } = body.json
  const text = [isObject(error) ? error['message'] : error, detail, title].find((each) => typeof each === 'string')
  if (typeof text !== 'string') return ''
  const clean = secrets.reduce((left, secret) => left.replaceAll(secret, '[secret]'), text)
  return `: ${clean.length <= saidMax ? clean : `${clean.slice(0, saidMax)}…`}`
}

interface NetworkError {
  code?: unknown
  syscall?: unknown
  cause?: unknown
  /** Of each address that was tried. */
  errors?: unknown
}

/** Whether no connection was made: there is no such host, nobody listens, or its certificate is not trusted. */
function isUnsent(thrown: unknown): boolean {
  const { code, syscall, cause, errors } = (thrown ?? {}) as NetworkError
  if (cause !== undefined) return isUnsent(cause)
  if (Array.isArray(errors)) return errors.length > 0 && errors.every(isUnsent)
  return syscall === 'connect' || syscall === 'getaddrinfo' || unconnected.test(String(code))
}

const unconnected = /^(UND_ERR_CONNECT_TIMEOUT$|CERT_|ERR_TLS_CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/

function codeOf(thrown: unknown): string {
  const { code, cause } = (thrown ?? {}) as NetworkError
  if (cause !== undefined) return codeOf(cause)
  return typeof code === 'string' ? code : 'network error'
}
