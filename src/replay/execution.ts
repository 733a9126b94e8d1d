import { canonical, firstDifference, type Json, toJson } from '../base/json.ts'
import type { JobActor } from '../compile/actor.ts'
import type { Budget, Usage } from '../event/budget.ts'
import { type EventBody, type EventData, endTypes, type NewEvent } from '../event/event.ts'
import type { Spending } from '../event/spending.ts'
import type { TaskGraph } from '../graph/graph.ts'
import type { Effect, Timer } from './effect.ts'
import { applyInput } from './inputs.ts'
import { applyNote } from './notes.ts'
import { matchSignals, observe } from './observe.ts'
import type { Orphan } from './orphans.ts'
import { FoldState, type Held, type Programs } from './state.ts'

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
  /** Functions of a hand-written machine that the last step called, by name: one of them may be to blame. */
  called?: readonly string[]
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

/** Events that may refer to an effect that is not pending (any more). */
const aboutGone: ReadonlySet<string> = new Set(['timer.armed', 'node.late_result', 'node.withdrawn'])

/** Events of a job that has ended. */
const afterEnd: ReadonlySet<string> = new Set(['node.late_result', 'job.restarted'])

/** Inputs after which the machine may ask for something else. */
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

export class Execution {
  private readonly state: FoldState

  constructor(programs: Programs, state = new FoldState(programs)) {
    this.state = state
  }

  /** Number of events applied. */
  get seq(): number {
    return this.state.seq
  }

  get effects(): ReadonlyMap<string, Effect> {
    return this.state.pending.effects
  }

  get timers(): ReadonlyMap<string, Timer> {
    return this.state.pending.timers
  }

  get created(): EventData<'job.created'> | undefined {
    return this.state.created
  }

  /** How others define the tools that the job may call, as far as is recorded. */
  get origins(): EventData<'tools.listed'>['tools'] {
    return this.state.origins
  }

  get createdAt(): number {
    return this.state.createdAt
  }

  /** seq of the plan that runs; undefined for a hand-written machine. */
  get planSeq(): number | undefined {
    return this.state.planSeq
  }

  /** The plan that runs; undefined for a hand-written machine. */
  get graph(): TaskGraph | undefined {
    return this.state.graph
  }

  get budget(): Readonly<Budget> {
    return this.state.budget
  }

  get usage(): Readonly<Usage> {
    return this.state.usage
  }

  get isEnded(): boolean {
    return this.state.isEnded
  }

  get isPaused(): boolean {
    return this.state.live.isPaused
  }

  /** Whether nothing new may be started: the job is paused, or over its budget. */
  get isHeld(): boolean {
    return this.state.live.isPaused || this.state.live.isOverBudget
  }

  /** Why nothing new is started, or why the job is ending, where somebody or a limit has caused it. */
  get held(): Held | undefined {
    return this.state.held
  }

  /** Whether the job lets things end, and begins nothing of its plan any more. */
  get isEnding(): boolean {
    return this.state.live.isEnding
  }

  /** Whether what the job had done was undone, or is being undone. */
  get wasUndone(): boolean {
    return this.state.wasUndone
  }

  /** Whether the planner is being asked for another plan while this one runs. */
  get isRevising(): boolean {
    return this.state.live.isRevising
  }

  get phase(): JobActor['phase'] {
    return this.state.live.phase
  }

  get value(): Json {
    return this.state.live.value
  }

  get end(): JobActor['end'] {
    return this.state.live.end
  }

  /** What a hand-written machine keeps in its context, or how far a plan has come. */
  get progress(): unknown {
    return this.state.live.progress
  }

  /** Plans that the planner was asked for. */
  get rounds(): number {
    return this.state.live.kept.rounds
  }

  /** Functions of a hand-written machine that its last step called, by name. */
  get called(): readonly string[] {
    return this.state.actor?.called ?? []
  }

  /** Why a hand-written machine can't go on. */
  get violation(): JobActor['violation'] {
    return this.state.live.violation
  }

  takeActions(): (() => unknown)[] {
    return this.state.live.takeActions()
  }

