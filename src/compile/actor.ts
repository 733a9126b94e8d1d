import { type AnyActorRef, type AnyStateMachine, createActor } from 'xstate'
import { type InertLogic, type InertSnapshot, inertLogicOf, type Outcome } from '../../machines/inert.ts'
import { jobMachine } from '../../machines/job.ts'
import { AetherisError, assert, type ErrorData, toErrorData } from '../base/error.ts'
import { type Json, toJson } from '../base/json.ts'
import { collectActions } from './deferred.ts'
import { pure } from './purity.ts'

/**
 * The XState actor of one job: the one file that drives XState.
 *
 * The actor lives, but does nothing: all its leaves are inert. It is stepped only through this class, so its state
 * is a function of the steps. Only XState's public API is used; session ids and other process-wide state of XState
 * never leave this file.
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

/** A pending effect, as the machine asks for it. */
export interface Request {
  /** Where its actor is, below the body: `find`, `read/17`; or `job.planner`. */
  path: string
  logic: InertLogic
  input: unknown
  /** Identity of this occurrence: a state that is left and entered again makes a new one. */
  ref: AnyActorRef
}

export type JobEnd = { type: 'completed'; output: Json } | { type: 'failed'; error: ErrorData } | { type: 'cancelled' }

export const plannerPath = 'job.planner'

type RootActor = ReturnType<typeof createActor<typeof jobMachine>>

export class JobActor {
  private readonly root: RootActor
  private readonly program: Program | undefined
  private violation: AetherisError | undefined
  private deferred: (() => unknown)[] = []
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
  }

  /** A new job; without a program it begins by asking its planner for one. */
  static start(program: Program | undefined, input: Json, planner: string): JobActor {
    return new JobActor(program, { input: { input, planned: program !== undefined, planner } })
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
    this.step(() => ref.send(outcome))
  }

  /** Sends an event from outside to a hand-written machine. */
  send(event: { type: string }): void {
    this.step(() => this.body?.send(event))
  }

  /** Moves the life around the body. */
  control(event: { type: 'job.pause' | 'job.resume' | 'job.cancel' } | { type: 'job.fail'; error: ErrorData }): void {
    this.step(() => this.root.send(event))
  }

  /** Whether a hand-written machine has a transition for this event type, in whatever state. */
  accepts(eventType: string): boolean {
    const events: readonly string[] = this.program?.body.events ?? []
    return events.includes(eventType)
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
    return this.lastBody?.getSnapshot().context
  }

  /** The pending effects, in the order in which the machine holds them. */
  requests(): Request[] {
    const found: Request[] = []
    const { planner, body } = this.children
    if (planner !== undefined) collect(planner, plannerPath, found)
    if (body !== undefined) collectChildren(body, '', found)
    return found
  }

  /** Custom actions that the steps since the last call asked for. */
  takeActions(): (() => unknown)[] {
    const actions = this.deferred
    this.deferred = []
    return actions
  }

  /**
   * The whole state as JSON.
   * @throws AetherisError MACHINE_UNSUPPORTED when a hand-written machine keeps something else in its context.
   */
  persist(): Json {
    let state: unknown
    try {
      state = this.root.getPersistedSnapshot()
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new AetherisError(
        'MACHINE_UNSUPPORTED',
        `The state of machine "${this.program?.name}" cannot be kept: ${why}`,
        { cause },
      )
    }
    // Our own plans hold nothing but JSON already.
    if (this.program === undefined || this.program.compiled) return state as Json
    return toJson(state, `The state of machine "${this.program.name}"`, 'MACHINE_UNSUPPORTED')
  }

  private step<T>(body: () => T): T {
    const collected = collectActions(() => this.watched(body))
    this.deferred.push(...collected.actions)
    return collected.value
  }

  private watched<T>(body: () => T): T {
    if (this.program === undefined || this.program.compiled) return body()
    let value: T | undefined
    const violation = pure(this.program.name, () => {
      value = body()
    })
    if (violation !== undefined) this.fail(violation)
    return value as T
  }

  /** A machine that swallowed its own impurity fails all the same. */
  private fail(violation: AetherisError): void {
    this.violation ??= violation
    // In the constructor there is no root yet; a machine that is impure from its start has failed by itself.
    const root = this.root as RootActor | undefined
    if (root !== undefined) root.send({ type: 'job.fail', error: toErrorData(violation) })
  }

  private get children(): { planner?: AnyActorRef; body?: AnyActorRef } {
    return this.root.getSnapshot().children as { planner?: AnyActorRef; body?: AnyActorRef }
  }

  private get body(): AnyActorRef | undefined {
    return this.children.body
  }

  private find(path: string): AnyActorRef | undefined {
    if (path === plannerPath) return this.children.planner
    return path.split('/').reduce<AnyActorRef | undefined>((ref, id) => ref?.getSnapshot().children?.[id], this.body)
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

function collect(ref: AnyActorRef, path: string, found: Request[]): void {
  const snapshot = ref.getSnapshot() as InertSnapshot
  if (snapshot.status !== 'active') return
  const logic = inertLogicOf(ref)
  if (logic === undefined) collectChildren(ref, `${path}/`, found)
  else found.push({ path, logic, input: snapshot.input, ref })
}

function collectChildren(ref: AnyActorRef, prefix: string, found: Request[]): void {
  const { status, children } = ref.getSnapshot() as { status: string; children?: Record<string, AnyActorRef> }
  if (status !== 'active' || children === undefined) return
  for (const id in children) collect(children[id] as AnyActorRef, prefix + id, found)
}
