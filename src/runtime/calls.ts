import type { Clock } from '../base/clock.ts'
import { type AetherisError, toErrorData } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import { canReconcile, type Effect } from '../replay/effect.ts'
import type { Slots } from '../scheduler/slots.ts'
import { Attempt, type AttemptHost } from './attempt.ts'
import type { Input, Progress, Reconciliation } from './input.ts'
import type { AttemptResult, Performance } from './performance.ts'
import type { TextPiece } from './stream.ts'

/**
 * The calls of one job that are under way in this process: attempts, and questions how an attempt had ended.
 *
 * C1 Every attempt holds a slot from its begin to its result.
 */

export interface CallsHost {
  readonly jobId: string
  readonly clock: Clock
  readonly effectSlots: Slots
  performance(effect: Effect): Performance
  /** Something has come of a call. Also called for what comes late, after the job was parked. */
  tell(input: Input): void
  progressed(effect: string, progress: Json): void
  emitted(piece: TextPiece): void
  threw(effect: string, attempt: number, error: unknown): void
}

export class Calls {
  private readonly host: CallsHost
  private readonly attemptHost: AttemptHost
  private readonly attempts = new Map<string, Attempt>()
  private readonly questions = new Map<string, AbortController>()

  constructor(host: CallsHost) {
    this.host = host
    this.attemptHost = {
      clock: host.clock,
      progressed: ({ effect, number: attempt }, progress, isKept) =>
        this.progressed({ effect, attempt, progress }, isKept),
      emitted: ({ effect, number: attempt }, offset, text) => host.emitted({ effect, attempt, offset, text }),
      submitted: ({ effect, number: attempt }, task) => this.submitted({ effect, attempt, task }),
      threw: ({ effect, number: attempt }, error) => host.threw(effect, attempt, error),
      late: (attempt, result) => this.tell(attempt, result),
    }
  }

  get areUnderWay(): boolean {
    return this.attempts.size > 0 || this.questions.size > 0
  }

  get attemptsUnderWay(): number {
    return this.attempts.size
  }

  /** What the attempts under way have made so far. */
  get texts(): TextPiece[] {
    return [...this.attempts].flatMap(([effect, { number: attempt, text }]) =>
      text === '' ? [] : [{ effect, attempt, offset: 0, text }],
    )
  }

  isAsking(effect: string): boolean {
    return this.questions.has(effect)
  }

  /** Makes the attempt that was just recorded. Its slot was taken before. */
  perform(effect: Effect): void {
    const { id, progress, approval, task } = effect
    const { jobId, attempt: number, idempotencyKey } = this.contextOf(effect)
    const context = {
      jobId,
      effect: id,
      attempt: number,
      idempotencyKey,
      lastProgress: progress,
      approval: approval?.option === undefined ? undefined : { option: approval.option, by: approval.by },
    }
    const attempt = new Attempt(this.host.performance(effect), { context, task }, this.attemptHost)
    this.attempts.set(id, attempt)
    void attempt.run().then((result) => {
      if (this.attempts.get(id) === attempt) this.attempts.delete(id)
      this.host.effectSlots.release()
      if (result.type !== 'dropped') this.tell(attempt, result)
    })
  }

  /** Asks the tool of a call whose outcome was lost how it ended. */
  ask(effect: Effect): void {
    const abort = new AbortController()
    const { id, attempt } = effect
    const { reconcile } = this.host.performance(effect)
    this.questions.set(id, abort)
    void answerOf(reconcile, { ...this.contextOf(effect), abortSignal: abort.signal }).then((answer) => {
      if (!abort.signal.aborted) this.host.tell({ type: 'reconciled', effect: id, attempt, answer })
    })
  }

  /**
   * Drops the attempts and questions whose effects are gone, and asks those to end that belong to what is ending. A
   * question that is answered stays until its answer is in the history, so that it is not asked twice.
   */
  callOff(effects: ReadonlyMap<string, Effect>): void {
    for (const [id, abort] of this.questions) {
      const effect = effects.get(id)
      if (effect !== undefined && canReconcile(effect)) continue
      this.questions.delete(id)
      abort.abort(new Error('It is known by now how the call ended.'))
    }
    for (const [id, attempt] of this.attempts) {
      const effect = effects.get(id)
      if (effect?.status !== 'started') {
        this.attempts.delete(id)
        attempt.drop(new Error('The job no longer wants this call.'))
      } else if (effect.isHalted && !attempt.isStopped) {
        attempt.stop(new Error('The job is ending.'))
      }
    }
  }

  dropAll(reason: unknown): void {
    for (const attempt of this.attempts.values()) attempt.drop(reason)
    for (const abort of this.questions.values()) abort.abort(reason)
  }

  /** The key is the same for every attempt, whoever makes it. */
  private contextOf({ id, attempt }: Effect) {
    const { jobId } = this.host
    return { jobId, effect: id, attempt, idempotencyKey: `${jobId}/${id}` }
  }

  private tell({ effect, number: attempt, spent, lastProgress: progress }: Attempt, result: AttemptResult): void {
    this.host.tell({ type: 'outcome', effect, attempt, result, spent, progress })
  }

  private submitted(made: { effect: string; attempt: number; task: Json }): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error?: AetherisError) => (error === undefined ? resolve() : reject(error))
      this.host.tell({ type: 'submitted', ...made, done })
    })
  }

  private progressed(progress: Progress, isKept: boolean): void {
    this.host.progressed(progress.effect, progress.progress)
    if (isKept) this.host.tell({ type: 'progress', ...progress })
  }
}

/** What a tool says how a call ended; one that throws does not know. */
async function answerOf(
  reconcile: Performance['reconcile'],
  context: Parameters<NonNullable<Performance['reconcile']>>[0],
): Promise<Reconciliation> {
  try {
    const answer = await reconcile?.(context)
    switch (answer?.status) {
      case 'completed':
        return { answer: 'completed', output: answer.output }
      case 'failed':
        return { answer: 'failed', error: { name: 'Error', message: answer.message } }
      case 'absent':
        return { answer: 'absent' }
      default:
        return { answer: 'unknown' }
    }
  } catch (error) {
    return { answer: 'unknown', error: toErrorData(error) }
  }
}
