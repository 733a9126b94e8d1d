import { z } from 'zod'
import { described } from '../agent/catalogue.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import type { Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import { type CallRuntime, endOf, standingOf } from './call-job.ts'
import { Calls } from './calls.ts'
import { callKey, type ExposedTools } from './expose-tools.ts'
import { checkOrigin } from './guard.ts'
import { readJson } from './json-body.ts'
import { comeAgain, mismatch, problemResponse, Refusal, refusalOf } from './refusal.ts'
import type { Caller } from './tokens.ts'

export interface CallEndpointOptions {
  runtime: CallRuntime
  /** Of which `agent` was given to the runtime. */
  tools: ExposedTools
  /** Told of errors that are answered with status 500. Default: ignored. */
  onProblem?: (error: unknown) => void
  /** Ends the waiting for an outcome. Default: the system clock. */
  clock?: Clock
}

/** Of the web-standard kind, for `serve` and for any server that takes one. */
export type Handler = (request: Request) => Promise<Response>

/**
 * The endpoint through which agents elsewhere call tools: docs/external-agents.md has the protocol. It answers whatever
 * it is sent and never rejects. Also cancels the calls, of earlier processes too, whose reason is gone.
 */
export async function callEndpoint(options: CallEndpointOptions): Promise<Handler> {
  const endpoint = new CallEndpoint(options)
  await endpoint.calls.resume()
  return (request) => endpoint.answer(request)
}

const waitSecondsMax = 60
const waitSecondsDefault = '20'

const bodySchema = z.strictObject({
  key: callKey,
  tool: z.string(),
  input: z.custom<Json>((value) => value !== undefined, 'expected JSON'),
})

class CallEndpoint {
  readonly calls: Calls
  private readonly exposed: ExposedTools
  private readonly clock: Clock
  private readonly onProblem: (error: unknown) => void

  constructor({ runtime, tools, onProblem = () => {}, clock = systemClock }: CallEndpointOptions) {
    this.calls = new Calls(runtime, tools)
    this.exposed = tools
    this.clock = clock
    this.onProblem = onProblem
  }

  async answer(request: Request): Promise<Response> {
    try {
      return await this.route(request)
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) this.onProblem(error)
      return problemResponse(refusal)
    }
  }

  private async route(request: Request): Promise<Response> {
    const served = new URL(this.exposed.url)
    checkOrigin(request, served)
    const { method } = request
    const key = keyIn(new URL(request.url).pathname, served.pathname.replace(/\/$/, ''))
    const allowed = key === undefined ? ['GET', 'POST'] : ['GET']
    if (!allowed.includes(method)) {
      const details = { headers: { Allow: allowed.join(', ') } }
      throw new Refusal(405, 'REQUEST_INVALID', `Nothing is to be had here by ${method}.`, details)
    }
    const caller = this.callerOf(request)
    const parent = await this.calls.parentOf(caller)
    const waitMs = waitMsOf(request)
    if (key !== undefined) return this.report(await this.calls.find(caller, key), key, waitMs, request.signal)
    if (method === 'GET') return Response.json({ tools: [...this.exposed.agent.tools.values()].map(described) })
    const asked = await bodyOf(request)
    const job = await this.calls.begin({ for: caller, ...asked }, parent)
    return this.report(job, asked.key, waitMs, request.signal)
  }

  private callerOf({ headers }: Request): Caller {
    const token = /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
    const caller = token === undefined ? undefined : this.exposed.tokens.read(token)
    if (caller !== undefined) return caller
    const message = 'The request needs an Authorization of "Bearer" and the token that came with the call.'
    throw new Refusal(401, 'ACCESS_REFUSED', message, { headers: { 'WWW-Authenticate': 'Bearer' } })
  }

  /** How a call stands, once it has ended or the time to wait for that is over. */
  private async report(job: JobHandle, key: string, waitMs: number, abortSignal: AbortSignal): Promise<Response> {
    await endOf(job, waitMs, this.clock, abortSignal)
    const standing = { key, job: job.id, ...(await standingOf(job)) }
    if (standing.status !== 'pending') return Response.json(standing)
    const headers = { ...comeAgain, Location: `${this.exposed.url}/${encodeURIComponent(key)}` }
    return Response.json(standing, { status: 202, headers })
  }
}

/** What stands below the address of the endpoint: a key, or nothing. @throws Refusal */
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

/** @throws Refusal */
function waitMsOf({ url }: Request): number {
  const wait = new URL(url).searchParams.get('wait') ?? waitSecondsDefault
  if (/^\d{1,2}$/.test(wait) && Number(wait) <= waitSecondsMax) return Number(wait) * 1_000
  const message = `wait is a whole number of seconds from 0 to ${waitSecondsMax}.`
  throw new Refusal(400, 'REQUEST_INVALID', message)
}

/** @throws Refusal */
async function bodyOf(request: Request): Promise<z.output<typeof bodySchema>> {
  const body = await readJson(request, { bytesMax: limits.requestBytesMax, depthMax: limits.callDepthMax })
  if (!('json' in body)) {
    const code = body.problem === 'size' ? 'LIMIT_EXCEEDED' : 'REQUEST_INVALID'
    throw new Refusal(statuses[body.problem], code, `The body of the request ${body.why}.`)
  }
  const parsed = bodySchema.safeParse(body.json)
  if (!parsed.success) throw mismatch('The body of the request', parsed.error)
  return parsed.data
}

const statuses = { type: 415, size: 413, json: 400, lost: 400 }
