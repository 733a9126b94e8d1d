import type { EndedError } from '../../machines/outcome.ts'
import { assert } from '../base/error.ts'
import { canonical, firstDifference, type Json } from '../base/json.ts'
import { JobActor, type Program, type Request } from '../compile/actor.ts'
import type { PlanContext } from '../compile/hydrate.ts'
import type { Budget, Usage } from '../event/budget.ts'
import { type EventBody, type EventData, endTypes, type NewEvent } from '../event/event.ts'
import type { TaskGraph } from '../graph/graph.ts'
import type { Effect, PlanRequestInput, SpawnInput, Timer, WaitInput } from './effect.ts'
import { isEngaged } from './effect.ts'
import { applyNote } from './notes.ts'
import { type Orphan, Orphans } from './orphans.ts'
import { Pending, type PersistedPending } from './pending.ts'
import { keptAfter, keptForRevision, remaining } from './rerun.ts'
import { Signals } from './signals.ts'

/**
 * One job as a fold of its history: the actor, its pending effects, its timers and its unread signals.
 *
 * X1 The state is a function of the events alone: live, recovery and replay all go through `apply`.
 * X2 Announcements follow from the state. Live they are recorded; on replay they are expected, in the same order.
 * X3 Nothing here does I/O, reads a clock or draws a random number; due times count from the event's own `at`.
 */

/** Where a history and its replay part. */
export interface Divergence {
  seq: number
  /** What differs: a path into the event, e.g. `state.running.review` or `data.output`. */
  path: string
  recorded: unknown
  replayed: unknown
}

/** Gives the program of a job: of a plan (made once for all jobs with the same plan), or of a hand-written machine. */
export interface Programs {
  ofPlan(graph: TaskGraph, hash: string): Program
  ofMachine(agent: string): Program | undefined
}

/** What the machine of a job announces, and the seq of the event that made it so. */
interface Announcement {
  body: EventBody
  cause: number
}

/** Types that occur only as announcements. */
const announcedOnly: ReadonlySet<string> = new Set([
  'plan.requested',
  'node.skipped',
  'node.chosen',
  'node.waiting',
  'node.withdrawn',
  'timer.armed',
  'compensation.started',
  'job.completed',
  'job.cancelled',
])

export class Execution {
  private actor: JobActor | undefined
  private readonly programs: Programs
  private queue: Announcement[] = []
  private pending = new Pending()
  private signals = new Signals()
  private readonly orphans = new Orphans()
  private undecided: string[] = []
  private ended = false
  private undoing = false

  /** Number of events applied. */
  seq = 0
  /** seq of the plan that runs, or undefined for a hand-written machine. */
  planSeq: number | undefined
  graph: TaskGraph | undefined
  created: EventData<'job.created'> | undefined
  createdAt = 0
  budget: Budget = {}
  readonly usage: Usage = { steps: 0, toolCalls: 0, cost: 0 }
  private graceMs = 0

  constructor(programs: Programs) {
    this.programs = programs
  }

  get effects(): ReadonlyMap<string, Effect> {
    return this.pending.effects
  }

  get timers(): ReadonlyMap<string, Timer> {
    return this.pending.timers
  }

  get isEnded(): boolean {
    return this.ended
  }

  get isPaused(): boolean {
    return this.actor?.isPaused ?? false
  }

  get isOverBudget(): boolean {
    return this.actor?.isOverBudget ?? false
  }

  /** Whether nothing new may be started. */
  get isHeld(): boolean {
    return this.isPaused || this.isOverBudget
  }

  get isEnding(): boolean {
    return this.actor?.isEnding ?? false
  }

  get phase(): JobActor['phase'] {
    return this.actor?.phase ?? 'planning'
  }

  /** Whether what the job had done was undone, or is being undone. */
  get wasUndone(): boolean {
    return this.undoing
  }

  get isRevising(): boolean {
    return this.actor?.isRevising ?? false
  }

  get value(): Json {
    return this.actor?.value ?? 'created'
  }

  get end(): JobActor['end'] {
    return this.actor?.end
  }

  /** The context of the body; of a plan between two bodies, what there is so far. */
  get context(): unknown {
    return this.actor?.context
  }

  /** What earlier plans of the job have come to. */
  get kept(): JobActor['kept'] {
    return this.live.kept
  }

