import type { AnyAgent } from '../agent/agent.ts'
import type { Clock } from '../base/clock.ts'
import { AetherisError } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import type { NewEvent } from '../event/event.ts'
import { canReconcile, type Effect, isRunnable } from '../replay/effect.ts'
import type { Execution } from '../replay/execution.ts'
import { JobSnapshot } from '../replay/job-snapshot.ts'
import { snapshotKey } from '../replay/programs.ts'
import type { Slots } from '../scheduler/slots.ts'
import type { Commit, JobRow, JobStatus, JobStore, Lease, OutMessage } from '../store/store.ts'
import { Calls } from './calls.ts'
import { childIdOf, farewells } from './family.ts'
import type { Input } from './input.ts'
import { untilAnswered } from './patience.ts'
import { performActions, performanceOf } from './perform.ts'
import type { Performance } from './performance.ts'
import type { TextPiece } from './stream.ts'
import { Turn, type TurnHost } from './turn.ts'

/**
 * Advances one job: takes what has come in, steps the execution, commits, and only then performs.
 *
 * R1 One commit of a job is in flight at a time; inputs that arrive meanwhile wait for the next turn.
 * R2 An attempt begins only after the commit with its `node.started` or `node.attempted` is durable.
 * R3 Nothing is published before it is durable.
 * R4 A failed commit is repeated as it is (the store knows its event ids), or the job is given up to its new owner.
 */

/** Something that a tool, a planner or a promise actor threw. */
export interface Thrown {
  jobId: string
  effect: string
  attempt: number
  error: unknown
}

