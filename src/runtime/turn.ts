import type { AnyAgent } from '../agent/agent.ts'
import { attemptsOf, retryDelayMs } from '../agent/retry.ts'
import type { Clock } from '../base/clock.ts'
import { AetherisError, toErrorData } from '../base/error.ts'
import { digest, firstDifference, type Json } from '../base/json.ts'
import { newId, type Random } from '../base/random.ts'
import type { Command } from '../event/command.ts'
import type { EventBody, NewEvent } from '../event/event.ts'
import type { Spending } from '../event/spending.ts'
import { canReconcile, type Effect, isRunnable } from '../replay/effect.ts'
import type { Execution } from '../replay/execution.ts'
import { JobSnapshot } from '../replay/job-snapshot.ts'
import type { Orphan } from '../replay/orphans.ts'
import type { InboxMessage } from '../store/store.ts'
import { overBudget } from './budget.ts'
import { type Decision, decide, fitting } from './commands.ts'
import type { Input, Progress } from './input.ts'
import type { AttemptResult, Performance } from './performance.ts'

/**
 * One turn of a runner: turns what has come in into events, then decides what is begun. Nothing is performed and
 * nothing is written here; the runner does both with what the turn has collected.
 */

export interface TurnHost {
  readonly jobId: string
  readonly agent: AnyAgent
  readonly execution: Execution
  readonly epoch: number
  readonly clock: Clock
  readonly random: Random
  performance(effect: Effect): Performance
  takeSlot(): boolean
  isAsking(effect: string): boolean
}

type Rejection = Extract<AttemptResult, { type: 'rejected' }>

/** Of an answer that is no plan, what the history keeps: enough to see what is wrong with it. */
const answerKept = 16_000
const issuesKept = 20

export class Turn {
  readonly events: NewEvent[] = []
  /** Messages that these events have used up. */
  readonly acks: string[] = []
  /** Jobs that are let go of, beside those that the execution lets go of. */
  readonly orphans: Orphan[] = []
  /** Attempts to be made once the events are durable. */
  readonly perform: Effect[] = []
  /** Tools to be asked how a call had ended. */
  readonly ask: Effect[] = []
  /** Called when the events are durable, or with why they are not. */
  readonly done: ((error?: AetherisError) => void)[] = []
  /** Effects that could begin if there were slots for them. */
  wanted = 0
  private readonly host: TurnHost
  private readonly execution: Execution

  constructor(host: TurnHost) {
    this.host = host
    this.execution = host.execution
  }

  get isEmpty(): boolean {
    return this.events.length + this.acks.length + this.orphans.length === 0
  }

  take(input: Input): void {
    if (input.type === 'outcome') this.takeOutcome(input)
    if (input.type === 'command') this.takeCommand(input)
    if (input.type === 'submitted') this.takeSubmitted(input)
    if (this.execution.isEnded) return
    if (input.type === 'reconciled') this.takeReconciled(input)
    if (input.type === 'progress') this.takeProgress(input)
    if (input.type === 'timers') this.takeTimers()
    if (input.type === 'recovered') this.record({ type: 'job.recovered', data: { epoch: this.host.epoch } }, null)
  }

  private takeOutcome({ effect: id, attempt, result, spent, progress }: Extract<Input, { type: 'outcome' }>): void {
    const effect = this.execution.effects.get(id)
    if (effect !== undefined && effect.attempt === attempt && effect.status === 'started') {
      // It is of use only where another attempt may follow.
      if (progress !== undefined && result.type !== 'done') this.takeProgress({ effect: id, attempt, progress })
      // This attempt has done nothing, but one before may have.
      if (result.type === 'stopped' && effect.isUncertain)
        this.record({ type: 'node.outcome_unknown', data: { effect: id, attempt, reason: 'cancelled' } }, effect.cause)
      if (result.type === 'rejected') this.reject(effect, result, spent)
      else this.record(this.outcomeOf(effect, result, spent), effect.cause)
      return
    }
    if (result.type === 'stopped' || result.type === 'dropped') return
    if (result.type === 'spawned') return this.letGo(id, result)
    const value = (result.type === 'done' ? result.output : 'error' in result ? { ...result.error } : null) as Json
    this.record({ type: 'node.late_result', data: { effect: id, attempt, ok: result.type === 'done', value } }, null)
  }

  /** A child that came to be after the wish for it was gone: it was not there yet when it was told so. */
  private letGo(effect: string, { onParentEnd }: Extract<AttemptResult, { type: 'spawned' }>): void {
    if (onParentEnd !== 'abandon') this.orphans.push({ effect, command: onParentEnd })
  }

