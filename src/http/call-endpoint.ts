import { described } from '../agent/catalogue.ts'
import { type Clock, pause, systemClock } from '../base/clock.ts'
import type { ErrorData } from '../base/error.ts'
import type { Reason } from '../replay/why.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import { parseRequest } from './call-request.ts'
import { type CallRuntime, Calls } from './calls.ts'
import type { ExposedTools } from './expose-tools.ts'
import { comeAgain, problemResponse, refusalOf } from './refusal.ts'

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
 * The endpoint through which external agents call tools: docs/external-agents.md has the protocol. It answers whatever
 * it is sent and never rejects. Also cancels the calls, of earlier processes too, whose reason is gone.
 *
 * @throws AetherisError AGENT_UNKNOWN where the runtime was not given the agent of an unfinished call, or of the job
 * that it is for.
 */
export async function callEndpoint(options: CallEndpointOptions): Promise<Handler> {
  const { runtime, tools, onProblem = () => {}, clock = systemClock } = options
  const calls = new Calls(runtime, tools)
  await calls.resume()
  return async (request) => {
    try {
      return await respond(request, calls, tools, clock)
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) onProblem(error)
      return problemResponse(refusal)
    }
  }
}

async function respond(request: Request, calls: Calls, tools: ExposedTools, clock: Clock): Promise<Response> {
  const asked = await parseRequest(request, tools)
  const parent = await calls.parentOf(asked.caller)
  if (asked.type === 'list') return Response.json({ tools: [...tools.agent.tools.values()].map(described) })
  const { type, caller, key, waitMs } = asked
  const job =
    type === 'find'
      ? await calls.find(caller, key)
      : await calls.begin({ for: caller, key, tool: asked.tool, input: asked.input }, parent)
  await endOf(job, waitMs, clock, request.signal)
  const standing = { key, job: job.id, ...(await standingOf(job)) }
  if (standing.status !== 'pending') return Response.json(standing)
  const headers = { ...comeAgain, Location: `${tools.url}/${encodeURIComponent(key)}` }
  return Response.json(standing, { status: 202, headers })
}

/** How a call stands, for the agent that has asked for it. */
type Standing =
  | { status: 'completed'; output: unknown }
  | { status: 'failed'; error: ErrorData | undefined }
  | { status: 'cancelled' }
  /** Why it has not ended yet, in words, and who has to do something. */
  | { status: 'pending'; reasons: Pick<Reason, 'kind' | 'what' | 'owes'>[] }

async function standingOf(job: JobHandle): Promise<Standing> {
  const { status, output, error } = job.getSnapshot()
  switch (status) {
    case 'done':
      return { status: 'completed', output }
    case 'error':
      return { status: 'failed', error }
    case 'stopped':
      return { status: 'cancelled' }
    case 'active':
      return { status: 'pending', reasons: (await job.why()).map(({ kind, what, owes }) => ({ kind, what, owes })) }
  }
}

/** Resolves when the job has ended, or cannot go on here, or after `ms`, or when nobody waits any more. */
async function endOf(job: JobHandle, ms: number, clock: Clock, abortSignal: AbortSignal): Promise<void> {
  if (ms === 0 || job.getSnapshot().status !== 'active') return
  const ended = new AbortController()
  const end = () => ended.abort()
  const subscription = job.subscribe({ error: end, complete: end })
  await pause(ms, clock, AbortSignal.any([ended.signal, abortSignal]))
  subscription.unsubscribe()
}
