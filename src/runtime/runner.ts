import type { AnyAgent } from '../agent/agent.ts'
import { attemptsOf, retryDelayMs } from '../agent/retry.ts'
import type { Clock } from '../base/clock.ts'
import { AetherisError, isAetherisError, toErrorData } from '../base/error.ts'
import { digest, type Json } from '../base/json.ts'
import { newId, type Random } from '../base/random.ts'
import type { Command } from '../event/command.ts'
import type { EventBody, NewEvent } from '../event/event.ts'
import { canReconcile, type Effect, isRunnable } from '../replay/effect.ts'
import type { Execution } from '../replay/execution.ts'
import { JobSnapshot } from '../replay/job-snapshot.ts'
import type { Slots } from '../scheduler/slots.ts'
import type { Commit, InboxMessage, JobRow, JobStatus, JobStore, Lease, OutMessage } from '../store/store.ts'
import { Attempt } from './attempt.ts'
import { overBudget } from './budget.ts'
import { decide, withSchema } from './commands.ts'
import { childIdOf, farewells } from './family.ts'
import { type AttemptResult, type Performance, performanceOf } from './perform.ts'

/**
 * Advances one job: takes what has come in, steps the execution, commits, and only then performs.
 *
 * R1 One commit of a job is in flight at a time; inputs that arrive meanwhile wait for the next turn.
 * R2 An attempt begins only after the commit with its `node.started` or `node.attempted` is durable.
 * R3 Nothing is published before it is durable.
 * R4 A failed commit is repeated as it is (the store knows its event ids), or the job is given up to its new owner.
 */

/** What a runner needs from the runtime around it. */
export interface RunnerHost {
  readonly store: JobStore
  readonly clock: Clock
  readonly random: Random
  /** Attempts under way, of all jobs. */
  readonly effectSlots: Slots
  /** Events between two snapshots, at least. */
  readonly snapshotEvery: number
  readonly snapshotKey: string
  /** Whether nothing is performed here: commands and timers are applied, and the rest is left to the next owner. */
  readonly isIdle: boolean
  /** The commit is durable. */
  committed(runner: Runner, events: readonly NewEvent[], sent: readonly OutMessage[]): void
  timerSet(dueAt: number): void
  /** An attempt has reported how far it is. */
  progressed(jobId: string, effect: string, progress: Json): void
  /** Nothing is left to do until a signal or a timer, or for ever. The runner is not used again. */
  parked(runner: Runner): void
  /** For whoever runs the job by now: this runner was parked. */
  deliver(jobId: string, input: Input): void
  /** Starts a job of another agent, or finds it started. Gives its id. */
  spawn(agent: AnyAgent, input: unknown, id: string, parent: { jobId: string; effect: string }): Promise<string>
  /** The job belongs to somebody else now, or cannot go on here. */
  lost(runner: Runner, error: unknown): void
  /** Something went wrong that does not touch the job. */
  problem(jobId: string, error: unknown): void
}

/** Something that has come in for a job. */
export type Input =
  | {
      type: 'outcome'
      effect: string
      attempt: number
      result: AttemptResult
      cost: number
      progress?: Json | undefined
    }
  | { type: 'reconciled'; effect: string; attempt: number; answer: Reconciliation }
  | ({ type: 'progress' } & Progress)
  /** For a job that has ended, whose inbox is closed. */
  | { type: 'command'; command: Command; done: (error?: AetherisError) => void }
  | { type: 'inbox' }
  | { type: 'timers' }
  | { type: 'recovered' }
  | { type: 'look' }

interface Progress {
  effect: string
  attempt: number
  progress: Json
}

type Reconciliation = Omit<Extract<EventBody, { type: 'node.reconciled' }>['data'], 'effect' | 'attempt'>

interface Batch {
  events: NewEvent[]
  acks: string[]
  perform: Effect[]
  reconcile: Effect[]
  /** Called when the batch is durable. */
  done: (() => void)[]
}