  /** What an attempt's result means for the job: its outcome, another attempt, or a question for somebody. */
  private outcomeOf(effect: Effect, result: Exclude<AttemptResult, Rejection>, spent: Spending): EventBody {
    const { id, attempt } = effect
    switch (result.type) {
      case 'done':
        return { type: 'node.completed', data: { effect: id, attempt, output: result.output, ...spent } }
      case 'planned':
        return this.planned(effect, result.graph as unknown as Json, spent)
      case 'spawned':
        return { type: 'child.spawned', data: { effect: id, jobId: result.jobId } }
      case 'stopped':
      case 'dropped':
        return { type: 'node.cancelled', data: { effect: id, attempt, ...spent } }
      case 'unknown':
        if (effect.class !== 'once') return this.failureOf(effect, result, spent)
        return unknownOutcome(effect, result, spent)
      case 'failed':
        return this.failureOf(effect, result, spent)
    }
  }

  /** What a planner answered is no plan: it is asked again, with what is wrong, as often as it may. */
  private reject(effect: Effect, { answer, error, answersMax }: Rejection, spent: Spending): void {
    const { id, attempt, rejected = [] } = effect
    const issues = error.issues.slice(0, issuesKept)
    const begin = answer.slice(0, answerKept).toWellFormed()
    this.record({ type: 'plan.rejected', data: { effect: id, attempt, answer: begin, issues, ...spent } }, effect.cause)
    if (rejected.length + 1 < answersMax && !this.execution.isEnding) return
    this.record({ type: 'node.failed', data: { effect: id, attempt, error: toErrorData(error) } }, effect.cause)
  }

  private failureOf(
    effect: Effect,
    result: Extract<AttemptResult, { type: 'failed' | 'unknown' }>,
    spent: Spending,
  ): EventBody {
    const { id, attempt, isHalted = false } = effect
    const { error } = result
    const { retry } = this.host.performance(effect)
    const isFinal = result.type === 'failed' && (!result.retryable || isNamed(error, retry.nonRetryable))
    const failures = effect.failures + 1
    if (isHalted || isFinal || failures >= attemptsOf(retry, effect.class ?? 'once')) {
      return { type: 'node.failed', data: { effect: id, attempt, error, ...spent } }
    }
    const asked = result.type === 'failed' ? result.retryAfterMs : undefined
    const delayMs = Math.round(asked ?? retryDelayMs(retry, failures, this.host.random))
    return { type: 'node.retried', data: { effect: id, attempt, error, delayMs, ...spent } }
  }

  private planned({ id, attempt }: Effect, graph: Json, spent: Spending): EventBody {
    const { rounds, isEnding } = this.execution
    if (isEnding) {
      const message = 'The plan came when the job was ending already, so it is not adopted.'
      const error = toErrorData(new AetherisError('COMMAND_REFUSED', message))
      return { type: 'node.failed', data: { effect: id, attempt, error, ...spent } }
    }
    const hash = digest(graph)
    if (rounds <= 1) return { type: 'plan.adopted', data: { graph, hash, ...spent } }
    return { type: 'plan.revised', data: { graph, hash, round: rounds, ...spent } }
  }

  private takeReconciled({ effect: id, attempt, answer }: Extract<Input, { type: 'reconciled' }>): void {
    const effect = this.execution.effects.get(id)
    // A person may have been faster.
    if (effect === undefined || effect.attempt !== attempt || effect.status !== 'unknown') return
    this.record({ type: 'node.reconciled', data: { effect: id, attempt, ...answer } }, effect.cause)
  }

  private takeProgress({ effect: id, attempt, progress }: Progress): void {
    const effect = this.execution.effects.get(id)
    if (effect === undefined || effect.attempt !== attempt || effect.status !== 'started') return
    this.record({ type: 'node.progressed', data: { effect: id, attempt, progress } }, effect.cause)
  }

  private takeSubmitted({ effect: id, attempt, task, done }: Extract<Input, { type: 'submitted' }>): void {
    const effect = this.execution.effects.get(id)
    const isUnderWay = effect?.attempt === attempt && effect.status === 'started'
    if (isUnderWay) this.record({ type: 'node.submitted', data: { effect: id, attempt, task } }, effect.cause)
    const gone = () => new AetherisError('COMMAND_REFUSED', 'The job no longer wants this call.')
    this.done.push((error) => done(error ?? (isUnderWay ? undefined : gone())))
  }

