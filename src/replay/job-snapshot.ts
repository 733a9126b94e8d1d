import type { ErrorData } from '../base/error.ts'
import { isObject, type Json } from '../base/json.ts'
import type { Phase } from '../compile/actor.ts'
import type { Progress } from '../compile/plan-state.ts'
import type { Budget, Usage } from '../event/budget.ts'
import type { TaskGraph } from '../graph/graph.ts'
import type { NodeResult, Results } from '../graph/result.ts'
import {
  type Approval,
  type CallInput,
  type Effect,
  type EffectKind,
  type EffectStatus,
  nodeOf,
  type SpawnInput,
  type WaitInput,
} from './effect.ts'
import type { Execution } from './execution.ts'
import type { Held } from './state.ts'

/** Something that a job is busy with or waits for. */
export interface Pending {
  effect: string
  kind: EffectKind
  status: EffectStatus
  /** When it came to be so, in epoch milliseconds. */
  since: number
  attempt: number
  /** The tool that is called. */
  tool?: string
  /** The agent whose job it starts. */
  agent?: string
  /** The signal that it waits for. */
  signal?: string
  /** The part of the plan that it is for is ending: it is to stop, and no further attempt is made. */
  isHalted?: boolean
  /** The timer that moves it on, in epoch milliseconds. */
  dueAt?: number
  /** What somebody has to agree to. */
  approval?: Approval
  /** What the attempt reported last. */
  progress?: Json
  /** The job that it waits for. */
  childId?: string
  /** It only starts a job, and does not wait for it. */
  isDetached?: true
}

/** Where a node of a plan stands. */
export type NodeStatus =
  | NodeResult['status']
  | 'blocked'
  | 'approving'
  | 'running'
  | 'waiting'
  | 'sleeping'
  | 'awaiting'
  | 'backoff'

/**
 * What a job looks like after one of its events.
 *
 * Shaped so that XState's `waitFor` and `toPromise` accept a job: `status`, `output`, `error`, `matches`.
 */
export class JobSnapshot<Output = unknown> {
  readonly jobId: string
  /** Number of events that led here. */
  readonly seq: number
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  /** How far the job is in its life. */
  readonly phase: Phase
  /**
   * The state value: `planning`, `{ running: … }`, `{ paused: … }`, `{ budgetExceeded: … }`, `{ failing: … }`,
   * `{ cancelling: … }`, `compensating`, `completed`, `failed`, `cancelled`, `terminated`.
   */
  readonly value: Json
  readonly pending: readonly Pending[]
  /** What a hand-written machine keeps in its context; for a plan, its input and how its nodes ended so far. */
  readonly context: unknown
  readonly output: Output | undefined
  readonly error: ErrorData | undefined
  /** Why it is paused, over its budget or being cancelled. */
  readonly held: Readonly<Held> | undefined
  readonly budget: Readonly<Budget>
  readonly usage: Readonly<Usage>
  readonly #graph: TaskGraph | undefined
  readonly #isHeld: boolean
  readonly #isRevising: boolean
  readonly #isFailing: boolean
  readonly #wasUndone: boolean

  constructor(jobId: string, execution: Execution) {
    const { end, graph } = execution
    this.jobId = jobId
    this.seq = execution.seq
    this.phase = execution.phase
    this.value = execution.value
    this.status = end === undefined ? 'active' : statuses[end.type]
    this.pending = pendingOf(execution)
    this.context = execution.progress
    this.output = end?.type === 'completed' ? (end.output as Output) : undefined
    this.error = end?.type === 'failed' ? end.error : undefined
    this.held = end === undefined ? execution.held : undefined
    this.budget = execution.budget
    this.usage = { ...execution.usage }
    this.#graph = graph
    this.#isHeld = execution.isHeld
    this.#isRevising = execution.isRevising
    this.#isFailing = this.phase === 'running' && execution.isEnding
    this.#wasUndone = execution.wasUndone
  }

  get isPaused(): boolean {
    return isObject(this.value) && 'paused' in this.value
  }

  /** Whether a node has failed the plan, and what is under way is waited for. */
  get isFailing(): boolean {
    return this.#isFailing
  }

