import type { z } from 'zod'
import { type Tool, type ToolContext, type ToolOptions, tool } from '../agent/tool.ts'
import { type Clock, pause, systemClock } from '../base/clock.ts'
import { isAetherisError, OutcomeUnknownError, RetryableError } from '../base/error.ts'
import { type Json, toJson } from '../base/json.ts'
import type { EffectClass } from '../event/event.ts'
import type { ExposedTools } from './expose-tools.ts'
import { type HeaderSource, Peer, type Sending } from './peer.ts'
import { errorOf, type Verdict, verdictOf } from './verdict.ts'

export interface HttpAgentOptions<I extends z.ZodType, O extends z.ZodType>
  extends Omit<ToolOptions<I, O>, 'run' | 'poll' | 'summarize' | 'origin'> {
  /** Where its calls are sent by POST; http or https. */
  url: string
  /** Sent with every request, and never recorded: keys, tokens. */
  headers?: HeaderSource
  /** What it may call through the endpoint while it works for a job. Default: nothing. */
  tools?: ExposedTools
  /** Default: that of the platform. */
  fetch?: typeof fetch
  /** Tells the pauses between questions about a task. Default: the system clock. */
  clock?: Clock
}

/**
 * Somebody's agent behind an HTTP endpoint, as a tool: docs/external-agents.md has the protocol. A request that surely
 * did nothing is a failure that may be retried; one that may have done something is an unknown outcome, so a call of class
 * `once` (the default) is not sent again by itself. An agent that remembers `Idempotency-Key`, or changes things only
 * through the endpoint under keys that it would choose again, is `idempotent`.
 *
 * @throws AetherisError AGENT_INVALID
 */
export function httpAgent<I extends z.ZodType, O extends z.ZodType>(options: HttpAgentOptions<I, O>): Tool<I, O> {
  const { url, headers, tools, fetch, clock = systemClock, ...rest } = options
  const { name, effect = 'once' } = options
  const remote = new Remote(new Peer({ name, url, headers, fetch }), { who: `Agent "${name}"`, effect, tools, clock })
  type Output = z.input<O>
  return tool({
    ...rest,
    run: async (input, context) => (await remote.run(input, context)) as Output,
    poll: async (task, input, context) => (await remote.poll(String(task), input, context)) as Output,
  })
}

/** Between two questions about a task, where the agent names no time. */
const pollMs = 2_000
const pauseMinMs = 1_000
const pauseMaxMs = 60_000
/** Questions in a row that come to nothing before it is given up: with the pauses between them, five minutes. */
const failuresMax = 8

interface RemoteOptions {
  who: string
  effect: EffectClass
  tools: ExposedTools | undefined
  clock: Clock
}

/** Calls of one agent, and the tasks that it makes of them. */
class Remote {
  private readonly peer: Peer
  private readonly options: RemoteOptions

  constructor(peer: Peer, options: RemoteOptions) {
    this.peer = peer
    this.options = options
  }

  /** Sends the call, and waits for its task where the agent makes it one. */
  async run(input: unknown, context: ToolContext): Promise<Json> {
    const verdict = await this.post(input, context)
    if (verdict.type === 'output') return verdict.output
    if (verdict.type !== 'accepted') throw errorOf(verdict, this.options.effect)
    const task = this.placeOf(verdict)
    await context.submitted(task)
    return this.outcome(task, context, verdict.retryAfterMs ?? pollMs)
  }

  /** Goes on with a call that the agent has made a task of. One that it has lost is sent again where that is allowed. */
  async poll(task: string, input: unknown, context: ToolContext): Promise<Json> {
    try {
      return await this.outcome(task, context, 0)
    } catch (error) {
      if (error instanceof LostTaskError) return this.run(input, context)
      throw error
    }
  }

  private async post(input: unknown, context: ToolContext): Promise<Verdict> {
    const { jobId, effect, attempt, idempotencyKey, abortSignal } = context
    abortSignal.throwIfAborted()
    const json = toJson(input, `The input of ${this.options.who}`, 'INPUT_INVALID')
    const calls = this.options.tools?.grant(jobId, effect)
    const body = { input: json, jobId, effect, attempt, idempotencyKey, ...(calls === undefined ? {} : { calls }) }
    return this.ask({ method: 'POST', url: this.peer.url, body, secret: calls?.token }, context)
  }