  private takeTimers(): void {
    const { timers, effects } = this.execution
    const now = this.host.clock.now()
    const due = [...timers.values()].filter(({ dueAt }) => dueAt <= now).sort((a, b) => a.dueAt - b.dueAt)
    for (const { id, effect } of due) {
      // An earlier one of them may have moved the machine on.
      if (!this.execution.timers.has(id)) continue
      const cause = effect === undefined ? null : (effects.get(effect)?.cause ?? null)
      this.record({ type: 'timer.fired', data: { timer: id } }, cause)
    }
  }

  takeMessage({ id, kind, body }: InboxMessage): void {
    this.acks.push(id)
    if (this.execution.isEnded) return
    const command = { kind, body } as unknown as Command
    const decision = this.decide(command, id)
    if (decision.type === 'event') this.record(decision.event, null)
    if (decision.type !== 'refuse') return
    const { by } = command.body as { by?: string }
    const data = { command: kind, message: id, why: decision.why, ...(by === undefined ? {} : { by }) }
    this.record({ type: 'command.refused', data }, null)
  }

  private takeCommand({ command, done }: Extract<Input, { type: 'command' }>): void {
    const { jobId } = this.host
    const decision = this.decide(command, '')
    if (decision.type === 'event') this.record(decision.event, null)
    const isRefused = decision.type === 'refuse'
    const refusal = isRefused ? new AetherisError('COMMAND_REFUSED', decision.why, { jobId }) : undefined
    this.done.push((error) => done(error ?? refusal))
  }

  private decide(command: Command, message: string): Decision {
    const job = new JobSnapshot(this.host.jobId, this.execution)
    return fitting(decide(command, job, message), this.host.agent, job)
  }

  /** Begins what may begin: asks for approvals, starts attempts as far as there are slots, and asks tools. */
  begin(): void {
    if (this.execution.isEnded) return
    this.listTools()
    for (const effect of this.execution.effects.values()) {
      if (this.execution.isHeld) return
      if (canReconcile(effect) && !this.host.isAsking(effect.id)) this.ask.push(effect)
      if (!isRunnable(effect) || this.asksFirst(effect) || this.exceeds(effect)) continue
      if (this.host.takeSlot()) this.start(effect)
      else this.wanted += 1
    }
  }

  /** Tools that others define may have changed while the job was away. */
  private listTools(): void {
    const tools = this.host.agent.origins
    if (firstDifference(tools, this.execution.origins) === undefined) return
    this.record({ type: 'tools.listed', data: { tools } }, null)
  }

  /** Asks for an approval where one is needed and was not given yet. */
  private asksFirst(effect: Effect): boolean {
    if (effect.status !== 'requested' || effect.approval !== undefined) return false
    const performance = this.host.performance(effect)
    const { name: tool, input } = performance
    try {
      const policy = performance.approval()
      if (policy === undefined) return false
      const data = { effect: effect.id, tool, input, digest: digest({ tool, input }), policy }
      this.record({ type: 'approval.requested', data }, effect.cause)
    } catch (error) {
      // Where it cannot be said whether somebody has to agree, nothing is done.
      const data = { effect: effect.id, attempt: effect.attempt, error: toErrorData(error) }
      this.record({ type: 'node.failed', data }, effect.cause)
    }
    return true
  }

  private exceeds(effect: Effect): boolean {
    const over = overBudget(this.execution, effect, this.host.clock.now())
    if (over !== undefined) this.record({ type: 'budget.exceeded', data: over }, effect.cause)
    return over !== undefined
  }

  private start(effect: Effect): void {
    const { id, status, attempt, again = 'retry' } = effect
    const { name: tool, class: effectClass, input, reconcile } = this.host.performance(effect)
    const reconciles = reconcile === undefined ? {} : { reconciles: true as const }
    const cause = status === 'interrupted' ? 'recovery' : again
    const body: EventBody =
      status === 'requested'
        ? { type: 'node.started', data: { effect: id, tool, class: effectClass, input, ...reconciles } }
        : { type: 'node.attempted', data: { effect: id, attempt: attempt + 1, cause } }
    this.record(body, effect.cause)
    this.perform.push(effect)
  }

  private record(body: EventBody, cause: number | null): void {
    const { clock, random } = this.host
    const at = clock.now()
    this.events.push(...this.execution.record(body, cause, () => ({ id: newId(at, random), at })))
  }
}

function unknownOutcome(
  { id, attempt }: Effect,
  { reason, error }: Extract<AttemptResult, { type: 'unknown' }>,
  spent: Spending,
): EventBody {
  const why = reason === 'timeout' ? {} : { error }
  return { type: 'node.outcome_unknown', data: { effect: id, attempt, reason, ...why, ...spent } }
}

function isNamed({ name, code }: { name: string; code?: string }, names: readonly string[] = []): boolean {
  return names.includes(name) || (code !== undefined && names.includes(code))
}