/** About what an event takes: a snapshot is worth its bytes only when the tail weighs as much. */
const charactersPerEvent = 300

export class Runner {
  readonly jobId: string
  readonly agent: AnyAgent
  readonly execution: Execution
  readonly priority: number
  private readonly host: RunnerHost
  private readonly lease: Lease
  private status: JobStatus
  private inputs: Input[] = []
  private turning = false
  private stopped = false
  private parked = false
  private granted = 0
  private readonly waiting = new Set<() => void>()
  private readonly attempts = new Map<string, Attempt>()
  private readonly reconciling = new Map<string, AbortController>()
  private storedTimers: Set<string>
  private snapshotSeq: number
  private snapshotSize = 0

  constructor(host: RunnerHost, agent: AnyAgent, row: JobRow, execution: Execution, snapshotSeq: number) {
    this.host = host
    this.agent = agent
    this.jobId = row.id
    this.priority = row.priority
    this.lease = { jobId: row.id, epoch: row.epoch }
    this.status = row.status
    this.execution = execution
    this.snapshotSeq = snapshotSeq
    this.storedTimers = new Set(execution.timers.keys())
  }

  get busy(): boolean {
    return this.turning || this.reconciling.size > 0
  }

  receive(input: Input): void {
    if (this.stopped) return
    this.inputs.push(input)
    if (this.turning) return
    this.turning = true
    void this.turns()
  }

  /** Lets go of the job at once; what is under way is aborted and its outcome ignored. */
  stop(reason: unknown): void {
    this.stopped = true
    for (const input of this.inputs) if (input.type === 'command') input.done(gone(this.jobId))
    this.inputs = []
    for (const attempt of this.attempts.values()) attempt.drop(reason)
    for (const abort of this.reconciling.values()) abort.abort(reason)
    for (const giveUp of this.waiting) giveUp()
    this.waiting.clear()
    for (; this.granted > 0; this.granted -= 1) this.host.effectSlots.release()
  }

  private async turns(): Promise<void> {
    try {
      while (this.inputs.length > 0 && !this.stopped) await this.turn()
      this.turning = false
      if (this.stopped || !this.isIdle()) return
      this.parked = true
      this.host.parked(this)
    } catch (error) {
      this.turning = false
      if (!this.stopped) this.host.lost(this, error)
    }
  }

  private async turn(): Promise<void> {
    const inputs = this.inputs
    this.inputs = []
    const batch: Batch = { events: [], acks: [], perform: [], reconcile: [], done: [] }
    const messages = inputs.some((input) => input.type === 'inbox') ? await this.host.store.inbox(this.jobId) : []
    const expectedSeq = this.execution.seq
    for (const input of inputs) this.take(input, batch)
    for (const message of messages) this.takeMessage(message, batch)
    if (!this.execution.isEnded && !this.host.isIdle) this.startEffects(batch)
    if (batch.events.length > 0 || batch.acks.length > 0) await this.commit(batch, expectedSeq)
    for (const done of batch.done) done()
    this.callOff()
    for (const effect of batch.perform) this.perform(effect)
    for (const effect of batch.reconcile) this.reconcile(effect)
  }

  // --- what comes in

  private take(input: Input, batch: Batch): void {
    if (input.type === 'outcome') this.takeOutcome(input, batch)
    if (input.type === 'command') this.takeCommand(input, batch)
    if (this.execution.isEnded) return
    if (input.type === 'reconciled') this.takeReconciled(input, batch)
    if (input.type === 'progress') this.takeProgress(input, batch)
    if (input.type === 'timers') this.takeTimers(batch)
    if (input.type === 'recovered') {
      this.record(batch, { type: 'job.recovered', data: { epoch: this.lease.epoch } }, null)
    }
  }

