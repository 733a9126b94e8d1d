import type { AnyActorRef } from 'xstate'
import { inert } from '../../machines/inert.ts'
import { assert, type ErrorData } from '../base/error.ts'
import { canonical, firstDifference, type Json } from '../base/json.ts'
import { JobActor, type Program, type Request } from '../compile/actor.ts'
import type { PlanContext } from '../compile/hydrate.ts'
import { type EventBody, type EventData, endTypes, type NewEvent } from '../event/event.ts'
import type { TaskGraph } from '../graph/graph.ts'
import type { BufferedSignal, Effect, Timer, WaitInput } from './effect.ts'

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
  'node.waiting',
  'node.withdrawn',
  'timer.armed',
  'job.completed',
])

export class Execution {
  private actor: JobActor | undefined
  private readonly programs: Programs
  private queue: Announcement[] = []
  private readonly effectIds = new Map<AnyActorRef, string>()
  private readonly occurrences = new Map<string, number>()
  private readonly effectsById = new Map<string, Effect>()
  private readonly timersById = new Map<string, Timer>()
  private signals: BufferedSignal[] = []
  private undecided: string[] = []
  private timersMade = 0
  private ended = false

  /** Number of events applied. */
  seq = 0
  /** seq of the plan that runs, or undefined for a hand-written machine. */
  planSeq: number | undefined
  graph: TaskGraph | undefined
  created: EventData<'job.created'> | undefined
  /** Nodes whose failure ended the job. */
  readonly failed = new Set<string>()

  constructor(programs: Programs) {
    this.programs = programs
  }

  get effects(): ReadonlyMap<string, Effect> {
    return this.effectsById
  }

  get timers(): ReadonlyMap<string, Timer> {
    return this.timersById
  }

  get isEnded(): boolean {
    return this.ended
  }

  get isPaused(): boolean {
    return this.actor?.paused ?? false
  }

  get value(): Json {
    return this.actor?.value ?? 'created'
  }

  get end(): JobActor['end'] {
    return this.actor?.end
  }

  get context(): unknown {
    return this.actor?.context
  }

  /** Whether a hand-written machine knows an event type. */
  accepts(eventType: string): boolean {
    return this.actor?.accepts(eventType) ?? false
  }

  takeActions(): (() => unknown)[] {
    return this.actor?.takeActions() ?? []
  }

  /** Records `body` and all that the machine announces because of it. `stamp` gives what comes from outside. */
  record(body: EventBody, cause: number | null, stamp: () => { id: string; at: number }): NewEvent[] {
    const events: NewEvent[] = []
    const add = (next: EventBody, because: number | null) => {
      const { id, at } = stamp()
      const event = { type: next.type, data: next.data, id, at, v: 1, cause: because, state: null as Json } as NewEvent
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
    if (this.ended) return type === 'node.late_result' ? undefined : 'type'
    if ('effect' in data && type !== 'timer.armed' && type !== 'node.late_result' && type !== 'node.withdrawn') {
      return this.effectsById.has(data.effect) ? undefined : 'data.effect'
    }
    if (type === 'timer.fired') return this.timersById.has(data.timer) ? undefined : 'data.timer'
    return undefined
  }

  private apply(event: NewEvent): void {
    switch (event.type) {
      case 'job.created':
        this.create(event.data)
        break
      case 'plan.adopted':
        this.adopt(event.data)
        break
      case 'node.completed':
        this.complete(event.data)
        break
      case 'node.failed':
        this.failed.add(event.data.effect.split('/')[0] as string)
        this.settle(event.data.effect, { type: 'aetheris.error', error: event.data.error })
        break
      case 'signal.received':
        this.receive(event.data)
        break
      case 'timer.fired':
        this.fire(event.data.timer)
        break
      case 'job.paused':
        this.live.control({ type: 'job.pause' })
        break
      case 'job.resumed':
        this.live.control({ type: 'job.resume' })
        break
      case 'job.cancelled':
        this.live.control({ type: 'job.cancel' })
        break
      case 'job.failed':
        if (this.live.end === undefined) this.live.control({ type: 'job.fail', error: event.data.error })
        break
      default:
        this.note(event)
    }
    if (endTypes.has(event.type)) this.close()
    else if (movesMachine.has(event.type)) this.observe(event.at)
    if (!this.ended) this.matchSignals()
    this.seq += 1
  }

