import type { z } from 'zod'
import type { AnyAgent, OutputOf } from '../agent/agent.ts'
import type { AnySignal, Signal } from '../agent/signal.ts'
import { signalsTaken } from '../agent/signals-taken.ts'
import { AetherisError, fromErrorData } from '../base/error.ts'
import { sha256 } from '../base/hash.ts'
import type { Json } from '../base/json.ts'
import { optionsOf, type Verdict } from '../event/approval.ts'
import type { Budget } from '../event/budget.ts'
import type { CommandBody, CommandKind } from '../event/command.ts'
import type { JobEvent } from '../event/event.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import { type Reason, why } from '../replay/why.ts'
import { schemaError } from './admission.ts'
import type { Channel, JobObserver } from './channel.ts'
import { pendingOf } from './commands.ts'
import { Place, type StreamOptions, type StreamPart, type TextPiece } from './stream.ts'

export interface SendOptions {
  /** Sending with an id again has no second effect. Default: a new id. */
  id?: string
}

/** Who asks for something, and why; kept in the event. */
export interface Who {
  by?: string
  reason?: string
}

/** Who decides something, for which somebody has to answer. */
export interface Decider extends Who {
  by: string
}

export interface Answer extends Decider {
  /** One of the options of the approval. Default `approve` or `deny`. */
  option?: string
  /** Of what was shown: the answer is refused where something else is asked by now. */
  digest?: string
}

export interface EventsOptions {
  /** First seq. Default 0. */
  from?: number
  /** Go on with new events as they become durable, until the job ends. Default false. */
  follow?: boolean
}

/** What a handle needs from its runtime. */
export interface HandleHost {
  signal(
    jobId: string,
    agent: AnyAgent,
    signal: AnySignal | string,
    payload: unknown,
    options: SendOptions,
  ): Promise<void>
  command<K extends CommandKind>(handle: JobHandle, kind: K, body: CommandBody<K>, id?: string): Promise<void>
  read(jobId: string, from: number): AsyncIterable<JobEvent[]>
  unread(jobId: string): Promise<number>
  textsOf(jobId: string): readonly TextPiece[]
  readonly closed: boolean
}

/**
 * A job, by its id. Holds no lock and costs nothing while unused; two handles of a job are equal.
 *
 * Has the shape that XState's `waitFor` and `toPromise` ask of an actor.
 */
export class JobHandle<A extends AnyAgent = AnyAgent> {
  readonly id: string
  readonly agent: A
  private readonly host: HandleHost
  private readonly channel: Channel

  /** @internal */
  constructor(host: HandleHost, agent: A, channel: Channel) {
    this.id = channel.jobId
    this.agent = agent
    this.host = host
    this.channel = channel
  }

  /** The last state of the job that is durable. */
  getSnapshot(): JobSnapshot<OutputOf<A>> {
    return this.channel.snapshot as JobSnapshot<OutputOf<A>>
  }

  /** Calls back after each durable step. `complete` comes when the job has completed, `error` when it failed or was cancelled; at once where it has ended already. */
  subscribe(observer: JobObserver<OutputOf<A>> | ((snapshot: JobSnapshot<OutputOf<A>>) => void)): {
    unsubscribe(): void
  } {
    const full = typeof observer === 'function' ? { next: observer } : observer
    return { unsubscribe: this.channel.subscribe(full as JobObserver) }
  }

  /**
   * Resolves with the first snapshot for which `predicate` holds.
   * @throws AetherisError JOB_SETTLED when the job ended without; RUNTIME_CLOSED; or why the job cannot go on here.
   */
  async waitFor(predicate: (snapshot: JobSnapshot<OutputOf<A>>) => boolean): Promise<JobSnapshot<OutputOf<A>>> {
    for (;;) {
      const snapshot = this.getSnapshot()
      if (predicate(snapshot)) return snapshot
      if (snapshot.status !== 'active') {
        throw new AetherisError(
          'JOB_SETTLED',
          `Job "${this.id}" is ${JSON.stringify(snapshot.value)} and never reached the state that was waited for.`,
          { jobId: this.id },
        )
      }
      if (this.host.closed)
        throw new AetherisError(
          'RUNTIME_CLOSED',
          `The runtime was closed while job "${this.id}" went on; open it again to wait on.`,
        )
      if (this.channel.problem !== undefined) throw this.channel.problem
      await this.channel.next()
    }
  }

