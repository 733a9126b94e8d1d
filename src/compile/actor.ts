import { type AnyActorRef, type AnyEventObject, type AnyStateMachine, createActor } from 'xstate'
import type { Outcome } from '../../machines/inert.ts'
import { type JobContext, type JobControl, jobMachine } from '../../machines/job.ts'
import { type AetherisError, assert, type ErrorData, toErrorData } from '../base/error.ts'
import { deepFreeze, isObject, type Json, toJson } from '../base/json.ts'
import type { Compensation, Results } from '../graph/result.ts'
import { jobBody, withBody } from './body.ts'
import { collectActions } from './deferred.ts'
import { contextOf, findUnkept, withErrorData } from './kept.ts'
import { carryParts } from './parts.ts'
import { planContextOf, progressOf } from './plan-state.ts'
import { addresseeOf, collectPlanned } from './planned.ts'
import { pure } from './purity.ts'
import { actorAt, collectRequest, collectRequests, type Request } from './requests.ts'
import { eventTypeOf } from './signal-event.ts'

/**
 * The XState actor of one job: the one file that drives XState.
 *
 * The actor lives, but does nothing: all its leaves are inert. It is stepped only through this class, so its state
 * is a function of the steps. What a machine is given is frozen, since it belongs to the history. Only XState's public
 * API is used; session ids and other process-wide state of XState never leave this file.
 */

/** What a job runs: the machine in the middle of its life. */
export interface Program {
  /** Names machine, code and XState version; a snapshot is of use only to the same program. */
  hash: string
  name: string
  body: AnyStateMachine
  /** Made by our compiler, so it needs no watching for impurity. */
  compiled: boolean
}

export type JobEnd =
  | { type: 'completed'; output: Json }
  | { type: 'failed'; error: ErrorData }
  | { type: 'cancelled' }
  | { type: 'terminated' }

/** How far a job is in its life; see machines/job.ts. */
export type Phase = 'planning' | 'running' | 'cancelling' | 'compensating' | JobEnd['type']

export const plannerPath = 'job.planner'
/** Before what undoes a node: `job.undo/book`. */
const sagaPrefix = 'job.undo/'
/** What a hand-written machine is sent when its job is cancelled, where it listens. */
const cancelEvent = 'job.cancel'

type RootActor = ReturnType<typeof createActor<typeof jobMachine>>

export class JobActor {
  private readonly root: RootActor
  private program: Program | undefined
  private deferred: (() => unknown)[] = []
  /** Why a hand-written machine can't go on: MACHINE_IMPURE or MACHINE_UNSUPPORTED. */
  violation: AetherisError | undefined
  /** Functions of a hand-written machine that its last step called, by name. */
  called: readonly string[] = []
  /** Outlives its end: XState drops a child that is done, but people still want to see how it ended. */
  private lastBody: AnyActorRef | undefined

  private constructor(program: Program | undefined, options: Parameters<typeof createActor<typeof jobMachine>>[1]) {
    this.program = program
    this.root = this.step(() => {
      const actor = createActor(machine, { ...options, logger: () => {} })
      actor.subscribe({
        // A body that ends in the step that starts it is seen nowhere else.
        next: ({ children }) => {
          this.lastBody = children['body'] ?? this.lastBody
        },
        error: () => {}, // a failure is read off the state; unobserved, XState would throw it
      })
      return actor.start()
    })
    this.judge()
  }

  /** A new job; without a program it begins by asking its planner for one. */
  static start(program: Program | undefined, input: Json, planner: string): JobActor {
    const isPlan = program === undefined || program.compiled
    const planned = program !== undefined
    return new JobActor(program, { input: { input: isPlan ? input : deepFreeze(input), isPlan, planned, planner } })
  }

  /** A job as {@link JobActor.persist} left it. */
  static restore(program: Program | undefined, state: Json): JobActor {
    return new JobActor(program, { snapshot: state as never, input: undefined as never })
  }

  /** Begins to run the program that the planner has made. */
  adopt(program: Program): void {
    this.program = program
    this.settle(plannerPath, { type: 'aetheris.done', output: null })
  }