  /** Events that only change where an effect stands, not the machine. */
  private note(event: NewEvent): void {
    switch (event.type) {
      case 'node.started':
        this.change(event.data.effect, { status: 'started', attempt: 1, class: event.data.class, cause: this.seq })
        break
      case 'node.attempted':
        this.change(event.data.effect, { status: 'started', attempt: event.data.attempt, cause: this.seq })
        break
      case 'node.retried':
        this.retry(event.data, event.at)
        break
      case 'node.outcome_unknown':
        this.change(event.data.effect, { status: 'unknown' })
        break
      case 'node.waiting':
        this.change(event.data.effect, { status: 'waiting', cause: this.seq })
        break
      case 'node.withdrawn':
        this.forget(event.data.effect)
        break
      case 'job.recovered':
        this.interrupt()
        break
      case 'timer.armed': {
        const { timer, effect, purpose, dueAt } = event.data
        this.timersById.set(timer, { id: timer, effect, purpose, dueAt })
        if (purpose === 'sleep') this.change(effect, { status: 'sleeping', cause: this.seq })
      }
    }
  }

  /** Another owner has taken over: what was under way has lost its process, and only its class says what may follow. */
  private interrupt(): void {
    for (const effect of this.effectsById.values()) {
      if (effect.status !== 'started') continue
      if (effect.class !== 'once') this.change(effect.id, { status: 'interrupted', cause: this.seq })
      else
        this.announce({
          type: 'node.outcome_unknown',
          data: { effect: effect.id, attempt: effect.attempt, reason: 'crash' },
        })
    }
  }

  private create(data: EventData<'job.created'>): void {
    this.created = data
    const program = data.machine === undefined ? undefined : this.programs.ofMachine(data.agent)
    assert(data.machine === undefined || program !== undefined, `agent "${data.agent}" has no machine`)
    this.actor = JobActor.start(program, data.input, data.agent)
  }

  private adopt({ graph, hash }: EventData<'plan.adopted'>): void {
    this.setPlan(graph as unknown as TaskGraph)
    this.planSeq = this.seq
    for (const effect of this.effectsById.values()) if (effect.kind === 'plan') this.forget(effect.id)
    this.actor = this.live.adopt(this.programs.ofPlan(this.graph as TaskGraph, hash))
  }

  private setPlan(graph: TaskGraph): void {
    this.graph = graph
    this.undecided = graph.nodes.filter((node) => node.when !== undefined).map((node) => node.id)
  }

  private complete({ effect, output }: EventData<'node.completed'>): void {
    const kind = this.effectsById.get(effect)?.kind
    if (kind === 'wait') this.takeSignal((this.effectsById.get(effect) as Effect).input as WaitInput)
    this.settle(effect, { type: 'aetheris.done', output: kind === 'wait' ? { payload: output } : output })
  }

  private receive({ name, payload }: EventData<'signal.received'>): void {
    if (this.created?.machine === undefined) {
      this.signals.push({ name, payload, seq: this.seq })
      return
    }
    const type = this.accepts(name) ? name : `signal.${name}`
    const fields = typeof payload === 'object' && payload !== null && !Array.isArray(payload) ? payload : { payload }
    this.live.send({ ...fields, type })
  }

  private fire(id: string): void {
    const timer = this.timersById.get(id) as Timer
    this.timersById.delete(id)
    if (timer.purpose === 'retry') this.change(timer.effect, { status: 'ready', cause: this.seq })
    else
      this.settle(timer.effect, {
        type: 'aetheris.done',
        output: timer.purpose === 'sleep' ? null : { timedOut: true },
      })
  }

  private retry({ effect, delayMs }: EventData<'node.retried'>, at: number): void {
    const failures = (this.effectsById.get(effect) as Effect).failures + 1
    this.change(effect, { status: 'backoff', failures })
    this.arm(effect, 'retry', at + delayMs)
  }

  private settle(
    id: string,
    outcome: { type: 'aetheris.done'; output: unknown } | { type: 'aetheris.error'; error: ErrorData },
  ): void {
    const { path } = this.effectsById.get(id) as Effect
    this.forget(id)
    this.live.settle(path, outcome)
  }