  /** Whether a hand-written machine knows an event type. */
  accepts(eventType: string): boolean {
    return this.actor?.accepts(eventType) ?? false
  }

  takeActions(): (() => unknown)[] {
    return this.actor?.takeActions() ?? []
  }

  /** Jobs that this one has started and has to let go of, since the last call. */
  takeOrphans(): Orphan[] {
    return this.orphans.take()
  }

  /** Records `body` and all that the machine announces because of it. `stamp` gives what comes from outside. */
  record(body: EventBody, cause: number | null, stamp: () => { id: string; at: number }): NewEvent[] {
    const events: NewEvent[] = []
    const add = (next: EventBody, because: number | null) => {
      const event: NewEvent = { ...next, ...stamp(), v: 1, cause: because, state: null }
      this.apply(event)
      event.state = this.value
      events.push(event)
    }
    add(body, cause)
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) add(next.body, next.cause)
    return events
  }

  /** Applies a recorded event and compares: with what was expected to be announced, and with its recorded state. */
  follow(event: NewEvent): Divergence | undefined {
    const seq = this.seq
    const expected = this.queue.shift()
    if (expected === undefined && announcedOnly.has(event.type)) {
      return { seq, path: 'type', recorded: event.type, replayed: undefined }
    }
    if (expected !== undefined) {
      const { body, cause } = expected
      const recorded = { type: event.type, data: event.data, cause: event.cause }
      const found = differs(seq, [], recorded, { type: body.type, data: body.data, cause })
      if (found !== undefined) return found
    }
    const impossible = this.misfit(event)
    if (impossible !== undefined) return { seq, path: impossible, recorded: event.data, replayed: undefined }
    this.apply(event)
    return differs(seq, ['state'], event.state, this.value)
  }

  /** A recorded event that refers to something the replayed job does not have. */
  private misfit({ type, data }: NewEvent): string | undefined {
    if ((this.actor === undefined) !== (type === 'job.created')) return 'type'
    // What a call gives after all is worth knowing also of a job that has ended.
    if (this.ended) return afterEnd.has(type) ? undefined : 'type'
    if ('effect' in data && data.effect !== undefined && !aboutGone.has(type)) {
      return this.effects.has(data.effect) ? undefined : 'data.effect'
    }
    if (type === 'timer.fired') return this.timers.has(data.timer) ? undefined : 'data.timer'
    return undefined
  }

  private apply(event: NewEvent): void {
    this.count(event)
    if (!this.applyInput(event)) this.note(event)
    if (endTypes.has(event.type)) this.close()
    else if (movesMachine.has(event.type)) this.observe(event.at)
    if (!this.ended) this.matchSignals()
    this.seq += 1
  }

  private count({ type, data }: NewEvent): void {
    if (movesMachine.has(type)) this.usage.steps += 1
    if (type === 'node.started' || type === 'node.attempted') {
      const kind = this.effects.get(data.effect)?.kind
      if (kind === 'call' || kind === 'promise') this.usage.toolCalls += 1
    }
    if ('cost' in data && data.cost !== undefined) this.usage.cost += data.cost
  }

  /** Applies an event that moves the machine or the life around it; false for a note. */
  private applyInput(event: NewEvent): boolean {
    switch (event.type) {
      case 'job.created':
        this.create(event.data, event.at)
        return true
      case 'plan.adopted':
        this.adopt(event.data)
        return true
      case 'plan.revised':
        this.revise(event.data)
        return true
      case 'plan.revision_requested':
        this.live.control({ type: 'job.replan' })
        return true
      case 'node.completed':
        this.complete(event.data)
        return true
      case 'node.failed':
        this.settle(event.data.effect, { type: 'aetheris.error', error: event.data.error })
        return true
      case 'node.cancelled':
        this.cancelEffect(event.data.effect)
        return true
      case 'signal.received':
        this.receive(event.data)
        return true
      case 'timer.fired':
        this.fire(event.data.timer, event.at)
        return true
      default:
        return this.applyControl(event)
    }
  }

  private applyControl(event: NewEvent): boolean {
    switch (event.type) {
      case 'job.paused':
        this.live.control({ type: 'job.pause' })
        return true
      case 'job.resumed':
        this.budget = { ...this.budget, ...event.data.budget }
        this.live.control({ type: 'job.resume' })
        return true
      case 'budget.exceeded':
        this.live.control({ type: 'job.exceed' })
        return true
      case 'job.restarted':
        this.restart(event.data.node)
        return true
      case 'job.cancel_requested':
        this.graceMs = event.data.graceMs ?? this.graceMs
        this.live.cancel()
        return true
      case 'job.terminated':
        this.live.control({ type: 'job.terminate' })
        return true
      case 'job.failed':
        if (this.live.end === undefined) this.live.control({ type: 'job.fail', error: event.data.error })
        return true
      default:
        return false
    }
  }

  private note(event: NewEvent): void {
    applyNote(event, {
      pending: this.pending,
      seq: this.seq,
      announce: (body) => this.announce(body),
      arm: (effect, purpose, dueAt) => this.arm(effect, purpose, dueAt),
    })
  }

  // --- what inputs do

  private create(data: EventData<'job.created'>, at: number): void {
    this.created = data
    this.createdAt = at
    this.budget = data.budget ?? {}
    this.graceMs = data.graceMs
    const program = data.machine === undefined ? undefined : this.programs.ofMachine(data.agent)
    assert(data.machine === undefined || program !== undefined, `agent "${data.agent}" has no machine`)
    this.actor = JobActor.start(program, data.input, data.agent)
    if (this.budget.wallMs !== undefined) this.arm(undefined, 'budget', at + this.budget.wallMs)
  }

  private adopt({ graph, hash }: EventData<'plan.adopted'>): void {
    this.setPlan(graph as unknown as TaskGraph, this.live.kept.results)
    this.forgetPlanners()
    this.actor = this.live.adopt(this.programs.ofPlan(this.graph as TaskGraph, hash))
  }

  /** The next plan: the body goes on with what has settled, and what is under way for the same nodes goes on as well. */
  private revise({ graph, hash }: EventData<'plan.revised'>): void {
    const isIdle = this.phase === 'planning'
    const kept = isIdle ? this.live.kept : keptForRevision(this.graph as TaskGraph, this.live)
    this.setPlan(graph as unknown as TaskGraph, kept.results)
    this.forgetPlanners()
    const program = this.programs.ofPlan(this.graph as TaskGraph, hash)
    if (isIdle) {
      this.actor = this.live.adopt(program)
      return
    }
    this.live.settle('job.planner', { type: 'aetheris.done', output: null })
    this.actor = this.live.rerun(program, kept)
    this.pending.rebind(this.actor.requests())
  }

  private restart(node: string): void {
    const graph = this.graph as TaskGraph
    const kept = keptAfter(graph, this.live, node)
    const rest = remaining(graph, kept.results)
    this.undecided = decidable(rest)
    this.ended = false
    this.undoing = false
    this.actor = this.live.rerun(this.programs.ofPlan(rest.graph, rest.hash), kept)
    this.pending.rebind(this.actor.requests())
  }

  private setPlan(graph: TaskGraph, results: Readonly<Record<string, unknown>>): void {
    this.graph = graph
    this.planSeq = this.seq
    this.undecided = decidable({ graph }).filter((id) => !(id in results))
  }

  private forgetPlanners(): void {
    for (const effect of this.effects.values()) if (effect.kind === 'plan') this.pending.forget(effect.id)
  }

  private complete({ effect, output }: EventData<'node.completed'>): void {
    const kind = this.effects.get(effect)?.kind
    if (kind === 'wait') this.signals.taken(effect)
    this.settle(effect, { type: 'aetheris.done', output: kind === 'wait' ? { payload: output } : output })
  }

  private cancelEffect(id: string): void {
    const { status, class: effectClass } = this.effects.get(id) as Effect
    const ended: EndedError['ended'] = status === 'unknown' && effectClass === 'once' ? 'unknown' : 'cancelled'
    const error: EndedError = { name: 'AetherisError', code: 'JOB_CANCELLED', message: 'The job was ending.', ended }
    this.settle(id, { type: 'aetheris.error', error })
  }

  private receive({ name, payload }: EventData<'signal.received'>): void {
    if (this.created?.machine === undefined) {
      this.signals.receive({ name, payload, seq: this.seq })
      return
    }
    const type = this.accepts(name) ? name : `signal.${name}`
    const fields = typeof payload === 'object' && payload !== null && !Array.isArray(payload) ? payload : { payload }
    this.live.send({ ...fields, type })
  }

  private fire(id: string, at: number): void {
    const timer = this.timers.get(id) as Timer
    this.pending.timers.delete(id)
    const effect = this.effects.get(timer.effect ?? '')
    if (timer.purpose === 'grace') return this.endGrace()
    if (timer.purpose === 'budget') return this.exceedTime(at)
    if (effect === undefined) return
    switch (timer.purpose) {
      case 'retry':
        this.pending.change(effect.id, at, { status: 'ready', cause: this.seq })
        return
      case 'sleep':
        return this.settle(effect.id, { type: 'aetheris.done', output: null })
      case 'timeout':
        return this.settle(effect.id, { type: 'aetheris.done', output: { timedOut: true } })
      case 'deadline':
        return this.passDeadline(effect, at)
      case 'approval':
        return this.closeApproval(effect)
      case 'escalation':
        this.announce({
          type: 'approval.escalated',
          data: { effect: effect.id, to: effect.approval?.policy.escalate?.to ?? [] },
        })
    }
  }

  private passDeadline({ id, status, attempt, class: effectClass, input }: Effect, at: number): void {
    if (status === 'unknown' || status === 'answered') return // somebody is asked, or has answered
    if (status === 'started' && effectClass === 'once') {
      this.announce({ type: 'node.outcome_unknown', data: { effect: id, attempt, reason: 'timeout' } })
      return
    }
    if (status === 'awaiting') this.orphans.add(this.effects.get(id) as Effect)
    this.pending.change(id, at, { status: 'answered' })
    const deadlineMs = (input as { deadlineMs?: number }).deadlineMs
    const message = `The node took longer than ${deadlineMs} ms with all its attempts.`
    const error = { name: 'AetherisError', code: 'TOOL_TIMEOUT', message }
    this.announce({ type: 'node.failed', data: { effect: id, attempt, error } })
  }

  private closeApproval({ id, approval }: Effect): void {
    if (approval === undefined) return
    const { digest, policy } = approval
    const data = { effect: id, digest, option: 'timeout', verdict: policy.onTimeout ?? 'deny' } as const
    this.announce({ type: 'approval.decided', data })
  }

  /** What is under way has had its time to end; from here on nobody waits for it. */
  private endGrace(): void {
    if (!this.live.isPlan) return this.live.control({ type: 'job.kill' })
    for (const effect of this.effects.values()) {
      if (!effect.isHalted || effect.status === 'answered') continue
      const { id, attempt } = effect
      if (effect.status === 'awaiting') this.orphans.add(effect)
      if (effect.status === 'started' && effect.class === 'once') {
        this.announce({ type: 'node.outcome_unknown', data: { effect: id, attempt, reason: 'cancelled' } })
      }
      this.announce({ type: 'node.cancelled', data: { effect: id, attempt } })
    }
  }

  private exceedTime(at: number): void {
    const { wallMs = 0 } = this.budget
    const used = at - this.createdAt
    if (used >= wallMs) this.announce({ type: 'budget.exceeded', data: { limit: 'wallMs', max: wallMs, used } })
  }

  private settle(id: string, outcome: Parameters<JobActor['settle']>[1]): void {
    const { path } = this.effects.get(id) as Effect
    this.pending.forget(id)
    this.live.settle(path, outcome)
  }

  // --- what the machine makes of it

  /** Compares what the machine asks for with what is known, and announces the difference. */
  private observe(at: number): void {
    const requests = this.live.requests()
    for (const effect of this.pending.takeGone(requests)) this.withdraw(effect)
    this.announceDecided()
    for (const request of requests) {
      if (!this.pending.isKnown(request)) this.request(request, at)
      if (request.isHalted) this.halt(request, at)
    }
    this.armGrace(at)
    this.announceUndoing()
    this.announceEnd()
  }

  private request(request: Request, at: number): void {
    const { id, kind, input } = this.pending.add(request, this.seq, at)
    if (kind === 'plan') this.announce({ type: 'plan.requested', data: { ...(input as PlanRequestInput) } })
    if (kind === 'sleep') this.arm(id, 'sleep', at + (input as { ms: number }).ms)
    if (kind === 'wait') {
      const { signal, timeoutMs } = input as WaitInput
      this.announce({ type: 'node.waiting', data: { effect: id, signal } })
      if (timeoutMs !== undefined) this.arm(id, 'timeout', at + timeoutMs)
    }
    if (kind === 'call' || kind === 'spawn') {
      const { deadlineMs } = input as SpawnInput
      if (deadlineMs !== undefined) this.arm(id, 'deadline', at + deadlineMs)
    }
  }

  /** The part of the plan that asked is ending: what has not begun never will, and what has is told to stop. */
  private halt(request: Request, at: number): void {
    const effect = this.pending.effectOf(request)
    if (effect === undefined || effect.isHalted) return
    const { id, attempt } = effect
    const lets = effect.kind === 'spawn' && (effect.input as SpawnInput).onParentEnd === 'abandon'
    if (effect.status === 'awaiting') this.orphans.add(effect)
    this.pending.clearTimers(id)
    if (isEngaged(effect) && !lets) return this.pending.change(id, at, { isHalted: true })
    this.pending.change(id, at, { isHalted: true, status: 'answered' })
    this.announce({ type: 'node.cancelled', data: { effect: id, attempt } })
  }

  /** Bounds how long a job that is ending waits for what is under way. */
  private armGrace(at: number): void {
    const isArmed = [...this.timers.values()].some(({ purpose }) => purpose === 'grace')
    const isQueued = this.queue.some(({ body }) => body.type === 'timer.armed' && body.data.purpose === 'grace')
    if (isArmed || isQueued) return
    const isDraining = this.live.isPlan
      ? [...this.effects.values()].some((effect) => effect.isHalted && effect.status !== 'answered')
      : this.phase === 'cancelling'
    if (isDraining) this.arm(undefined, 'grace', at + this.graceMs)
  }

  private arm(effect: string | undefined, purpose: Timer['purpose'], dueAt: number): void {
    const timer = this.pending.nextTimer()
    const data = { timer, purpose, dueAt, ...(effect === undefined ? {} : { effect }) }
    this.announce({ type: 'timer.armed', data })
  }

  /** The machine has left the state that asked: what is under way has to stop. */
  private withdraw(effect: Effect): void {
    const { id, status } = effect
    this.queue = this.queue.filter(({ body }) => !('effect' in body.data && body.data.effect === id))
    this.signals.giveBack(id)
    if (status === 'awaiting') this.orphans.add(effect)
    if (status === 'requested') this.pending.forget(id)
    else if (this.live.end === undefined) this.announce({ type: 'node.withdrawn', data: { effect: id } })
  }

  private announceDecided(): void {
    if (this.undecided.length === 0) return
    const nodes = (this.live.context as PlanContext | undefined)?.nodes ?? {}
    const open: string[] = []
    for (const node of this.undecided) {
      const result = nodes[node]
      if (result === undefined) open.push(node)
      else if (result.status === 'skipped') this.announce({ type: 'node.skipped', data: { node } })
      else if (result.status === 'completed' && this.isChoice(node)) {
        this.announce({ type: 'node.chosen', data: { node, case: String(result.output) } })
      }
    }
    this.undecided = open
  }

  private isChoice(node: string): boolean {
    return this.graph?.nodes.find(({ id }) => id === node)?.kind === 'choose'
  }

  private announceUndoing(): void {
    if (this.undoing || this.phase !== 'compensating') return
    this.undoing = true
    const effects = this.live.kept.undo.map(({ id }) => `job.undo/${id}`)
    this.announce({ type: 'compensation.started', data: { effects } })
  }

  private announceEnd(): void {
    const end = this.live.end
    if (end?.type === 'completed') this.announce({ type: 'job.completed', data: { output: end.output } })
    if (end?.type === 'failed') this.announce({ type: 'job.failed', data: { error: end.error } })
    if (end?.type === 'cancelled') this.announce({ type: 'job.cancelled', data: {} })
  }

  private matchSignals(): void {
    for (const { effect, signal } of this.signals.match(this.effects.values())) {
      effect.status = 'answered'
      const data = { effect: effect.id, attempt: 1, output: signal.payload }
      this.queue.push({ cause: signal.seq, body: { type: 'node.completed', data } })
    }
  }

  private announce(body: EventBody): void {
    this.queue.push({ body, cause: this.seq })
  }

  private close(): void {
    this.ended = true
    for (const effect of this.effects.values()) if (effect.kind === 'spawn') this.orphans.add(effect)
    this.pending.clear()
    this.signals = new Signals()
    this.queue = []
  }

  private get live(): JobActor {
    assert(this.actor !== undefined, 'a history begins with job.created')
    return this.actor
  }

  // --- snapshots

  /** All of it as JSON, from which {@link Execution.restore} goes on. */
  persist(): Json {
    return {
      seq: this.seq,
      planSeq: this.planSeq ?? null,
      createdAt: this.createdAt,
      budget: this.budget,
      usage: { ...this.usage },
      graceMs: this.graceMs,
      actor: this.live.persist(),
      queue: this.queue as unknown as Json,
      pending: this.pending.persist() as unknown as Json,
      signals: this.signals.persist(),
      undecided: this.undecided,
      undoing: this.undoing,
      ended: this.ended,
    } as Json
  }

  /** What {@link Execution.persist} kept, with the events that it refers to: the first one, and that of the plan. */
  static restore(
    programs: Programs,
    state: Json,
    created: EventData<'job.created'>,
    plan?: { graph: Json; hash: string },
  ): Execution {
    const kept = state as unknown as PersistedExecution
    const execution = new Execution(programs)
    execution.created = created
    execution.createdAt = kept.createdAt
    execution.budget = kept.budget
    Object.assign(execution.usage, kept.usage)
    execution.graceMs = kept.graceMs
    execution.planSeq = kept.planSeq ?? undefined
    if (plan !== undefined) execution.graph = plan.graph as unknown as TaskGraph
    execution.actor = JobActor.restore(execution.programOf(kept, plan?.hash), kept.actor)
    execution.seq = kept.seq
    execution.queue.push(...kept.queue)
    execution.pending = Pending.restore(kept.pending, execution.actor.requests())
    execution.signals = Signals.restore(kept.signals)
    execution.undecided = kept.undecided
    execution.undoing = kept.undoing
    execution.ended = kept.ended
    return execution
  }

  /** Of a plan that was begun anew, only what was left of it then. */
  private programOf({ actor }: PersistedExecution, hash: string | undefined): Program | undefined {
    const { created, graph } = this
    if (created?.machine !== undefined) return this.programs.ofMachine(created.agent)
    if (graph === undefined || hash === undefined) return undefined
    const { results } = (actor as unknown as { context: JobActor['kept'] }).context
    const rest = remaining(graph, results, hash)
    return this.programs.ofPlan(rest.graph, rest.hash)
  }
}

