import type { AnyAgent } from '../agent/agent.ts'
import { attemptsOf, retryDelayMs } from '../agent/retry.ts'
import type { Clock } from '../base/clock.ts'
import { isAetherisError } from '../base/error.ts'
import { digest, type Json } from '../base/json.ts'
import { newId, type Random } from '../base/random.ts'
import type { EventBody, NewEvent } from '../event/event.ts'
import type { Effect } from '../replay/effect.ts'
import type { Execution } from '../replay/execution.ts'
import type { Slots } from '../scheduler/slots.ts'
import type { Commit, InboxMessage, JobRow, JobStatus, JobStore, Lease } from '../store/store.ts'
import { type AttemptResult, attempt, type Performance, performActions, performanceOf } from './perform.ts'

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
  /** Events between two snapshots. */
  readonly snapshotEvery: number
  readonly snapshotKey: string
  /** The commit is durable. */
  committed(runner: Runner, events: readonly NewEvent[]): void
  timerSet(dueAt: number): void
  /** Nothing is left to do until a signal or a timer, or for ever. The runner is not used again. */
  parked(runner: Runner): void
  /** For whoever runs the job by now: this runner was parked. */
  deliver(jobId: string, input: Input): void
  /** The job belongs to somebody else now, or cannot go on here. */
  lost(runner: Runner, error: unknown): void
  /** Something went wrong that does not touch the job. */
  problem(jobId: string, error: unknown): void
}

/** Something that has come in for a job. */
export type Input =
  | { type: 'outcome'; effect: string; attempt: number; result: AttemptResult }
  | { type: 'inbox' }
  | { type: 'timers' }
  | { type: 'recovered' }
  | { type: 'look' }