  /** Compares what the machine asks for with what is known, and announces the difference. */
  private observe(at: number): void {
    const requests = this.live.requests()
    const wanted = new Set(requests.map((request) => request.ref))
    for (const [ref, id] of this.effectIds) if (!wanted.has(ref)) this.withdraw(ref, id)
    this.announceSkipped()
    for (const request of requests) if (!this.effectIds.has(request.ref)) this.request(request, at)
    this.announceEnd()
  }

  private request({ path, ref, logic, input }: Request, at: number): void {
    const nth = (this.occurrences.get(path) ?? 0) + 1
    this.occurrences.set(path, nth)
    const id = nth === 1 ? path : `${path}#${nth}`
    this.effectIds.set(ref, id)
    const effect: Effect = {
      id,
      path,
      kind: logic.requests,
      input,
      logic,
      status: 'requested',
      attempt: 0,
      failures: 0,
      cause: this.seq,
    }
    this.effectsById.set(id, effect)
    if (effect.kind === 'plan')
      this.announce({ type: 'plan.requested', data: { planner: (input as { planner: string }).planner } })
    if (effect.kind === 'sleep') this.arm(id, 'sleep', at + (input as { ms: number }).ms)
    if (effect.kind === 'wait') {
      const { signal, timeoutMs } = input as WaitInput
      this.announce({ type: 'node.waiting', data: { effect: id, signal } })
      if (timeoutMs !== undefined) this.arm(id, 'timeout', at + timeoutMs)
    }
  }

  private arm(effect: string, purpose: Timer['purpose'], dueAt: number): void {
    this.timersMade += 1
    this.announce({ type: 'timer.armed', data: { timer: `t${this.timersMade}`, effect, purpose, dueAt } })
  }

  /** The machine has left the state that asked: what is under way has to stop. */
  private withdraw(ref: AnyActorRef, id: string): void {
    this.effectIds.delete(ref)
    if (!this.effectsById.has(id)) return // it was just settled
    const { status } = this.effectsById.get(id) as Effect
    this.queue = this.queue.filter(({ body }) => !('effect' in body.data && body.data.effect === id))
    if (status === 'requested') this.forget(id)
    else if (this.live.end === undefined) this.announce({ type: 'node.withdrawn', data: { effect: id } })
  }

  private announceSkipped(): void {
    if (this.undecided.length === 0) return
    const nodes = (this.live.context as PlanContext | undefined)?.nodes ?? {}
    for (const node of this.undecided)
      if (nodes[node]?.status === 'skipped') this.announce({ type: 'node.skipped', data: { node } })
    this.undecided = this.undecided.filter((node) => !(node in nodes))
  }

  private announceEnd(): void {
    const end = this.live.end
    if (end === undefined) return
    if (end.type === 'completed') this.announce({ type: 'job.completed', data: { output: end.output } })
    if (end.type === 'failed') this.announce({ type: 'job.failed', data: { error: end.error } })
  }

  /** Gives each waiting node the oldest unread signal of its name. */
  private matchSignals(): void {
    if (this.signals.length === 0) return
    const given = new Set<BufferedSignal>()
    for (const effect of this.effectsById.values()) {
      if (effect.status !== 'waiting') continue
      const { signal } = effect.input as WaitInput
      const found = this.signals.find(
        (each) => each.name === signal && !given.has(each) && !this.promised.has(each.seq),
      )
      if (found === undefined) continue
      given.add(found)
      effect.status = 'answered'
      this.queue.push({
        cause: found.seq,
        body: { type: 'node.completed', data: { effect: effect.id, attempt: 1, output: found.payload } },
      })
    }
  }

  /** Signals whose node.completed is announced but not applied yet. */
  private get promised(): ReadonlySet<number> {
    return new Set(this.queue.filter(({ body }) => body.type === 'node.completed').map(({ cause }) => cause))
  }

  private takeSignal({ signal }: WaitInput): void {
    const at = this.signals.findIndex((each) => each.name === signal)
    if (at >= 0) this.signals = this.signals.toSpliced(at, 1)
  }