/** What a runner needs from the runtime around it. */
export interface RunnerHost {
  readonly store: JobStore
  readonly clock: Clock
  readonly random: Random
  /** Attempts under way, of all jobs. */
  readonly effectSlots: Slots
  /** Events between two snapshots, at least. */
  readonly snapshotEvery: number
  /** Whether nothing is performed for now: commands and timers are applied, and the rest is left for later. */
  isHolding(): boolean
  /** The commit is durable. */
  committed(runner: Runner, events: readonly NewEvent[], sent: readonly OutMessage[]): void
  timerSet(dueAt: number): void
  /** An attempt has reported how far it is. */
  progressed(jobId: string, effect: string, progress: Json): void
  /** An attempt has made a piece of text. */
  emitted(jobId: string, piece: TextPiece): void
  /** What an attempt threw. */
  threw(thrown: Thrown): void
  /** Nothing is left to do until a signal or a timer, or for ever. The runner is not used again. */
  parked(runner: Runner): void
  /** For whoever runs the job by now: this runner was parked. */
  deliver(jobId: string, input: Input): void
  /** Starts a job of another agent, or finds it started. Gives its id. `source` is the module of the parent. */
  spawn(
    agent: AnyAgent,
    input: unknown,
    child: { id: string; source: string | undefined },
    parent: { jobId: string; effect: string },
  ): Promise<string>
  /** The job belongs to somebody else now, or cannot go on here. */
  lost(runner: Runner, error: unknown): void
  /** Something went wrong that does not touch the job. */
  problem(jobId: string, error: unknown): void
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
  private readonly calls: Calls
  private readonly turnHost: TurnHost
  private status: JobStatus
  private inputs: Input[] = []
  private turning = false
  private stopped = false
  private parked = false
  /** Slots that are held and not used yet: those waited for, and those of attempts whose events are being written. */
  private granted = 0
  private readonly waiting = new Set<() => void>()
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
    this.calls = new Calls({
      jobId: row.id,
      clock: host.clock,
      effectSlots: host.effectSlots,
      performance: (effect) => this.performance(effect),
      tell: (input) => this.told(input),
      progressed: (effect, progress) => host.progressed(row.id, effect, progress),
      emitted: (piece) => host.emitted(row.id, piece),
      threw: (effect, attempt, error) => host.threw({ jobId: row.id, effect, attempt, error }),
    })
    this.turnHost = {
      jobId: row.id,
      agent,
      execution,
      epoch: row.epoch,
      clock: host.clock,
      random: host.random,
      performance: (effect) => this.performance(effect),
      takeSlot: () => this.takeSlot(),
      isAsking: (effect) => this.calls.isAsking(effect),
    }
  }

  get busy(): boolean {
    return this.turning || this.calls.areUnderWay
  }

  /** What the attempts under way have made so far. */
  get texts(): TextPiece[] {
    return this.calls.texts
  }

  /** What comes together is looked at together: a message that holds the job counts before anything is begun. */
  receive(...inputs: readonly Input[]): void {
    if (this.stopped) {
      for (const input of inputs) if ('done' in input) input.done(letGo(this.jobId))
      return
    }
    for (const input of inputs) this.inputs.push(input)
    if (this.turning) return
    this.turning = true
    void this.turns()
  }

  /** Lets go of the job at once; what is under way is aborted and its outcome ignored. */
  stop(reason: unknown): void {
    this.stopped = true
    for (const input of this.inputs) if ('done' in input) input.done(letGo(this.jobId))
    this.inputs = []
    this.calls.dropAll(reason)
    for (const giveUp of this.waiting) giveUp()
    this.waiting.clear()
    this.returnSlots()
  }

  /** A call that ran out of time, or that nobody wanted any more, may come back after the job was parked. */
  private told(input: Input): void {
    if (!this.parked) this.receive(input)
    else if (input.type === 'outcome') this.host.deliver(this.jobId, input)
  }

  private async turns(): Promise<void> {
    try {
      while (this.inputs.length > 0 && !this.stopped) await this.turn()
      this.turning = false
      if (this.stopped || !this.hasNothingToDo()) return
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
    const hasMail = inputs.some(({ type }) => type === 'inbox')
    const messages = hasMail ? await this.ask((store) => store.inbox(this.jobId)) : []
    const expectedSeq = this.execution.seq
    const turn = new Turn(this.turnHost)
    for (const input of inputs) turn.take(input)
    for (const message of messages) turn.takeMessage(message)
    if (!this.host.isHolding()) turn.begin()
    this.returnSlots()
    while (this.waiting.size < turn.wanted) this.waitForSlot()
    this.granted += turn.perform.length
    await this.commitOf(turn, expectedSeq)
    for (const done of turn.done) done()
    // Whoever stopped it meanwhile has taken the slots back: nothing is performed any more.
    if (this.stopped) return
    this.granted -= turn.perform.length
    this.calls.callOff(this.execution.effects)
    for (const effect of turn.perform) this.calls.perform(effect)
    for (const effect of turn.ask) this.calls.ask(effect)
  }

  /** Whoever waits for what the turn was to write is told, also where that fails. */
  private async commitOf(turn: Turn, expectedSeq: number): Promise<void> {
    if (turn.isEmpty) return
    try {
      await this.commit(turn, expectedSeq)
    } catch (error) {
      for (const done of turn.done) done(letGo(this.jobId))
      throw error
    }
  }

  private performance(effect: Effect): Performance {
    return performanceOf(this.agent, effect, {
      jobInput: this.execution.created?.input as Json,
      previousPlan: () => {
        const { graph } = this.execution
        return graph && { graph, results: new JobSnapshot(this.jobId, this.execution).results }
      },
      spawn: (agent, input, id) => {
        const child = { id: childIdOf(this.jobId, id), source: this.execution.created?.source }
        return this.host.spawn(agent, input, child, { jobId: this.jobId, effect: id })
      },
    })
  }

  // --- slots

  private takeSlot(): boolean {
    if (this.granted === 0) return this.host.effectSlots.tryAcquire()
    this.granted -= 1
    return true
  }

  private returnSlots(): void {
    for (; this.granted > 0; this.granted -= 1) this.host.effectSlots.release()
  }

  private waitForSlot(): void {
    const giveUp = this.host.effectSlots.acquire(this.priority, () => {
      this.waiting.delete(giveUp)
      this.granted += 1
      if (this.stopped) this.returnSlots()
      else this.receive({ type: 'look' })
    })
    this.waiting.add(giveUp)
  }

  // --- what is written

  private async commit({ events, acks, orphans }: Turn, expectedSeq: number): Promise<void> {
    const status = statusOf(this.execution)
    const timers = this.timerChanges()
    const send = farewells(this.jobId, this.execution, { events, orphans }, this.host.clock.now())
    const snapshot = this.snapshotIfDue(status)
    const commit: Commit = { lease: this.lease, expectedSeq, events }
    if (status !== this.status) commit.status = status
    if (timers !== undefined) commit.timers = timers
    if (acks.length > 0) commit.acks = acks
    if (send.length > 0) commit.send = send
    if (events.some(({ type }) => type === 'job.restarted')) commit.reopen = true
    if (snapshot !== undefined) commit.snapshot = snapshot
    await this.ask((store) => store.commit(commit))
    this.status = status
    for (const { dueAt } of timers?.set ?? []) this.host.timerSet(dueAt)
    this.host.committed(this, events, send)
    performActions(this.execution, (error) => this.host.problem(this.jobId, error))
  }

  private ask<T>(question: (store: JobStore) => Promise<T>): Promise<T> {
    return untilAnswered(
      this.host.clock,
      () => this.stopped,
      () => question(this.host.store),
      (error) => this.host.problem(this.jobId, error),
    )
  }

  private timerChanges(): Commit['timers'] | undefined {
    const now = this.execution.timers
    if (now.size === 0 && this.storedTimers.size === 0) return undefined
    const added = [...now.values()].filter(({ id }) => !this.storedTimers.has(id))
    const clear = [...this.storedTimers].filter((id) => !now.has(id))
    if (added.length === 0 && clear.length === 0) return undefined
    this.storedTimers = new Set(now.keys())
    return { set: added.map(({ id, dueAt }) => ({ id, dueAt })), clear }
  }

  /** A snapshot when the job goes to rest, so that waking it costs no replay, and when the tail has grown long. */
  private snapshotIfDue(status: JobStatus): Commit['snapshot'] {
    const { seq, isEnded } = this.execution
    if (isEnded || seq === this.snapshotSeq) return undefined
    const isResting = status !== 'running' && this.calls.attemptsUnderWay === 0
    const tail = seq - this.snapshotSeq
    const isLong = tail >= this.host.snapshotEvery && tail * charactersPerEvent >= this.snapshotSize
    if (!isResting && !isLong) return undefined
    const state = this.execution.persist()
    this.snapshotSeq = seq
    this.snapshotSize = JSON.stringify(state).length
    return { seq, machine: snapshotKey(this.agent), state }
  }

  private hasNothingToDo(): boolean {
    if (this.inputs.length > 0 || this.waiting.size > 0 || this.calls.areUnderWay) return false
    return this.execution.isEnded || this.host.isHolding() || statusOf(this.execution) !== 'running'
  }
}

function letGo(jobId: string): AetherisError {
  const message = `The runtime let go of job "${jobId}" before the command was applied.`
  return new AetherisError('RUNTIME_CLOSED', message, { jobId })
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