interface Batch {
  events: NewEvent[]
  acks: string[]
  perform: Effect[]
}

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
  private readonly attempts = new Map<string, AbortController>()
  private storedTimers: Set<string>
  private snapshotSeq: number

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

  /** Attempts under way. */
  get attemptsUnderWay(): number {
    return this.attempts.size
  }

  get busy(): boolean {
    return this.turning
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
    this.inputs = []
    for (const abort of this.attempts.values()) abort.abort(reason)
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
    const batch: Batch = { events: [], acks: [], perform: [] }
    const messages = inputs.some((input) => input.type === 'inbox') ? await this.host.store.inbox(this.jobId) : []
    const expectedSeq = this.execution.seq
    for (const input of inputs) this.take(input, batch)
    for (const message of messages) this.takeMessage(message, batch)
    if (!this.execution.isEnded) this.startEffects(batch)
    if (batch.events.length > 0 || batch.acks.length > 0) await this.commit(batch, expectedSeq)
    this.abortWithdrawn()
    for (const effect of batch.perform) this.perform(effect)
  }

  private take(input: Input, batch: Batch): void {
    if (input.type === 'outcome') this.takeOutcome(input, batch)
    if (this.execution.isEnded) return
    if (input.type === 'timers') this.takeTimers(batch)
    if (input.type === 'recovered')
      this.record(batch, { type: 'job.recovered', data: { epoch: this.lease.epoch } }, null)
  }

  private takeOutcome({ effect: id, attempt, result }: Extract<Input, { type: 'outcome' }>, batch: Batch): void {
    const effect = this.execution.effects.get(id)
    if (result.type === 'aborted') return
    if (effect === undefined || effect.attempt !== attempt || effect.status !== 'started') {
      const value = (result.type === 'done' ? result.output : 'error' in result ? { ...result.error } : null) as Json
      this.record(
        batch,
        { type: 'node.late_result', data: { effect: id, attempt, ok: result.type === 'done', value } },
        null,
      )
      return
    }
    this.record(batch, this.decide(effect, result), effect.cause)
  }

  /** What an attempt's result means for the job: its outcome, another attempt, or a question for somebody. */
  private decide(effect: Effect, result: Exclude<AttemptResult, { type: 'aborted' }>): EventBody {
    const { id, attempt } = effect
    if (result.type === 'done') return { type: 'node.completed', data: { effect: id, attempt, output: result.output } }
    if (result.type === 'planned') {
      const graph = result.graph as unknown as Json
      return { type: 'plan.adopted', data: { graph, hash: digest(graph) } }
    }
    const performance = this.performance(effect)
    if (result.type === 'timedOut' && performance.class === 'once') {
      return { type: 'node.outcome_unknown', data: { effect: id, attempt, reason: 'timeout' } }
    }
    const failures = effect.failures + 1
    const retryable = result.type === 'timedOut' || result.retryable
    if (!retryable || failures >= attemptsOf(performance.retry, performance.class)) {
      return { type: 'node.failed', data: { effect: id, attempt, error: result.error } }
    }
    const asked = result.type === 'failed' ? result.retryAfterMs : undefined
    const delayMs = Math.round(asked ?? retryDelayMs(performance.retry, failures, this.host.random))
    return { type: 'node.retried', data: { effect: id, attempt, error: result.error, delayMs } }
  }

  private takeTimers(batch: Batch): void {
    const now = this.host.clock.now()
    const due = [...this.execution.timers.values()]
      .filter(({ dueAt }) => dueAt <= now)
      .sort((a, b) => a.dueAt - b.dueAt)
    for (const { id, effect } of due) {
      // An earlier one of them may have moved the machine on.
      if (!this.execution.timers.has(id)) continue
      this.record(
        batch,
        { type: 'timer.fired', data: { timer: id } },
        this.execution.effects.get(effect)?.cause ?? null,
      )
    }
  }

  private takeMessage({ id, kind, body }: InboxMessage, batch: Batch): void {
    if (kind !== 'signal' && this.execution.value === 'planning' && kind !== 'cancel') return // taken once the plan is there
    batch.acks.push(id)
    if (this.execution.isEnded) return
    const told = messageEvent(id, kind, body, this.execution.isPaused)
    if (told !== undefined) this.record(batch, told, null)
  }

  private startEffects(batch: Batch): void {
    let wanted = 0
    for (const effect of this.execution.effects.values()) {
      if (!isRunnable(effect) || this.execution.isPaused) continue
      if (!this.takeSlot()) wanted += 1
      else this.start(effect, batch)
    }
    for (; this.granted > 0; this.granted -= 1) this.host.effectSlots.release()
    while (this.waiting.size < wanted) this.waitForSlot()
  }

  private start(effect: Effect, batch: Batch): void {
    const { id, status, attempt } = effect
    const performance = this.performance(effect)
    const body: EventBody =
      status === 'requested'
        ? {
            type: 'node.started',
            data: { effect: id, tool: performance.name, class: performance.class, input: performance.input },
          }
        : {
            type: 'node.attempted',
            data: { effect: id, attempt: attempt + 1, cause: status === 'ready' ? 'retry' : 'recovery' },
          }
    this.record(batch, body, effect.cause)
    batch.perform.push(effect)
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
    return performanceOf(this.agent, effect, this.execution.created?.input as Json)
  }

  private perform(effect: Effect): void {
    const abort = new AbortController()
    const { id, attempt: number } = effect
    this.attempts.set(id, abort)
    const context = { jobId: this.jobId, effect: id, attempt: number, idempotencyKey: `${this.jobId}/${id}` }
    const tell = (result: AttemptResult) => this.outcome({ type: 'outcome', effect: id, attempt: number, result })
    void attempt(this.performance(effect), context, abort, this.host.clock, tell).then((result) => {
      if (this.attempts.get(id) === abort) this.attempts.delete(id)
      this.host.effectSlots.release()
      if (result.type !== 'aborted') tell(result)
    })
  }

  /** A call that ran out of time, or that nobody wanted any more, may come back after the job was parked. */
  private outcome(outcome: Input): void {
    if (this.parked) this.host.deliver(this.jobId, outcome)
    else this.receive(outcome)
  }

  private abortWithdrawn(): void {
    for (const [id, abort] of this.attempts) {
      if (this.execution.effects.get(id)?.status === 'started') continue
      this.attempts.delete(id)
      abort.abort(new Error('The job no longer wants this call.'))
    }
  }

  private record(batch: Batch, body: EventBody, cause: number | null): void {
    const at = this.host.clock.now()
    batch.events.push(...this.execution.record(body, cause, () => ({ id: newId(at, this.host.random), at })))
  }

  private async commit(batch: Batch, expectedSeq: number): Promise<void> {
    const status = statusOf(this.execution)
    const timers = this.timerChanges()
    const commit: Commit = {
      lease: this.lease,
      expectedSeq,
      events: batch.events,
      ...(status === this.status ? {} : { status }),
      ...(timers === undefined ? {} : { timers }),
      ...(batch.acks.length === 0 ? {} : { acks: batch.acks }),
      ...this.snapshotIfDue(status),
    }
    await this.repeat(commit)
    this.status = status
    for (const { dueAt } of timers?.set ?? []) this.host.timerSet(dueAt)
    this.host.committed(this, batch.events)
    performActions(this.execution, (error) => this.host.problem(this.jobId, error))
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

  /** A snapshot when the job goes to rest, so that waking it costs no replay, and every so many events. */
  private snapshotIfDue(status: JobStatus): Pick<Commit, 'snapshot'> {
    const { seq } = this.execution
    if (this.execution.isEnded || seq === this.snapshotSeq) return {}
    const resting = (status === 'waiting' || status === 'paused') && this.attempts.size === 0
    if (!resting && seq - this.snapshotSeq < this.host.snapshotEvery) return {}
    this.snapshotSeq = seq
    return { snapshot: { seq, machine: this.host.snapshotKey, state: this.execution.persist() } }
  }

  private isIdle(): boolean {
    if (this.inputs.length > 0 || this.attempts.size > 0 || this.waiting.size > 0) return false
    return this.execution.isEnded || statusOf(this.execution) !== 'running'
  }
}

const transient = ['COMMIT_UNKNOWN', 'STORE_FAILED', 'STORE_BUSY'] as const

function isRunnable({ kind, status }: Effect): boolean {
  return (
    kind !== 'wait' && kind !== 'sleep' && (status === 'requested' || status === 'ready' || status === 'interrupted')
  )
}

/** The index status of a job: whether it ended, is paused, has work to do here, or waits for somebody or a timer. */
export function statusOf(execution: Execution): JobStatus {
  const end = execution.end
  if (end !== undefined) return end.type
  const active = [...execution.effects.values()].some(
    (effect) => effect.status === 'started' || (isRunnable(effect) && !execution.isPaused),
  )
  if (active) return 'running'
  return execution.isPaused ? 'paused' : 'waiting'
}

function messageEvent(id: string, kind: string, body: Json, paused: boolean): EventBody | undefined {
  switch (kind) {
    case 'signal': {
      const { name, payload } = body as { name: string; payload: Json }
      return { type: 'signal.received', data: { name, payload, message: id } }
    }
    case 'pause':
      return paused ? undefined : { type: 'job.paused', data: body as { by?: string; reason?: string } }
    case 'resume':
      return paused ? { type: 'job.resumed', data: body as { by?: string; reason?: string } } : undefined
    case 'cancel':
      return { type: 'job.cancelled', data: body as { by?: string; reason?: string } }
    default:
      return undefined
  }
}