  /** Whether what the job had done was undone, since it failed or was cancelled. */
  get wasUndone(): boolean {
    return this.#wasUndone
  }

  /** Whether nothing new is started: the job is paused, or over its budget. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  /** Whether the planner is being asked for another plan while this one runs. */
  get isRevising(): boolean {
    return this.#isRevising
  }

  /** The plan that runs, if the job has one by now. */
  get graph(): TaskGraph | undefined {
    return this.#graph
  }

  /** Each node of the plan, by id; empty for a hand-written machine. */
  get nodes(): Readonly<Record<string, NodeStatus>> {
    return nodesOf(this.#graph, this.results, this.pending)
  }

  /** Where a node of the plan stands; undefined where there is no such node. */
  nodeStatus(node: string): NodeStatus | undefined {
    const { nodes } = this
    return Object.hasOwn(nodes, node) ? nodes[node] : undefined
  }

  /** How each node of the job's plans has ended that has. */
  get results(): Results {
    return this.#graph === undefined ? {} : (this.context as Progress).nodes
  }

  /**
   * Whether the job is in a state: `completed`, `running`, `running.review.waiting` (the state value), or
   * `review.waiting`, `publish.skipped` (where a node stands, also after the plan has moved on).
   */
  matches(path: string): boolean {
    const [first = '', ...rest] = path.split('.')
    const status = this.nodeStatus(first)
    if (status !== undefined && rest.length <= 1) return rest.length === 0 || status === rest[0]
    const body = isObject(this.value) ? Object.values(this.value)[0] : undefined
    return isIn(this.value, path.split('.')) || (body !== undefined && isIn(body, path.split('.')))
  }
}

const statuses = { completed: 'done', failed: 'error', cancelled: 'stopped', terminated: 'stopped' } as const

function isIn(value: Json, path: string[]): boolean {
  const [first, ...rest] = path
  if (first === undefined) return true
  if (typeof value === 'string') return value === first && rest.length === 0
  return isObject(value) && Object.hasOwn(value, first) && isIn(value[first] as Json, rest)
}

function pendingOf(execution: Execution): Pending[] {
  const due = new Map<string, number>()
  for (const { effect, dueAt } of execution.timers.values()) {
    if (effect !== undefined) due.set(effect, Math.min(dueAt, due.get(effect) ?? Number.POSITIVE_INFINITY))
  }
  return [...execution.effects.values()].map((effect) => pendingOfEffect(effect, due.get(effect.id)))
}

function pendingOfEffect(effect: Effect, dueAt: number | undefined): Pending {
  const { id, kind, status, since, attempt, input, isHalted, approval, progress, childId } = effect
  // Field by field: this is done after every commit, and spreading is several times slower.
  const pending: Pending = { effect: id, kind, status, since, attempt }
  if (kind === 'call') pending.tool = (input as CallInput).tool
  if (kind === 'wait') pending.signal = (input as WaitInput).signal
  if (isHalted) pending.isHalted = isHalted
  if (dueAt !== undefined) pending.dueAt = dueAt
  if (approval !== undefined) pending.approval = approval
  if (progress !== undefined) pending.progress = progress
  if (childId !== undefined) pending.childId = childId
  if (kind === 'spawn') pending.agent = (input as SpawnInput).agent
  if (kind === 'spawn' && (input as SpawnInput).detach) pending.isDetached = true
  return pending
}

function nodesOf(
  graph: TaskGraph | undefined,
  results: Results,
  pending: readonly Pending[],
): Record<string, NodeStatus> {
  if (graph === undefined) return {}
  const active = new Map<string, EffectStatus>()
  // A node of several parts stands where the last of them does.
  for (const { effect, status } of pending) active.set(nodeOf(effect), status)
  const nodes: Record<string, NodeStatus> = {}
  for (const { id } of graph.nodes) {
    const status = active.get(id)
    nodes[id] = results[id]?.status ?? (status === undefined ? 'blocked' : (shown[status] ?? (status as NodeStatus)))
  }
  return nodes
}

const shown: Partial<Record<EffectStatus, NodeStatus>> = {
  requested: 'running',
  started: 'running',
  ready: 'running',
  interrupted: 'running',
  answered: 'waiting',
}
