import type { ToolContext } from '../agent/tool.ts'
import type { Clock } from '../base/clock.ts'
import { AetherisError, toErrorData } from '../base/error.ts'
import { type Json, toJson } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { type ModelUsage, modelUsageSchema, type Spending, spent } from '../event/spending.ts'
import { type AttemptResult, failureOf, type Performance } from './performance.ts'

/**
 * One attempt of one effect, from its begin to its result.
 *
 * A1 It has one result; what it gives after that is told apart, as late.
 * A2 `stop` asks it to end and waits for what it says; `drop` waits no more.
 */

export interface AttemptHost {
  readonly clock: Clock
  /** The attempt says how far it is. `isKept`: it is time to keep that. */
  progressed(attempt: Attempt, data: Json, isKept: boolean): void
  /** It has made a piece of text, which begins at `offset` of all that it made. */
  emitted(attempt: Attempt, offset: number, text: string): void
  /** It goes on elsewhere. Resolves when that is durable. */
  submitted(attempt: Attempt, task: Json): Promise<void>
  /** What it threw, as it is: the history keeps less of it. */
  threw(attempt: Attempt, error: unknown): void
  /** It came back after all, when its result was given already. */
  late(attempt: Attempt, result: AttemptResult): void
}

export type AttemptContext = Pick<
  ToolContext,
  'jobId' | 'effect' | 'attempt' | 'idempotencyKey' | 'lastProgress' | 'approval'
>

/** What an attempt begins with. */
export interface AttemptStart {
  context: AttemptContext
  /** Where the call was submitted by an attempt before: what to ask about. */
  task: Json | undefined
}

/** How often the progress of an attempt is kept, at most. */
const keepEveryMs = 1_000

export class Attempt {
  private readonly performance: Performance
  private readonly start: AttemptStart
  private readonly host: AttemptHost
  private readonly abort = new AbortController()
  /** Gives the result. Until it runs there is nobody to give it to. */
  private end: (result: AttemptResult) => void = () => {}
  private spending: Spending = {}
  private made = ''
  private hasResult = false
  private keptAt = Number.NEGATIVE_INFINITY
  private unkept: Json | undefined
  private beat = () => {}

  constructor(performance: Performance, start: AttemptStart, host: AttemptHost) {
    this.performance = performance
    this.start = start
    this.host = host
  }

  get effect(): string {
    return this.start.context.effect
  }

  get number(): number {
    return this.start.context.attempt
  }

  /** What it has charged so far. */
  get spent(): Spending {
    return this.spending
  }

  /** The text that it has made so far. */
  get text(): string {
    return this.made
  }

  /** What it reported last, where that was not kept. */
  get lastProgress(): Json | undefined {
    return this.unkept
  }

  /** Whether it was asked to end. */
  get isStopped(): boolean {
    return this.abort.signal.aborted
  }

  /** Runs until it ends, runs out of time or is dropped. Never rejects. */
  run(): Promise<AttemptResult> {
    return new Promise((resolve) => {
      const clear = this.watchTime()
      this.end = (result) => {
        clear()
        this.hasResult = true
        resolve(result)
      }
      void this.perform().then((result) => {
        if (!this.hasResult) this.end(result)
        else if (result.type !== 'stopped') this.host.late(this, result)
      })
    })
  }

  /** Asks the tool to end. */
  stop(reason: unknown): void {
    this.abort.abort(reason)
  }

  /** Nobody waits for it any more. */
  drop(reason: unknown): void {
    this.end({ type: 'dropped' })
    this.abort.abort(reason)
  }

  private async perform(): Promise<AttemptResult> {
    const { abort } = this
    try {
      await undefined // a tool that throws at once, and one that never gives way, are as good as others
      const { context, task } = this.start
      const { jobId, effect, attempt, idempotencyKey, lastProgress, approval } = context
      const given: ToolContext = {
        jobId,
        effect,
        attempt,
        idempotencyKey,
        lastProgress,
        approval,
        // Most tools never look at it, and it is much of what an attempt costs.
        get abortSignal() {
          return abort.signal
        },
        progress: (data) => this.progress(data),
        emit: (text) => this.emit(text),
        charge: (charged) => this.charge(charged),
        submitted: (made) => this.submitted(made),
      }
      return await this.performance.run(given, task)
    } catch (thrown) {
      const { aborted, reason } = abort.signal
      if (aborted && thrown === reason) return { type: 'stopped' }
      this.host.threw(this, thrown)
      return failureOf(thrown)
    }
  }

  private progress(data: Json): void {
    const json = toJson(data, `The progress of ${this.performance.name}`, 'INPUT_INVALID')
    if (this.hasResult) return
    this.beat()
    const now = this.host.clock.now()
    const isKept = now - this.keptAt >= keepEveryMs
    if (isKept) this.keptAt = now
    this.unkept = isKept ? undefined : json
    this.host.progressed(this, json, isKept)
  }

  private emit(text: string): void {
    if (this.hasResult) return
    const offset = this.made.length
    if (offset + text.length > limits.emittedCharactersMax) {
      const message = `${this.performance.name} emits more than ${limits.emittedCharactersMax} characters.`
      throw new AetherisError('LIMIT_EXCEEDED', message)
    }
    this.beat()
    this.made += text
    this.host.emitted(this, offset, text)
  }

  private charge(charged: number | ModelUsage): void {
    const isValid =
      typeof charged === 'number'
        ? Number.isSafeInteger(charged) && charged >= 0
        : modelUsageSchema.safeParse(charged).success
    if (!isValid) {
      const message = `${this.performance.name} charged ${JSON.stringify(charged)}; it has to be a whole number from 0, or the usage of a model.`
      throw new AetherisError('INPUT_INVALID', message)
    }
    if (!this.hasResult) this.spending = spent(this.spending, charged)
  }

  private async submitted(task: Json): Promise<void> {
    const { name, polls } = this.performance
    if (!polls) {
      const message = `${name} submits a task but has no \`poll\`, which asks what has become of it.`
      throw new AetherisError('AGENT_INVALID', message)
    }
    const json = toJson(task, `The task of ${name}`, 'INPUT_INVALID')
    if (this.hasResult) throw new AetherisError('COMMAND_REFUSED', `Nobody waits for this attempt of ${name} any more.`)
    await this.host.submitted(this, json)
  }

  /** Ends the attempt when it takes too long, or is silent for too long. */
  private watchTime(): () => void {
    const { name, timeoutMs, heartbeatMs } = this.performance
    const { clock } = this.host
    const fail = (message: string) => () => {
      const error = new AetherisError('TOOL_TIMEOUT', message)
      this.end({ type: 'unknown', reason: 'timeout', error: toErrorData(error) })
      this.abort.abort(error)
    }
    const clears: (() => void)[] = []
    if (timeoutMs !== undefined) {
      clears.push(clock.setTimer(fail(`${name} took longer than ${timeoutMs} ms.`), timeoutMs))
    }
    if (heartbeatMs !== undefined) {
      const hung = fail(`${name} gave no sign of life for ${heartbeatMs} ms.`)
      let clear = clock.setTimer(hung, heartbeatMs)
      this.beat = () => {
        clear()
        clear = clock.setTimer(hung, heartbeatMs)
      }
      clears.push(() => clear())
    }
    return () => {
      for (const clear of clears) clear()
    }
  }
}