  /**
   * What the job results in, once it has.
   * @throws AetherisError JOB_FAILED (with the failure as `cause`), JOB_CANCELLED, OUTPUT_INVALID, RUNTIME_CLOSED.
   */
  async result(): Promise<OutputOf<A>> {
    const end = await this.waitFor(({ status }) => status !== 'active')
    if (end.status === 'stopped')
      throw new AetherisError('JOB_CANCELLED', `Job "${this.id}" was cancelled.`, { jobId: this.id })
    if (end.error !== undefined) {
      throw new AetherisError('JOB_FAILED', `Job "${this.id}" failed: ${end.error.message}`, {
        jobId: this.id,
        cause: fromErrorData(end.error),
      })
    }
    const output = this.agent.output.safeParse(end.output)
    if (output.success) return output.data
    throw schemaError('OUTPUT_INVALID', `The output of job "${this.id}", for agent "${this.agent.name}",`, output.error)
  }

  /**
   * Sends a signal. Resolves when it is durable; the job takes it when it gets to it, once.
   * @throws AetherisError SIGNAL_UNKNOWN, SIGNAL_INVALID, JOB_SETTLED, JOB_NOT_FOUND.
   */
  signal<P extends z.ZodType>(signal: Signal<P>, payload: z.input<P>, options?: SendOptions): Promise<void>
  signal(name: string, payload: unknown, options?: SendOptions): Promise<void>
  signal(signal: AnySignal | string, payload: unknown, options: SendOptions = {}): Promise<void> {
    return this.host.signal(this.id, this.agent, signal, payload, options)
  }

  /** Lets what is under way finish and starts nothing new. @throws AetherisError JOB_SETTLED */
  pause(who: Who = {}): Promise<void> {
    return this.give('pause', who)
  }

  /** Goes on after a pause, or over a limit that `budget` raises. @throws AetherisError JOB_SETTLED */
  resume(options: Who & { budget?: Budget } = {}): Promise<void> {
    return this.give('resume', options)
  }

  /**
   * Ends the job properly: calls under way get their AbortSignal and `graceMs` milliseconds (default: the agent's) to
   * end, a hand-written machine gets the event `job.cancel`, and what was done is undone where that is declared.
   * @throws AetherisError JOB_SETTLED
   */
  cancel(options: Who & { graceMs?: number } = {}): Promise<void> {
    return this.give('cancel', options)
  }

  /** Ends the job where it is: nothing is waited for, and nothing undone. @throws AetherisError JOB_SETTLED */
  terminate(who: Who = {}): Promise<void> {
    return this.give('terminate', who)
  }

  /** Runs a node that has failed again, and what comes after it; also of a job that failed because of it.
   * @throws AetherisError COMMAND_REFUSED, JOB_SETTLED */
  retry(node: string, who: Who = {}): Promise<void> {
    return this.give('retry', { node, ...who })
  }

  /** Runs a node that has settled again, and what comes after it. @throws AetherisError COMMAND_REFUSED, JOB_SETTLED */
  restart(node: string, who: Who = {}): Promise<void> {
    return this.give('restart', { node, ...who })
  }

  /** Asks the planner for another plan, while the job goes on with this one. @throws AetherisError COMMAND_REFUSED */
  revise(who: Who = {}): Promise<void> {
    return this.give('revise', who)
  }

  /** Agrees to the call of a node, or of an effect such as `read/17`. @throws AetherisError COMMAND_REFUSED */
  approve(effect: string, answer: Answer): Promise<void> {
    return this.decide(effect, answer, 'approve')
  }

  /** Refuses the call of a node or an effect, which fails by that. @throws AetherisError COMMAND_REFUSED */
  deny(effect: string, answer: Answer): Promise<void> {
    return this.decide(effect, answer, 'deny')
  }