  private async ask(
    request: Pick<Sending, 'method' | 'url' | 'body' | 'secret'>,
    context: ToolContext,
  ): Promise<Verdict> {
    const { abortSignal, attempt } = context
    const exchange = await this.peer.exchange({ ...request, headers: headersOf(context), abortSignal })
    const verdict = verdictOf(this.options.who, exchange, attempt)
    if (abortSignal.aborted && verdict.type === 'unknown') throw this.calledOff(context)
    return verdict
  }

  /** Asks about a task until it has ended. */
  private async outcome(task: string, context: ToolContext, firstPauseMs: number): Promise<Json> {
    const url = this.urlOf(task)
    let failures = 0
    for (let pauseMs = firstPauseMs; ; ) {
      if (pauseMs > 0) await pause(pauseMs, this.options.clock, context.abortSignal)
      if (context.abortSignal.aborted) throw this.calledOff(context)
      const verdict = await this.ask({ method: 'GET', url }, context)
      if (verdict.type === 'output') return verdict.output
      if (verdict.type === 'failed') throw errorOf(verdict, this.options.effect)
      if (verdict.type === 'refused' && (verdict.status === 404 || verdict.status === 410)) throw this.lost(task)
      if (verdict.type === 'accepted' && verdict.progress !== undefined) context.progress(verdict.progress)
      failures = verdict.type === 'accepted' ? 0 : failures + 1
      if (verdict.type !== 'accepted' && failures > failuresMax)
        throw new OutcomeUnknownError(`${verdict.message} (asked about its task ${failures} times)`)
      const asked = 'retryAfterMs' in verdict ? verdict.retryAfterMs : undefined
      pauseMs = Math.max(asked ?? Math.min(pollMs * 2 ** failures, pauseMaxMs), pauseMinMs)
    }
  }

  /**
   * Where to ask about a task, as the history keeps it: a path, since the agent may move to another host, and without
   * what our own URL has in its query, which may be a key.
   */
  private placeOf({ task, place }: Extract<Verdict, { type: 'accepted' }>): string {
    const { origin, pathname } = this.peer.url
    if (place !== undefined && URL.canParse(place, this.peer.url)) {
      const url = new URL(place, this.peer.url)
      for (const [name, value] of this.peer.url.searchParams) url.searchParams.delete(name, value)
      // The headers that are sent along are for the agent, and for nobody whom it names.
      if (url.origin === origin) return url.pathname + url.search
    }
    if (place === undefined && task !== undefined && task !== '')
      return `${pathname.replace(/\/$/, '')}/${encodeURIComponent(task)}`
    const message = `${this.options.who} has taken the call, but gives no "task" and no Location at ${origin} to ask about it.`
    throw new OutcomeUnknownError(message)
  }

  private urlOf(place: string): URL {
    const url = new URL(this.peer.url.origin + place)
    for (const [name, value] of this.peer.url.searchParams) url.searchParams.append(name, value)
    return url
  }

  private lost(task: string): Error {
    const message = `${this.options.who} knows nothing of its task ${task} any more.`
    return this.options.effect === 'once' ? new OutcomeUnknownError(message) : new LostTaskError(message)
  }

  /** What a call gives that is under way at the agent and was called off here. */
  private calledOff({ abortSignal: { reason } }: Pick<ToolContext, 'abortSignal'>): unknown {
    // Its time is over, or the runtime closes: the runtime has made up its mind already.
    if (this.options.effect === 'read' || isAetherisError(reason)) return reason
    return new OutcomeUnknownError(`The call of ${this.options.who} was called off after it was sent.`)
  }
}

/** The next attempt finds that out again, and may send the call anew. */
class LostTaskError extends RetryableError {}

/** Ids may have characters in them that a header may not. */
function headersOf({ jobId, effect, attempt, idempotencyKey }: ToolContext): Record<string, string> {
  return {
    Accept: 'application/json',
    'Content-Type': 'application/json',
    'Idempotency-Key': encodeURI(idempotencyKey),
    'Aetheris-Job': encodeURI(jobId),
    'Aetheris-Effect': encodeURI(effect),
    'Aetheris-Attempt': String(attempt),
  }
}
