import { assert } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import { JobActor, type Program } from '../compile/actor.ts'
import type { Budget, BudgetLimit, Usage } from '../event/budget.ts'
import type { EventBody, EventData } from '../event/event.ts'
import type { TaskGraph } from '../graph/graph.ts'
import { type CallInput, type Effect, mayHaveHappened, type SpawnInput, type Timer } from './effect.ts'
import { Orphans } from './orphans.ts'
import { Pending, type PersistedPending } from './pending.ts'
import { remaining } from './rerun.ts'
import { Signals } from './signals.ts'

/** Gives the program of a job: of a plan (made once for all jobs with the same plan), or of a hand-written machine. */
export interface Programs {
  ofPlan(graph: TaskGraph, hash: string): Program
  ofMachine(agent: string): Program | undefined
  /** What the history keeps of what a call is given. */
  recorded(agent: string, call: CallInput): Json
}

/** What the machine of a job announces, and the seq of the event that made it so. */
export interface Announcement {
  body: EventBody
  cause: number
}

/** Why nothing new is started, or why the job is ending: who asked for it, or which limit was reached. */
export interface Held {
  type: 'paused' | 'budgetExceeded' | 'cancelling'
  since: number
  by?: string
  reason?: string
  limit?: BudgetLimit
  max?: number
  used?: number
}

/** Everything that the fold of a history comes to. Changed by the events alone: see inputs.ts, notes.ts, observe.ts. */
export class FoldState {
  readonly programs: Programs
  actor: JobActor | undefined
  /** What is still to be announced, in this order. */
  queue: Announcement[] = []
  pending = new Pending()
  signals = new Signals()
  readonly orphans = new Orphans()
  /** Nodes that settle without an effect, and have not yet. */
  undecided: string[] = []
  isEnded = false
  /** What the job had done is being undone, or was. */
  wasUndone = false
  /** Number of events applied. */
  seq = 0
  /** seq of the plan that runs, or undefined for a hand-written machine. */
  planSeq: number | undefined
  graph: TaskGraph | undefined
  created: EventData<'job.created'> | undefined
  /** How others define the tools that the job may call, as far as is recorded. */
  origins: EventData<'tools.listed'>['tools'] = {}
  createdAt = 0
  budget: Budget = {}
  readonly usage: Usage = { steps: 0, toolCalls: 0, cost: 0, tokens: 0, microUnits: 0 }
  /** How long the job waits for what is under way when it ends. */
  graceMs = 0
  held: Held | undefined

  constructor(programs: Programs) {
    this.programs = programs
  }

  get live(): JobActor {
    assert(this.actor !== undefined, 'a history begins with job.created')
    return this.actor
  }

  announce(body: EventBody): void {
    this.queue.push({ body, cause: this.seq })
  }

  arm(effect: string | undefined, purpose: Timer['purpose'], dueAt: number): void {
    const timer = this.pending.nextTimer()
    const data = { timer, purpose, dueAt, ...(effect === undefined ? {} : { effect }) }
    this.announce({ type: 'timer.armed', data })
  }

  /** What the history keeps of what an effect is given. */
  recorded({ kind, input }: Effect): Json {
    if (kind === 'plan') return null
    if (kind === 'spawn') return (input as SpawnInput).input
    if (kind !== 'call') return (input ?? null) as Json
    return this.programs.recorded(this.created?.agent ?? '', input as CallInput)
  }

  /** Ends an effect that is not waited for. What may have happened is unknown then, so that it is undone. */
  callOff(effect: Effect, reason: 'crash' | 'cancelled'): void {
    const { id, attempt } = effect
    if (mayHaveHappened(effect)) this.announce({ type: 'node.outcome_unknown', data: { effect: id, attempt, reason } })
    this.announce({ type: 'node.cancelled', data: { effect: id, attempt } })
  }

  settle(id: string, outcome: Parameters<JobActor['settle']>[1]): void {
    const effect = this.pending.effects.get(id)
    assert(effect !== undefined, `there is no pending effect ${id}`)
    this.pending.forget(id)
    this.live.settle(effect.path, outcome)
  }

  /** Nothing is left to be done for the job. Signals that nobody has taken stay: it may be restarted. */
  close(): void {
    this.isEnded = true
    for (const effect of this.pending.effects.values()) this.orphans.add(effect)
    this.pending.clear()
    this.queue = []
  }

  persist(): Json {
    return {
      seq: this.seq,
      planSeq: this.planSeq ?? null,
      createdAt: this.createdAt,
      budget: this.budget,
      usage: { ...this.usage },
      graceMs: this.graceMs,
      origins: this.origins,
      held: this.held ?? null,
      actor: this.live.persist(),
      queue: this.queue as unknown as Json,
      pending: this.pending.persist() as unknown as Json,
      signals: this.signals.persist(),
      undecided: this.undecided,
      wasUndone: this.wasUndone,
      isEnded: this.isEnded,
    } as Json
  }

  static restore(
    programs: Programs,
    state: Json,
    created: EventData<'job.created'>,
    plan: { graph: Json; hash: string } | undefined,
  ): FoldState {
    const kept = state as unknown as PersistedState
    const { seq, createdAt, budget, graceMs, origins, queue, undecided, wasUndone, isEnded } = kept
    const fold = Object.assign(new FoldState(programs), { seq, createdAt, budget, graceMs, origins, queue })
    Object.assign(fold, { undecided, wasUndone, isEnded, created })
    Object.assign(fold.usage, kept.usage)
    fold.planSeq = kept.planSeq ?? undefined
    fold.held = kept.held ?? undefined
    fold.graph = plan?.graph as unknown as TaskGraph | undefined
    fold.actor = JobActor.restore(fold.programOf(kept, plan?.hash), kept.actor)
    fold.pending = Pending.restore(kept.pending, fold.actor.requests())
    fold.signals = Signals.restore(kept.signals)
    return fold
  }

  /** Of a plan that was begun anew, only what was left of it then. */
  private programOf({ actor }: PersistedState, hash: string | undefined): Program | undefined {
    const { created, graph } = this
    if (created?.machine !== undefined) return this.programs.ofMachine(created.agent)
    if (graph === undefined || hash === undefined) return undefined
    const { results } = (actor as unknown as { context: JobActor['kept'] }).context
    const rest = remaining(graph, results, hash)
    return this.programs.ofPlan(rest.graph, rest.hash)
  }
}

interface PersistedState {
  seq: number
  planSeq: number | null
  createdAt: number
  budget: Budget
  usage: Usage
  graceMs: number
  origins: FoldState['origins']
  held: Held | null
  actor: Json
  queue: Announcement[]
  pending: PersistedPending
  signals: Json
  undecided: string[]
  wasUndone: boolean
  isEnded: boolean
}
