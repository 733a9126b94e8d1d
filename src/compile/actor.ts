import { type AnyActorRef, type AnyStateMachine, createActor } from 'xstate'
import type { Outcome } from '../../machines/inert.ts'
import { jobMachine } from '../../machines/job.ts'
import { type AetherisError, assert, type ErrorData, toErrorData } from '../base/error.ts'
import { deepFreeze, isObject, type Json, toJson } from '../base/json.ts'
import { collectActions } from './deferred.ts'
import { contextOf, findUnkept, withErrorData } from './kept.ts'
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

export type JobEnd = { type: 'completed'; output: Json } | { type: 'failed'; error: ErrorData } | { type: 'cancelled' }

export const plannerPath = 'job.planner'

type RootActor = ReturnType<typeof createActor<typeof jobMachine>>

export class JobActor {
  private readonly root: RootActor
  private readonly program: Program | undefined
  private deferred: (() => unknown)[] = []
  /** Why a hand-written machine can't go on: MACHINE_IMPURE or MACHINE_UNSUPPORTED. */
  violation: AetherisError | undefined
  /** Functions of a hand-written machine that its last step called, by name. */
  called: readonly string[] = []
  /** Outlives its end: XState drops a child that is done, but people still want to see how it ended. */
  private lastBody: AnyActorRef | undefined

  private constructor(program: Program | undefined, options: Parameters<typeof createActor<typeof jobMachine>>[1]) {
    this.program = program
    const machine = program === undefined ? jobMachine : withBody(program)
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
    const planned = program !== undefined
    return new JobActor(program, { input: { input: planned ? deepFreeze(input) : input, planned, planner } })
  }

  /** A job as {@link JobActor.persist} left it. */
  static restore(program: Program | undefined, state: Json): JobActor {
    return new JobActor(program, { snapshot: state as never, input: undefined as never })
  }

  /** The same job, ready to run the program that its planner made. */
  adopt(program: Program): JobActor {
    const next = JobActor.restore(program, this.persist())
    next.settle(plannerPath, { type: 'aetheris.done', output: null })
    return next
  }

  /** Tells a pending effect its outcome. */
  settle(path: string, outcome: Outcome): void {
    const ref = this.find(path)
    assert(ref !== undefined, `there is no pending effect at ${path}`)
    this.move(() => ref.send(this.byHand ? deepFreeze(outcome) : outcome))
  }

  /** Sends a signal to a hand-written machine. */
  signal(name: string, payload: Json): void {
    const fields = isObject(payload) ? payload : { payload }
    const type = (this.program && eventTypeOf(this.program.body, name)) ?? name
    this.move(() => this.body?.send(deepFreeze({ ...fields, type })))
  }

  /** Moves the life around the body. */
  control(event: { type: 'job.pause' | 'job.resume' | 'job.cancel' } | { type: 'job.fail'; error: ErrorData }): void {
    this.move(() => this.root.send(event))
  }

  /** The state value that people read: `planning`, `{ running: { review: 'waiting' } }`, `completed`. */
  get value(): Json {
    const value = this.root.getSnapshot().value as Json
    if (typeof value === 'string') return value
    const body = this.body?.getSnapshot().value as Json | undefined
    if (body === undefined) return value
    return (value as { running: string }).running === 'paused' ? { paused: body } : { running: body }
  }

  get paused(): boolean {
    return this.root.getSnapshot().matches({ running: 'paused' })
  }

  get end(): JobEnd | undefined {
    const { value, context } = this.root.getSnapshot()
    if (value === 'completed') return { type: 'completed', output: context.output ?? null }
    if (value === 'cancelled') return { type: 'cancelled' }
    if (value !== 'failed') return undefined
    return { type: 'failed', error: toErrorData(this.violation ?? context.error) }
  }

  /** The context of the body: a plan's results, or what a hand-written machine keeps there. */
  get context(): unknown {
    if (this.lastBody === undefined) return undefined
    return this.byHand ? contextOf(this.lastBody) : this.lastBody.getSnapshot().context
  }

  /** The pending effects, in the order in which the machine holds them. */
  requests(): Request[] {
    const found: Request[] = []
    const { planner, body } = this.children
    if (planner !== undefined) collectRequest(planner, plannerPath, found)
    if (body !== undefined) collectRequests(body, undefined, found)
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
    if (!this.byHand) return state as unknown as Json
    return toJson(withErrorData(state), `The state of machine "${this.name}"`, 'MACHINE_UNSUPPORTED')
  }

  /** The body is a hand-written machine, which is watched; our own plans need no watching. */
  private get byHand(): boolean {
    return this.program !== undefined && !this.program.compiled
  }

  private move(body: () => void): void {
    this.step(body)
    this.judge()
  }

  private step<T>(body: () => T): T {
    const collected = collectActions(() => this.watched(body))
    this.deferred.push(...collected.actions)
    return collected.value
  }

  private watched<T>(body: () => T): T {
    if (!this.byHand) return body()
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
    if (!this.byHand) return
    if (this.body !== undefined) this.violation ??= findUnkept(this.body, `machine "${this.name}"`)
    if (this.violation !== undefined) this.root.send({ type: 'job.fail', error: toErrorData(this.violation) })
  }

  private get name(): string {
    return this.program?.name ?? ''
  }

  private get children(): { planner?: AnyActorRef; body?: AnyActorRef } {
    return this.root.getSnapshot().children as { planner?: AnyActorRef; body?: AnyActorRef }
  }

  private get body(): AnyActorRef | undefined {
    return this.children.body
  }

  private find(path: string): AnyActorRef | undefined {
    const { planner, body } = this.children
    return path === plannerPath && planner !== undefined ? planner : actorAt(body, path)
  }
}

const withBodies = new WeakMap<AnyStateMachine, typeof jobMachine>()

function withBody({ body }: Program): typeof jobMachine {
  const known = withBodies.get(body)
  if (known !== undefined) return known
  const machine = jobMachine.provide({ actors: { body: body as never } })
  withBodies.set(body, machine)
  return machine
}
