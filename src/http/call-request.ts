import type { z } from 'zod'
import type { Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { callKey, callSchema, type ExposedTools } from './expose-tools.ts'
import { readJson } from './json-body.ts'
import { mismatch, Refusal } from './refusal.ts'
import type { Caller } from './tokens.ts'

/** What somebody who has a valid token asks of the endpoint for calls. */
export type CallRequest = { caller: Caller } & (
  | { type: 'list' }
  | { type: 'find'; key: string; waitMs: number }
  | { type: 'begin'; key: string; tool: string; input: Json; waitMs: number }
)

const waitSecondsMax = 60
const waitSecondsDefault = '20'

const bodySchema = callSchema.omit({ for: true })

/** @throws Refusal */
export async function parseRequest(request: Request, { url, tokens }: ExposedTools): Promise<CallRequest> {
  const served = new URL(url)
  checkOrigin(request, served)
  const key = keyIn(new URL(request.url).pathname, served.pathname.replace(/\/$/, ''))
  checkMethod(request, key === undefined ? ['GET', 'POST'] : ['GET'])
  const caller = tokens.read(/^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? '')
  if (caller === undefined) {
    const message = 'The request needs an Authorization of "Bearer" and the token that came with the call.'
    throw new Refusal(401, 'ACCESS_REFUSED', message, { headers: { 'WWW-Authenticate': 'Bearer' } })
  }
  const waitMs = waitMsOf(request)
  if (key !== undefined) return { type: 'find', caller, key, waitMs }
  if (request.method === 'GET') return { type: 'list', caller }
  return { type: 'begin', caller, ...(await bodyOf(request)), waitMs }
}

/**
 * Refuses what comes from a browser: a page of somebody else that was led to this machine under another name (DNS
 * rebinding), or that sends to it from its own.
 */
function checkOrigin({ headers, url }: Request, served: URL): void {
  const host = headers.get('host') ?? new URL(url).host
  if (host !== served.host && !loopback.test(host))
    throw new Refusal(403, 'ACCESS_REFUSED', 'The Host of the request is neither this one nor the loopback.')
  const origin = headers.get('origin')
  if (origin !== null && origin !== served.origin)
    throw new Refusal(403, 'ACCESS_REFUSED', 'Pages of other origins may not call here.')
}

const loopback = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/

/** What stands below the address of the endpoint: a key, or nothing. */
function keyIn(path: string, base: string): string | undefined {
  const rest = path.startsWith(base) ? path.slice(base.length) : undefined
  if (rest === '' || rest === '/') return undefined
  const key = callKey.safeParse(decoded(rest?.slice(1)))
  if (rest?.startsWith('/') && key.success) return key.data
  throw new Refusal(404, 'REQUEST_INVALID', `Nothing is to be had here; calls are at ${base || '/'} and below it.`)
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text && decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function checkMethod({ method }: Request, allowed: readonly string[]): void {
  if (allowed.includes(method)) return
  const details = { headers: { Allow: allowed.join(', ') } }
  throw new Refusal(405, 'REQUEST_INVALID', `Nothing is to be had here by ${method}.`, details)
}

function waitMsOf({ url }: Request): number {
  const wait = new URL(url).searchParams.get('wait') ?? waitSecondsDefault
  if (/^\d{1,2}$/.test(wait) && Number(wait) <= waitSecondsMax) return Number(wait) * 1_000
  throw new Refusal(400, 'REQUEST_INVALID', `wait is a whole number of seconds from 0 to ${waitSecondsMax}.`)
}

async function bodyOf(request: Request): Promise<z.output<typeof bodySchema>> {
  const body = await readJson(request, { bytesMax: limits.requestBytesMax, depthMax: limits.callDepthMax })
  if (!('json' in body)) {
    const code = body.problem === 'size' ? 'LIMIT_EXCEEDED' : 'REQUEST_INVALID'
    throw new Refusal(bodyStatuses[body.problem], code, `The body of the request ${body.why}.`)
  }
  const parsed = bodySchema.safeParse(body.json)
  if (!parsed.success) throw mismatch('The body of the request', parsed.error)
  return parsed.data
}

const bodyStatuses = { type: 415, size: 413, json: 400, lost: 400 }