  private async decide(effect: string, answer: Answer, verdict: Verdict): Promise<void> {
    const pending = pendingOf(effect, this.getSnapshot())
    const { option = verdict, by } = answer
    const means = pending?.approval && optionsOf(pending.approval.policy)[option]
    if (means !== undefined && means !== verdict) {
      const message = `The option "${option}" of "${effect}" means to ${means}, not to ${verdict}.`
      throw new AetherisError('COMMAND_REFUSED', message, { jobId: this.id })
    }
    const about = `${pending?.effect ?? effect} ${pending?.approval?.digest}`
    return this.give('decide', { ...answer, effect, option }, `decide:${sha256(`${about} ${option} ${by}`)}`)
  }

  /**
   * Says how a `once` call ended whose outcome is unknown: with an output, with a failure, or not at all, so that it is
   * made again. @throws AetherisError COMMAND_REFUSED
   */
  resolve(
    effect: string,
    as: { completed: unknown } | { failed: string } | 'again',
    decider: Decider & { reason: string },
  ): Promise<void> {
    const pending = pendingOf(effect, this.getSnapshot())
    const said =
      as === 'again'
        ? { type: 'again' as const }
        : 'failed' in as
          ? { type: 'failed' as const, message: as.failed }
          : { type: 'completed' as const, output: as.completed as Json }
    const id = `resolve:${sha256(`${pending?.effect ?? effect} ${pending?.attempt} ${said.type}`)}`
    return this.give('resolve', { effect, as: said, ...decider }, id)
  }

  private give<K extends CommandKind>(kind: K, body: CommandBody<K>, id?: string): Promise<void> {
    return this.host.command(this as unknown as JobHandle, kind, body, id)
  }

  /** Why the job does not move right now: what it waits for, who owes that, since when, and what would move it on. */
  async why(): Promise<Reason[]> {
    const unread = await this.host.unread(this.id)
    const job = this.getSnapshot()
    return why(job, { unread, isOwned: true, takes: signalsTaken(this.agent, job.value) })
  }

  /** The history, verified as it is read. @throws AetherisError STORE_CORRUPT; with `follow`, why the job cannot go on here. */
  async *events({ from = 0, follow = false }: EventsOptions = {}): AsyncGenerator<JobEvent, void, void> {
    for (let next = from; ; ) {
      // Asked before reading, so that what is published while reading wakes the loop.
      const more = follow ? this.channel.next() : undefined
      const ended = this.getSnapshot().status !== 'active'
      for await (const chunk of this.host.read(this.id, next)) {
        yield* chunk
        next += chunk.length
      }
      if (more === undefined || ended || this.host.closed) return
      await more
      if (this.channel.problem !== undefined && !this.host.closed) throw this.channel.problem
    }
  }

  /**
   * The events of the job as they become durable, and between them the text and the progress of its attempts as they
   * come, until the job ends. Only events are kept: whoever comes again goes on, with `after`, where they were.
   * @throws AetherisError INPUT_INVALID; STORE_CORRUPT; why the job cannot go on here.
   */
  async *stream({ after }: StreamOptions = {}): AsyncGenerator<StreamPart, void, void> {
    const place = Place.after(after)
    const watch = this.channel.watch(this.host.textsOf(this.id))
    try {
      for (;;) {
        const { seq, status } = this.getSnapshot()
        for (const piece of watch.take()) {
          yield* this.eventsUpTo(piece.seq, place)
          const part = place.piece(piece)
          if (part !== undefined) yield part
        }
        yield* this.eventsUpTo(seq, place)
        if (status !== 'active' || this.host.closed) return
        if (this.channel.problem !== undefined) throw this.channel.problem
        await watch.next()
      }
    } finally {
      this.channel.unwatch(watch)
    }
  }

  /** What is read may be ahead of what is published, and of the pieces that were made before it. */
  private async *eventsUpTo(seq: number, place: Place): AsyncGenerator<StreamPart, void, void> {
    if (place.seq >= seq) return
    for await (const chunk of this.host.read(this.id, place.seq)) {
      for (const event of chunk) {
        if (event.seq >= seq) return
        yield place.event(event)
      }
    }
  }
}