  private takeOutcome(input: Extract<Input, { type: 'outcome' }>, batch: Batch): void {
    const { effect: id, attempt, result, cost, progress } = input
    const effect = this.execution.effects.get(id)
    if (effect !== undefined && effect.attempt === attempt && effect.status === 'started') {
      // It is of use only where another attempt may follow.
      if (progress !== undefined && result.type !== 'done') this.takeProgress({ effect: id, attempt, progress }, batch)
      this.record(batch, this.outcomeOf(effect, result, cost), effect.cause)
      return
    }
    // A child that was started is there, whatever became of the wish for it; it was let go of already.
    if (result.type === 'stopped' || result.type === 'dropped' || result.type === 'spawned') return
    const value = (result.type === 'done' ? result.output : 'error' in result ? { ...result.error } : null) as Json
    this.record(
      batch,
      { type: 'node.late_result', data: { effect: id, attempt, ok: result.type === 'done', value } },
      null,
    )
  }

  /** What an attempt's result means for the job: its outcome, another attempt, or a question for somebody. */
  private outcomeOf(effect: Effect, result: AttemptResult, charged: number): EventBody {
    const { id, attempt, isHalted = false } = effect
    const cost = charged === 0 ? {} : { cost: charged }
    switch (result.type) {
      case 'done':
        return { type: 'node.completed', data: { effect: id, attempt, output: result.output, ...cost } }
      case 'planned':
        return this.planned(result.graph as unknown as Json)
      case 'spawned':
        return { type: 'child.spawned', data: { effect: id, jobId: result.jobId } }
      case 'stopped':
      case 'dropped':
        return { type: 'node.cancelled', data: { effect: id, attempt, ...cost } }
      case 'timedOut':
        if (effect.class === 'once') {
          return { type: 'node.outcome_unknown', data: { effect: id, attempt, reason: 'timeout', ...cost } }
        }
    }
    const { retry } = this.performance(effect)
    const isFinal = result.type === 'failed' && (!result.retryable || isNamed(result.error, retry.nonRetryable))
    const failures = effect.failures + 1
    if (isHalted || isFinal || failures >= attemptsOf(retry, effect.class ?? 'once')) {
      return { type: 'node.failed', data: { effect: id, attempt, error: result.error, ...cost } }
    }
    const asked = result.type === 'failed' ? result.retryAfterMs : undefined
    const delayMs = Math.round(asked ?? retryDelayMs(retry, failures, this.host.random))
    return { type: 'node.retried', data: { effect: id, attempt, error: result.error, delayMs, ...cost } }
  }

  private planned(graph: Json): EventBody {
    const { rounds } = this.execution
    const hash = digest(graph)
    if (rounds <= 1) return { type: 'plan.adopted', data: { graph, hash } }
    return { type: 'plan.revised', data: { graph, hash, round: rounds } }
  }

  private takeReconciled({ effect: id, attempt, answer }: Extract<Input, { type: 'reconciled' }>, batch: Batch): void {
    const effect = this.execution.effects.get(id)
    // A person may have been faster.
    if (effect === undefined || effect.attempt !== attempt || effect.status !== 'unknown') return
    this.record(batch, { type: 'node.reconciled', data: { effect: id, attempt, ...answer } }, effect.cause)
  }

  private takeProgress({ effect: id, attempt, progress }: Progress, batch: Batch): void {
    const effect = this.execution.effects.get(id)
    if (effect === undefined || effect.attempt !== attempt || effect.status !== 'started') return
    this.record(batch, { type: 'node.progressed', data: { effect: id, attempt, progress } }, effect.cause)
  }

  private takeTimers(batch: Batch): void {
    const now = this.host.clock.now()
    const due = [...this.execution.timers.values()].filter(({ dueAt }) => dueAt <= now)
    for (const { id, effect } of due.sort((a, b) => a.dueAt - b.dueAt)) {
      // An earlier one of them may have moved the machine on.
      if (!this.execution.timers.has(id)) continue
      const cause = effect === undefined ? null : (this.execution.effects.get(effect)?.cause ?? null)
      this.record(batch, { type: 'timer.fired', data: { timer: id } }, cause)
    }
  }