  /**
   * The same job, whose body begins anew as `program`, on what is kept of the old one. A part that is under way goes on
   * where it is, if its node is one that `goesOn` names.
   */
  rerun(
    program: Program,
    kept: { results: Results; undo: readonly Compensation[] },
    goesOn: (node: string) => boolean,
  ): JobActor {
    const before = this.persist() as { children: Record<string, Json> }
    const { body: _, ...others } = before.children
    const next = JobActor.restore(program, { ...before, children: others } as Json)
    next.control({ type: 'job.rerun', ...kept })
    const carried = carryParts(before, next.persist(), goesOn)
    return carried === undefined ? next : JobActor.restore(program, carried)
  }

  /** Tells a pending effect its outcome. */
  settle(path: string, outcome: Outcome): void {
    const addressee = this.addresseeOf(path, this.isPlan ? outcome : deepFreeze(outcome))
    assert(addressee !== undefined, `there is no pending effect at ${path}`)
    const [ref, event] = addressee
    this.move(() => ref.send(event))
  }

  /** Sends a signal to a hand-written machine. */
  signal(name: string, payload: Json): void {
    const fields = isObject(payload) ? payload : { payload }
    const type = (this.program && eventTypeOf(this.program.body, name)) ?? name
    this.move(() => this.body?.send(deepFreeze({ ...fields, type })))
  }

  /** Moves the life around the body. */
  control(event: JobControl): void {
    this.move(() => this.root.send(event))
  }

  /** Ends the job as soon as its body has had its say, where it has one. */
  cancel(): void {
    const heard = this.phase === 'running' && (this.isPlan || this.listens(cancelEvent))
    this.control({ type: 'job.cancel', heard })
  }

  private listens(type: string): boolean {
    const snapshot = this.body?.getSnapshot() as { can(event: { type: string }): boolean } | undefined
    return (this.program?.body.events.includes(type) && snapshot?.can({ type })) ?? false
  }

  /**
   * The state value that people read: `planning`, `{ running: { review: 'waiting' } }`, `{ paused: … }`,
   * `{ budgetExceeded: … }`, `{ failing: … }`, `{ cancelling: … }`, `compensating`, `completed`.
   */
  get value(): Json {
    const phase = this.phase
    const inside = phase === 'running' || phase === 'cancelling' ? this.bodyValue : phase
    if (this.isPaused) return { paused: inside }
    if (this.isOverBudget) return { budgetExceeded: inside }
    if (inside === phase) return phase
    return { [phase === 'running' && this.isFailing ? 'failing' : phase]: inside }
  }

  private get bodyValue(): Json {
    return (this.body?.getSnapshot().value ?? null) as Json
  }

  get phase(): Phase {
    const { phase } = this.root.getSnapshot().value
    if (typeof phase === 'object') return phase.running === 'stopping' ? 'cancelling' : 'running'
    return phase === 'created' || phase === 'compensated' ? 'planning' : phase
  }

  get isPaused(): boolean {
    return this.end === undefined && this.root.getSnapshot().value.gate === 'paused'
  }

  /** What a job does to end properly is not held up by its budget. */
  get isOverBudget(): boolean {
    return this.root.getSnapshot().value.gate === 'exceeded' && this.end === undefined && !this.isEnding
  }

  /** Whether the job lets things end, and begins nothing of its plan any more. */
  get isEnding(): boolean {
    const { phase } = this
    return phase === 'cancelling' || phase === 'compensating' || (phase === 'running' && this.isFailing)
  }

  private get isFailing(): boolean {
    return this.isPlan && (this.body?.getSnapshot().context as { halted?: unknown } | undefined)?.halted !== undefined
  }

  /** Whether the planner is being asked while the body runs. */
  get isRevising(): boolean {
    return this.root.getSnapshot().value.revision === 'asking'
  }

  get isPlan(): boolean {
    return this.root.getSnapshot().context.isPlan
  }

  get end(): JobEnd | undefined {
    const { value, context } = this.root.getSnapshot()
    if (value.phase === 'completed') return { type: 'completed', output: context.output ?? null }
    if (value.phase === 'cancelled' || value.phase === 'terminated') return { type: value.phase }
    if (value.phase !== 'failed') return undefined
    return { type: 'failed', error: toErrorData(this.violation ?? context.error) }
  }

