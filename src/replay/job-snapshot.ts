import type { ErrorData } from '../base/error.ts'
import { isObject, type Json } from '../base/json.ts'
import type { PlanContext } from '../compile/hydrate.ts'
import type { TaskGraph } from '../graph/graph.ts'
import type { EffectKind, EffectStatus, WaitInput } from './effect.ts'
import type { Execution } from './execution.ts'

/** Something that a job is busy with or waits for. */
export interface Pending {
  effect: string
  kind: EffectKind
  status: EffectStatus
  attempt: number
  /** The signal that it waits for. */
  signal?: string
  /** The timer that moves it on, in epoch milliseconds. */
  dueAt?: number
}

/** Where each node of a plan stands. A node in none of these words shows the status of its effect. */
export type NodeStatus =
  | 'blocked'
  | 'running'
  | 'waiting'
  | 'sleeping'
  | 'backoff'
  | 'unknown'
  | 'completed'
  | 'skipped'
  | 'timedOut'
  | 'failed'

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
  /** The state value: `planning`, `{ running: … }`, `{ paused: … }`, `completed`, `failed`, `cancelled`. */
  readonly value: Json
  readonly pending: readonly Pending[]
  /** What a hand-written machine keeps in its context; for a plan, the outputs so far. */
  readonly context: unknown
  readonly output: Output | undefined
  readonly error: ErrorData | undefined
  readonly #graph: TaskGraph | undefined
  readonly #failed: ReadonlySet<string>

  constructor(jobId: string, execution: Execution) {
    const end = execution.end
    this.jobId = jobId
    this.seq = execution.seq
    this.value = execution.value
    this.status = end === undefined ? 'active' : statuses[end.type]
    this.pending = pendingOf(execution)
    this.#graph = execution.graph
    this.#failed = execution.failed
    this.context = execution.context
    this.output = end?.type === 'completed' ? (end.output as Output) : undefined
    this.error = end?.type === 'failed' ? end.error : undefined
  }

  /** Each node of the plan, by id; empty for a hand-written machine. */
  get nodes(): Readonly<Record<string, NodeStatus>> {
    return nodesOf(this.#graph, this.context as PlanContext | undefined, this.pending, this.#failed)
  }

  /**
   * Whether the job is in a state: `completed`, `running`, `running.review.waiting` (the state value), or
   * `review.waiting`, `publish.skipped` (where a node stands, also after the plan has moved on).
   */
  matches(path: string): boolean {
    const [first = '', ...rest] = path.split('.')
    const { nodes } = this
    if (first in nodes && rest.length <= 1) return rest.length === 0 || nodes[first] === rest[0]
    const body = isObject(this.value) ? (this.value['running'] ?? this.value['paused']) : undefined
    return isIn(this.value, path.split('.')) || (body !== undefined && isIn(body, path.split('.')))
  }
}

const statuses = { completed: 'done', failed: 'error', cancelled: 'stopped' } as const

function isIn(value: Json, path: string[]): boolean {
  const [first, ...rest] = path
  if (first === undefined) return true
  if (typeof value === 'string') return value === first && rest.length === 0
  return isObject(value) && first in value && isIn(value[first] as Json, rest)
}

function pendingOf(execution: Execution): Pending[] {
  const due = new Map([...execution.timers.values()].map((timer) => [timer.effect, timer.dueAt]))
  return [...execution.effects.values()].map(({ id, kind, status, attempt, input }) => ({
    effect: id,
    kind,
    status,
    attempt,
    ...(kind === 'wait' ? { signal: (input as WaitInput).signal } : {}),
    ...(due.has(id) ? { dueAt: due.get(id) as number } : {}),
  }))
}

function nodesOf(
  graph: TaskGraph | undefined,
  context: PlanContext | undefined,
  pending: readonly Pending[],
  failed: ReadonlySet<string>,
): Record<string, NodeStatus> {
  if (graph === undefined) return {}
  const results = context?.nodes ?? {}
  const active = new Map<string, EffectStatus>()
  for (const { effect, status } of pending) active.set(effect.split('/')[0] as string, status)
  const nodes: Record<string, NodeStatus> = {}
  for (const { id } of graph.nodes) {
    const status = active.get(id)
    const now = status === undefined ? 'blocked' : (shown[status] ?? (status as NodeStatus))
    nodes[id] = results[id]?.status ?? (failed.has(id) ? 'failed' : now)
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