interface PersistedExecution {
  seq: number
  planSeq: number | null
  createdAt: number
  budget: Budget
  usage: Usage
  graceMs: number
  actor: Json
  queue: Announcement[]
  pending: PersistedPending
  signals: Json
  undecided: string[]
  undoing: boolean
  ended: boolean
}

/** Nodes of a plan that settle without an effect, so that only the machine knows how. */
function decidable({ graph }: { graph: TaskGraph }): string[] {
  return graph.nodes.filter((node) => node.when !== undefined || node.kind === 'choose').map(({ id }) => id)
}

/** Events that may refer to an effect that is not pending (any more). */
const aboutGone: ReadonlySet<string> = new Set(['timer.armed', 'node.late_result', 'node.withdrawn'])

/** Events of a job that has ended. */
const afterEnd: ReadonlySet<string> = new Set(['node.late_result', 'job.restarted'])

const movesMachine: ReadonlySet<string> = new Set([
  'job.created',
  'plan.adopted',
  'plan.revised',
  'plan.revision_requested',
  'node.completed',
  'node.failed',
  'node.cancelled',
  'signal.received',
  'timer.fired',
  'job.paused',
  'job.resumed',
  'job.restarted',
  'job.cancel_requested',
  'budget.exceeded',
])

function differs(seq: number, at: string[], recorded: unknown, replayed: unknown): Divergence | undefined {
  const path = firstDifference(recorded, replayed, at)
  if (path === undefined) return undefined
  return {
    seq,
    path: path.join('.'),
    recorded: pick(recorded, path.slice(at.length)),
    replayed: pick(replayed, path.slice(at.length)),
  }
}

function pick(value: unknown, path: (string | number)[]): unknown {
  return path.reduce<unknown>((part, key) => (part as Record<string | number, unknown> | undefined)?.[key], value)
}

/** One text for one state: equal executions give equal text. */
export function fingerprint(execution: Execution): string {
  return canonical(execution.persist())
}