  /** What a hand-written machine keeps in its context, or how far a plan has come. */
  get context(): unknown {
    const { isPlan, input, results, parts } = this.root.getSnapshot().context
    if (!isPlan) return this.lastBody && contextOf(this.lastBody)
    const { body } = this
    return body === undefined ? { input, nodes: results, undo: parts } : planContextOf(body.getSnapshot().context)
  }

  /** Of {@link JobActor.context}, what everybody may see. */
  get progress(): unknown {
    const { body, isPlan } = this
    if (!isPlan) return this.context
    const { input, results } = this.root.getSnapshot().context
    return body === undefined ? { input, nodes: results } : progressOf(body.getSnapshot().context)
  }

  /** What earlier plans and tries of this one have come to, and what of it can be undone. */
  get kept(): Pick<JobContext, 'results' | 'undo' | 'rounds'> {
    return this.root.getSnapshot().context
  }

  /** The pending effects, in the order in which the machine holds them. */
  requests(): Request[] {
    const found: Request[] = []
    const { planner, reviser, body, saga } = this.children
    if (planner !== undefined) collectRequest(planner, plannerPath, found)
    if (reviser !== undefined) collectRequest(reviser, plannerPath, found)
    if (body !== undefined && this.isPlan) collectPlanned(body, undefined, found)
    if (body !== undefined && !this.isPlan) collectRequests(body, undefined, found)
    for (const [id, call] of Object.entries(saga?.getSnapshot().children ?? {})) {
      // What it undoes has a path of its own, which stays as it is.
      collectRequest(call as AnyActorRef, sagaPrefix + id, found)
    }
    return found
  }

  /** Custom actions that the steps since the last call asked for. */
  takeActions(): (() => unknown)[] {
    const actions = this.deferred
    this.deferred = []
    return actions
  }

  /** The whole state as JSON. */
  persist(): Json {
    const state = this.root.getPersistedSnapshot()
    // Our own plans hold nothing but JSON already.
    if (!this.isByHand) return state as unknown as Json
    return toJson(withErrorData(state), `The state of machine "${this.name}"`, 'MACHINE_UNSUPPORTED')
  }

  /** The body is a hand-written machine, which is watched; our own plans need no watching. */
  private get isByHand(): boolean {
    return this.program !== undefined && !this.program.compiled
  }

  private move(body: () => void): void {
    this.step(body)
    this.judge()
  }

  private step<T>(body: () => T): T {
    const collected = collectActions(() => withBody(this.program?.body, () => this.watched(body)))
    this.deferred.push(...collected.actions)
    return collected.value
  }

  private watched<T>(body: () => T): T {
    if (!this.isByHand) return body()
    let value: T | undefined
    const { violation, called } = pure(this.name, () => {
      value = body()
    })
    this.violation ??= violation
    this.called = called
    return value as T
  }

  /** Fails a machine that a step has shown to be impure, or not to be JSON, also where it swallowed its own error. */
  private judge(): void {
    if (!this.isByHand) return
    if (this.body !== undefined) this.violation ??= findUnkept(this.body, `machine "${this.name}"`)
    if (this.violation !== undefined) this.root.send({ type: 'job.fail', error: toErrorData(this.violation) })
  }

  private get name(): string {
    return this.program?.name ?? ''
  }

  private get children(): { planner?: AnyActorRef; reviser?: AnyActorRef; body?: AnyActorRef; saga?: AnyActorRef } {
    return this.root.getSnapshot().children as Record<string, AnyActorRef>
  }

  private get body(): AnyActorRef | undefined {
    return this.children.body
  }

  /** Who is to be told an outcome, and how. */
  private addresseeOf(path: string, outcome: Outcome): [AnyActorRef, AnyEventObject] | undefined {
    const { planner, reviser, body, saga } = this.children
    // An actor of a hand-written machine may be called like one of ours, but not at the same time.
    const asked = planner ?? reviser
    if (path === plannerPath && asked !== undefined) return [asked, outcome]
    if (saga === undefined && this.isPlan) return body && addresseeOf(body, path, outcome)
    const ref = saga === undefined ? actorAt(body, path) : saga.getSnapshot().children?.[path.slice(sagaPrefix.length)]
    return ref && [ref, outcome]
  }
}

/** The life of every job. */
const machine = jobMachine.provide({ actors: { body: jobBody as never } })