  private takeMessage({ id, kind, body }: InboxMessage, batch: Batch): void {
    batch.acks.push(id)
    if (this.execution.isEnded) return
    const command = { kind, body } as unknown as Command
    const decision = this.decide(command, id)
    if (decision.type === 'event') this.record(batch, decision.event, null)
    if (decision.type !== 'refuse') return
    const { by } = command.body as { by?: string }
    const data = { command: kind, message: id, why: decision.why, ...(by === undefined ? {} : { by }) }
    this.record(batch, { type: 'command.refused', data }, null)
  }

  private takeCommand({ command, done }: Extract<Input, { type: 'command' }>, batch: Batch): void {
    const decision = this.decide(command, '')
    if (decision.type === 'event') this.record(batch, decision.event, null)
    const refusal =
      decision.type === 'refuse' ? new AetherisError('COMMAND_REFUSED', decision.why, { jobId: this.jobId }) : undefined
    batch.done.push(() => done(refusal))
  }

  private decide(command: Command, message: string): ReturnType<typeof decide> {
    const job = new JobSnapshot(this.jobId, this.execution)
    return withSchema(decide(command, job, message), this.agent, job)
  }

  // --- what is begun

  private startEffects(batch: Batch): void {
    let wanted = 0
    for (const effect of this.execution.effects.values()) {
      if (this.execution.isHeld) break
      if (canReconcile(effect) && !this.reconciling.has(effect.id)) batch.reconcile.push(effect)
      if (!isRunnable(effect) || this.asksFirst(effect, batch) || this.exceeds(effect, batch)) continue
      if (!this.takeSlot()) wanted += 1
      else this.start(effect, batch)
    }
    for (; this.granted > 0; this.granted -= 1) this.host.effectSlots.release()
    while (this.waiting.size < wanted) this.waitForSlot()
  }

  /** Asks for an approval where one is needed and was not given yet. */
  private asksFirst(effect: Effect, batch: Batch): boolean {
    if (effect.status !== 'requested' || effect.approval !== undefined) return false
    const performance = this.performance(effect)
    const { name: tool, input } = performance
    try {
      const policy = performance.approval()
      if (policy === undefined) return false
      const data = { effect: effect.id, tool, input, digest: digest({ tool, input }), policy }
      this.record(batch, { type: 'approval.requested', data }, effect.cause)
    } catch (error) {
      // Where it cannot be said whether somebody has to agree, nothing is done.
      const data = { effect: effect.id, attempt: effect.attempt, error: toErrorData(error) }
      this.record(batch, { type: 'node.failed', data }, effect.cause)
    }
    return true
  }

  private exceeds(effect: Effect, batch: Batch): boolean {
    const over = overBudget(this.execution, effect, this.host.clock.now())
    if (over !== undefined) this.record(batch, { type: 'budget.exceeded', data: over }, effect.cause)
    return over !== undefined
  }

  private start(effect: Effect, batch: Batch): void {
    const { id, status, attempt, isResolved } = effect
    const { name: tool, class: effectClass, input, reconcile } = this.performance(effect)
    const reconciles = reconcile === undefined ? {} : { reconciles: true as const }
    const again = status === 'interrupted' ? 'recovery' : isResolved ? 'resolved' : 'retry'
    const body: EventBody =
      status === 'requested'
        ? { type: 'node.started', data: { effect: id, tool, class: effectClass, input, ...reconciles } }
        : { type: 'node.attempted', data: { effect: id, attempt: attempt + 1, cause: again } }
    this.record(batch, body, effect.cause)
    batch.perform.push(this.execution.effects.get(id) as Effect)
  }

  private takeSlot(): boolean {
    if (this.granted > 0) {
      this.granted -= 1
      return true
    }
    return this.host.effectSlots.tryAcquire()
  }

