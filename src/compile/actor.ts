import { type AnyActorRef, type AnyStateMachine, createActor } from 'xstate'
import { type InertLogic, type InertSnapshot, inertLogicOf, type Outcome } from '../../machines/inert.ts'
import { type JobContext, type JobControl, jobMachine } from '../../machines/job.ts'
import { AetherisError, assert, type ErrorData, toErrorData } from '../base/error.ts'
import { type Json, toJson } from '../base/json.ts'
import type { Compensation, Results } from '../graph/result.ts'
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
  /** Where its actor is, below the body: `find`, `read/17`; or `job.planner`, `job.undo/book`. */
  path: string
  logic: InertLogic
  input: unknown
  /** Identity of this occurrence: a state that is left and entered again makes a new one. */
  ref: AnyActorRef
  /** The part of the plan that it belongs to is ending, so it is not to be begun any more. */
  isHalted: boolean
}

export type JobEnd =
  | { type: 'completed'; output: Json }
  | { type: 'failed'; error: ErrorData }
  | { type: 'cancelled' }
  | { type: 'terminated' }

/** How far a job is in its life; see machines/job.ts. */
export type Phase = 'planning' | 'running' | 'cancelling' | 'compensating' | JobEnd['type']

export const plannerPath = 'job.planner'
const sagaPath = 'job.undo'
/** What a hand-written machine is sent when its job is cancelled, where it listens. */
const cancelEvent = 'job.cancel'

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
    const isPlan = program === undefined || program.compiled
    return new JobActor(program, { input: { input, isPlan, planned: program !== undefined, planner } })
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

  /** The same job, whose body begins anew as `program`, on what is kept of the old one. */
  rerun(program: Program, kept: { results: Results; undo: readonly Compensation[] }): JobActor {
    const { children, ...state } = this.persist() as { children: Record<string, Json> }
    const { body: _, ...others } = children
    const next = JobActor.restore(program, { ...state, children: others } as Json)
    next.control({ type: 'job.rerun', ...kept })
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
  control(event: JobControl): void {
    this.step(() => this.root.send(event))
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

  /** Whether a hand-written machine has a transition for this event type, in whatever state. */
  accepts(eventType: string): boolean {
    const events: readonly string[] = this.program?.body.events ?? []
    return events.includes(eventType)
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
    if (!isPlan) return this.lastBody?.getSnapshot().context
    return this.body?.getSnapshot().context ?? { input, nodes: results, undo: parts }
  }

  /** What earlier plans and tries of this one have come to, and what of it can be undone. */
  get kept(): Pick<JobContext, 'results' | 'undo' | 'rounds'> {
    return this.root.getSnapshot().context
  }

  /** The pending effects, in the order in which the machine holds them. */
  requests(): Request[] {
    const found: Request[] = []
    const { planner, reviser, body, saga } = this.children
    if (planner !== undefined) collect(planner, plannerPath, false, found)
    if (reviser !== undefined) collect(reviser, plannerPath, false, found)
    if (body !== undefined) collectChildren(body, '', false, found)
    if (saga !== undefined) collectChildren(saga, `${sagaPath}/`, false, found)
    // A context of a hand-written machine may say what it likes.
    return this.isPlan ? found : found.map((request) => ({ ...request, isHalted: false }))
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

  private get children(): { planner?: AnyActorRef; reviser?: AnyActorRef; body?: AnyActorRef; saga?: AnyActorRef } {
    return this.root.getSnapshot().children as Record<string, AnyActorRef>
  }

  private get body(): AnyActorRef | undefined {
    return this.children.body
  }

  private find(path: string): AnyActorRef | undefined {
    if (path === plannerPath) return this.children.planner ?? this.children.reviser
    const isUndo = path.startsWith(`${sagaPath}/`)
    // The ids of what undoes parts of a node hold slashes themselves.
    if (isUndo) return childOf(this.children.saga, path.slice(sagaPath.length + 1))
    let at = this.body
    for (const id of path.split('/')) at = childOf(at, id)
    return at
  }
}

function childOf(ref: AnyActorRef | undefined, id: string): AnyActorRef | undefined {
  return (ref?.getSnapshot() as { children?: Record<string, AnyActorRef> } | undefined)?.children?.[id]
}

/** The job machine around each body, made once: a machine is a definition, and jobs share it. */
const withBodies = new WeakMap<AnyStateMachine, typeof jobMachine>()

function withBody({ body }: Program): typeof jobMachine {
  const known = withBodies.get(body)
  if (known !== undefined) return known
  const machine = jobMachine.provide({ actors: { body: body as never } })
  withBodies.set(body, machine)
  return machine
}

function collect(ref: AnyActorRef, path: string, isHalted: boolean, found: Request[]): void {
  const snapshot = ref.getSnapshot() as InertSnapshot
  if (snapshot.status !== 'active') return
  const logic = inertLogicOf(ref)
  if (logic === undefined) collectChildren(ref, `${path}/`, isHalted, found)
  else found.push({ path, logic, input: snapshot.input, ref, isHalted })
}

interface ParentSnapshot {
  status: string
  children?: Record<string, AnyActorRef>
  context?: { halted?: unknown }
}

function collectChildren(ref: AnyActorRef, prefix: string, isHalted: boolean, found: Request[]): void {
  const { status, children, context } = ref.getSnapshot() as ParentSnapshot
  if (status !== 'active' || children === undefined) return
  const halted = isHalted || context?.halted !== undefined
  for (const id in children) collect(children[id] as AnyActorRef, prefix + id, halted, found)
}