  private announce(body: EventBody): void {
    this.queue.push({ body, cause: this.seq })
  }

  private change(id: string, fields: Partial<Effect>): void {
    const effect = this.effectsById.get(id)
    if (effect !== undefined) Object.assign(effect, fields)
  }

  private forget(id: string): void {
    this.effectsById.delete(id)
    for (const timer of this.timersById.values()) if (timer.effect === id) this.timersById.delete(timer.id)
  }

  private close(): void {
    this.ended = true
    this.effectsById.clear()
    this.timersById.clear()
    this.signals = []
    this.queue = []
  }

  private get live(): JobActor {
    assert(this.actor !== undefined, 'a history begins with job.created')
    return this.actor
  }

  /** All of it as JSON, from which {@link Execution.restore} goes on. */
  persist(): Json {
    return {
      seq: this.seq,
      planSeq: this.planSeq ?? null,
      actor: this.live.persist(),
      queue: this.queue as unknown as Json,
      occurrences: [...this.occurrences] as Json,
      effects: this.persistEffects(),
      timers: [...this.timersById.values()] as unknown as Json,
      signals: this.signals as unknown as Json,
      undecided: this.undecided,
      timersMade: this.timersMade,
      failed: [...this.failed],
      ended: this.ended,
    }
  }

  /** What an effect is given is read off its actor again, unless that has gone before the event that says so. */
  private persistEffects(): Json {
    const asked = new Set(this.effectIds.values())
    const kept = [...this.effectsById.values()].map(
      ({ input, logic: _, ...effect }): KeptEffect =>
        asked.has(effect.id) ? effect : { ...effect, gone: effect.kind === 'wait' ? input : null },
    )
    return kept as unknown as Json
  }

  /** What {@link Execution.persist} kept, with the events that it refers to: the first one, and that of the plan. */
  static restore(
    programs: Programs,
    state: Json,
    created: EventData<'job.created'>,
    plan?: EventData<'plan.adopted'>,
  ): Execution {
    const kept = state as unknown as PersistedExecution
    const execution = new Execution(programs)
    execution.created = created
    execution.planSeq = kept.planSeq ?? undefined
    if (plan !== undefined) execution.setPlan(plan.graph as unknown as TaskGraph)
    const program =
      plan === undefined
        ? created.machine === undefined
          ? undefined
          : programs.ofMachine(created.agent)
        : programs.ofPlan(execution.graph as TaskGraph, plan.hash)
    execution.actor = JobActor.restore(program, kept.actor)
    execution.seq = kept.seq
    execution.queue.push(...kept.queue)
    for (const [path, nth] of kept.occurrences) execution.occurrences.set(path, nth)
    const requests = new Map(execution.actor.requests().map((request) => [request.path, request]))
    for (const { gone, ...effect } of kept.effects) {
      if (gone !== undefined) {
        execution.effectsById.set(effect.id, { ...effect, input: gone, logic: inert(effect.kind) })
        continue
      }
      const request = requests.get(effect.path)
      assert(request !== undefined, `the snapshot has no actor for effect ${effect.id}`)
      execution.effectsById.set(effect.id, { ...effect, input: request.input, logic: request.logic })
      execution.effectIds.set(request.ref, effect.id)
    }
    for (const timer of kept.timers) execution.timersById.set(timer.id, timer)
    execution.signals = kept.signals
    execution.undecided = kept.undecided
    execution.timersMade = kept.timersMade
    for (const node of kept.failed) execution.failed.add(node)
    execution.ended = kept.ended
    return execution
  }
}

/** `gone`: what an effect was given whose actor is no more. */
type KeptEffect = Omit<Effect, 'input' | 'logic'> & { gone?: unknown }

interface PersistedExecution {
  seq: number
  planSeq: number | null
  actor: Json
  queue: Announcement[]
  occurrences: [string, number][]
  effects: KeptEffect[]
  timers: Timer[]
  signals: BufferedSignal[]
  undecided: string[]
  timersMade: number
  failed: string[]
  ended: boolean
}

const movesMachine: ReadonlySet<string> = new Set([
  'job.created',
  'plan.adopted',
  'node.completed',
  'node.failed',
  'signal.received',
  'timer.fired',
  'job.paused',
  'job.resumed',
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