  private waitForSlot(): void {
    const giveUp = this.host.effectSlots.acquire(this.priority, () => {
      this.waiting.delete(giveUp)
      this.granted += 1
      if (this.stopped) this.stop(undefined)
      else this.receive({ type: 'look' })
    })
    this.waiting.add(giveUp)
  }

  private performance(effect: Effect): Performance {
    return performanceOf(this.agent, effect, {
      jobInput: this.execution.created?.input as Json,
      previousPlan: () => {
        const { graph } = this.execution
        return graph && { graph, results: new JobSnapshot(this.jobId, this.execution).results }
      },
      spawn: (agent, input, id) => {
        const parent = { jobId: this.jobId, effect: id }
        return this.host.spawn(agent, input, childIdOf(this.jobId, id), parent)
      },
    })
  }

  private perform(effect: Effect): void {
    const { id, attempt: number, progress, approval } = effect
    const tell = (result: AttemptResult) => {
      const { charged: cost, lastProgress } = attempt
      this.outcome({ type: 'outcome', effect: id, attempt: number, result, cost, progress: lastProgress })
    }
    const context = {
      ...{ jobId: this.jobId, effect: id, attempt: number, idempotencyKey: `${this.jobId}/${id}` },
      lastProgress: progress,
      approval: approval?.option === undefined ? undefined : { option: approval.option, by: approval.by },
    }
    const attempt = new Attempt(this.performance(effect), context, {
      clock: this.host.clock,
      progressed: (data, isKept) => this.progressed({ effect: id, attempt: number, progress: data }, isKept),
      late: tell,
    })
    this.attempts.set(id, attempt)
    void attempt.run().then((result) => {
      if (this.attempts.get(id) === attempt) this.attempts.delete(id)
      this.host.effectSlots.release()
      if (result.type !== 'dropped') tell(result)
    })
  }

  private progressed(progress: Progress, isKept: boolean): void {
    if (this.stopped || this.parked) return
    this.host.progressed(this.jobId, progress.effect, progress.progress)
    if (isKept) this.receive({ type: 'progress', ...progress })
  }

  /** A call that ran out of time, or that nobody wanted any more, may come back after the job was parked. */
  private outcome(outcome: Input): void {
    if (this.parked) this.host.deliver(this.jobId, outcome)
    else this.receive(outcome)
  }

  private reconcile(effect: Effect): void {
    const abort = new AbortController()
    const { id, attempt } = effect
    const { reconcile } = this.performance(effect)
    const context = {
      jobId: this.jobId,
      effect: id,
      attempt,
      idempotencyKey: `${this.jobId}/${id}`,
      abortSignal: abort.signal,
    }
    this.reconciling.set(id, abort)
    void askHow(reconcile, context).then((answer) => {
      this.reconciling.delete(id)
      if (!abort.signal.aborted) this.receive({ type: 'reconciled', effect: id, attempt, answer })
    })
  }

  /** Drops the attempts whose effects are gone, and asks those to end that belong to what is ending. */
  private callOff(): void {
    for (const [id, attempt] of this.attempts) {
      const effect = this.execution.effects.get(id)
      if (effect?.status !== 'started') {
        this.attempts.delete(id)
        attempt.drop(new Error('The job no longer wants this call.'))
      } else if (effect.isHalted && !attempt.isStopped) {
        attempt.stop(new Error('The job is ending.'))
      }
    }
  }

  // --- what is written

  private record(batch: Batch, body: EventBody, cause: number | null): void {
    const at = this.host.clock.now()
    batch.events.push(...this.execution.record(body, cause, () => ({ id: newId(at, this.host.random), at })))
  }