  /** Jobs that this one has started and has to let go of, since the last call. */
  takeOrphans(): Orphan[] {
    return this.state.orphans.take()
  }

  /** Records `body` and all that the machine announces because of it. `stamp` gives what comes from outside. */
  record(body: EventBody, cause: number | null, stamp: () => { id: string; at: number }): NewEvent[] {
    const events: NewEvent[] = []
    const { state } = this
    const add = (next: EventBody, because: number | null) => {
      const { id, at } = stamp()
      const event = { type: next.type, data: next.data, id, at, v: 1, cause: because, state: null as Json } as NewEvent
      this.apply(event)
      event.state = this.value
      events.push(event)
    }
    add(body, cause)
    for (let next = state.queue.shift(); next !== undefined; next = state.queue.shift()) add(next.body, next.cause)
    return events
  }

  /** Applies a recorded event and compares: with what was expected to be announced, and with its recorded state. */
  follow(event: NewEvent): Divergence | undefined {
    const found = this.compare(event)
    return found === undefined || this.called.length === 0 ? found : { ...found, called: this.called }
  }

  private compare(event: NewEvent): Divergence | undefined {
    const { seq } = this
    const expected = this.state.queue.shift()
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
    const otherwise = this.asksOtherwise(event)
    if (otherwise !== undefined) return otherwise
    this.apply(event)
    return differs(seq, ['state'], event.state, this.value)
  }

  /** A call that was begun with something else than the machine asks for now. */
  private asksOtherwise({ type, data }: NewEvent): Divergence | undefined {
    const effect = type === 'node.started' ? this.effects.get(data.effect) : undefined
    if (type !== 'node.started' || effect === undefined) return undefined
    return differs(this.seq, ['data', 'input'], data.input, toJson(this.state.recorded(effect), 'An input'))
  }

  /** A recorded event that refers to something the replayed job does not have. */
  private misfit({ type, data }: NewEvent): string | undefined {
    if ((this.seq === 0) !== (type === 'job.created')) return 'type'
    // What a call gives after all is worth knowing also of a job that has ended.
    if (this.isEnded) return afterEnd.has(type) ? undefined : 'type'
    if ('effect' in data && data.effect !== undefined && !aboutGone.has(type)) {
      return this.effects.has(data.effect) ? undefined : 'data.effect'
    }
    if (type === 'timer.fired') return this.timers.has(data.timer) ? undefined : 'data.timer'
    return undefined
  }

  private apply(event: NewEvent): void {
    const { state } = this
    this.count(event)
    if (!applyInput(state, event)) applyNote(state, event)
    if (endTypes.has(event.type)) state.close()
    else if (movesMachine.has(event.type)) observe(state, event.at)
    if (!state.isEnded) matchSignals(state)
    state.seq += 1
  }

  private count({ type, data }: NewEvent): void {
    const { usage } = this.state
    if (movesMachine.has(type)) usage.steps += 1
    if (type === 'node.started' || type === 'node.attempted') {
      const kind = this.effects.get(data.effect)?.kind
      if (kind === 'call' || kind === 'promise') usage.toolCalls += 1
    }
    if ('cost' in data || 'usage' in data) spend(usage, data)
  }

  /** All of it as JSON, from which {@link Execution.restore} goes on. */
  persist(): Json {
    return this.state.persist()
  }

  /** What {@link Execution.persist} kept, with the events that it refers to: the first one, and that of the plan. */
  static restore(
    programs: Programs,
    state: Json,
    created: EventData<'job.created'>,
    plan?: { graph: Json; hash: string },
  ): Execution {
    return new Execution(programs, FoldState.restore(programs, state, created, plan))
  }
}

function spend(total: Usage, { cost = 0, usage = [] }: Spending): void {
  total.cost += cost
  for (const { inputTokens, outputTokens, price } of usage) {
    total.tokens += inputTokens + outputTokens
    total.microUnits += price?.microUnits ?? 0
  }
}

/** The first difference between two values as a divergence. */
export function differs(seq: number, at: string[], recorded: unknown, replayed: unknown): Divergence | undefined {
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