  private async commit(batch: Batch, expectedSeq: number): Promise<void> {
    const status = statusOf(this.execution)
    const timers = this.timerChanges()
    const send = farewells(this.jobId, this.execution, batch.events, this.host.clock.now())
    const commit: Commit = {
      lease: this.lease,
      expectedSeq,
      events: batch.events,
      ...(status === this.status ? {} : { status }),
      ...(timers === undefined ? {} : { timers }),
      ...(batch.acks.length === 0 ? {} : { acks: batch.acks }),
      ...(send.length === 0 ? {} : { send }),
      ...(batch.events.some(({ type }) => type === 'job.restarted') ? { reopen: true as const } : {}),
      ...this.snapshotIfDue(status),
    }
    await this.repeat(commit)
    this.status = status
    for (const { dueAt } of timers?.set ?? []) this.host.timerSet(dueAt)
    this.host.committed(this, batch.events, send)
    for (const action of this.execution.takeActions()) this.runAction(action)
  }

  /** A store that is opening again after a write error takes the same commit later; the event ids make that safe. */
  private async repeat(commit: Commit): Promise<void> {
    for (let delayMs = 10; ; delayMs = Math.min(delayMs * 2, 1_000)) {
      try {
        await this.host.store.commit(commit)
        return
      } catch (error) {
        if (this.stopped || !transient.some((code) => isAetherisError(error, code))) throw error
        await new Promise<void>((resolve) => this.host.clock.setTimer(resolve, delayMs))
      }
    }
  }

  private timerChanges(): Commit['timers'] | undefined {
    const now = this.execution.timers
    const set = [...now.values()].filter(({ id }) => !this.storedTimers.has(id)).map(({ id, dueAt }) => ({ id, dueAt }))
    const clear = [...this.storedTimers].filter((id) => !now.has(id))
    if (set.length === 0 && clear.length === 0) return undefined
    this.storedTimers = new Set(now.keys())
    return { set, clear }
  }

  /** A snapshot when the job goes to rest, so that waking it costs no replay, and when the tail has grown long. */
  private snapshotIfDue(status: JobStatus): Pick<Commit, 'snapshot'> {
    const { seq } = this.execution
    if (this.execution.isEnded || seq === this.snapshotSeq) return {}
    const isResting = status !== 'running' && this.attempts.size === 0
    const tail = seq - this.snapshotSeq
    const isLong = tail >= this.host.snapshotEvery && tail * charactersPerEvent >= this.snapshotSize
    if (!isResting && !isLong) return {}
    const state = this.execution.persist()
    this.snapshotSeq = seq
    this.snapshotSize = JSON.stringify(state).length
    return { snapshot: { seq, machine: this.host.snapshotKey, state } }
  }

  /** A custom action is no part of the job: its failure does not touch it. */
  private runAction(action: () => unknown): void {
    try {
      action()
    } catch (error) {
      this.host.problem(this.jobId, error)
    }
  }

  private isIdle(): boolean {
    if (this.inputs.length > 0 || this.attempts.size > 0 || this.waiting.size > 0 || this.reconciling.size > 0)
      return false
    return this.execution.isEnded || this.host.isIdle || statusOf(this.execution) !== 'running'
  }
}

const transient = ['COMMIT_UNKNOWN', 'STORE_FAILED', 'STORE_BUSY'] as const

function isNamed({ name, code }: { name: string; code?: string }, names: readonly string[] = []): boolean {
  return names.includes(name) || (code !== undefined && names.includes(code))
}

/** What a tool says how a call ended; one that throws does not know. */
async function askHow(
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

function gone(jobId: string): AetherisError {
  return new AetherisError('RUNTIME_CLOSED', `The runtime let go of job "${jobId}" before the command was applied.`, {
    jobId,
  })
}

/** The index status of a job: whether it ended, is paused, has work to do here, or waits for somebody or a timer. */
export function statusOf(execution: Execution): JobStatus {
  const { end, isHeld } = execution
  if (end !== undefined) return end.type
  for (const effect of execution.effects.values()) {
    if (effect.status === 'started') return 'running'
    if (!isHeld && (isRunnable(effect) || canReconcile(effect))) return 'running'
  }
  return execution.isPaused ? 'paused' : 'waiting'
}
