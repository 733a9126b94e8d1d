import type { z } from 'zod'
import type { ApprovalPolicy } from '../event/approval.ts'
import { Builder } from './build.ts'
import type { RetryPolicy, TaskGraph } from './graph.ts'
import { planInvalid } from './issue.ts'
import type { When } from './question.ts'
import type { AgentLike, Arg, Ref, Referred, Settled, SignalLike, ToolLike } from './ref.ts'
import type { Undo } from './undo.ts'
import { checkGraph, type Known } from './validate.ts'

/** Plans written in code. Pure: the same function with the same input builds the same plan. */

/** What every node may be given. `W` is the type of its `when`. */
export interface NodeOptions<W = When | undefined> {
  /** Nodes that must have settled first, beside those that are referred to. */
  after?: readonly Ref<unknown>[]
  /** The node is skipped unless this holds, and then it has no output. */
  when?: W
}

export type OnFailure = 'compensate' | 'fail' | 'continue'

export interface FailureOptions<F = OnFailure | undefined> {
  /**
   * What becomes of the job when the node fails. `compensate` (default): what completed is undone where that is
   * declared, latest first, and the job fails. `fail`: it fails without undoing. `continue`: the node has no output.
   */
  onFailure?: F
  /** Time in milliseconds for the node with all its attempts and the pauses between. Default: none. */
  deadlineMs?: number
}

export interface CallOptions<W = When | undefined, F = OnFailure | undefined, O = unknown>
  extends NodeOptions<W>,
    FailureOptions<F> {
  /** Overrides the tool's own, key by key. */
  retry?: RetryPolicy
  /** Time in milliseconds for one attempt; overrides the tool's own. */
  timeoutMs?: number
  /** Who has to agree before the call is made, where the tool does not already say so. */
  approval?: ApprovalPolicy
  /** The call that undoes this one, when the job fails or is cancelled after it completed. */
  compensate?: (output: Ref<O>) => Undo
}

export type OnItemFailure = 'fail' | 'collect'

export interface MapOptions<
  W = When | undefined,
  F = OnFailure | undefined,
  C = OnItemFailure | undefined,
  O = unknown,
  T = unknown,
> extends Omit<CallOptions<W, F>, 'compensate'> {
  /** Items under way at a time. Default 10. */
  concurrency?: number
  /** `fail` (default): the first item that fails ends the map. `collect`: each item tells how it ended. */
  onItemFailure?: C
  /** The call that undoes one item. */
  compensate?: (output: Ref<O>, item: Ref<Referred<T>>, index: Ref<number>) => Undo
}

/** How one item of a map ended that collects failures. */
export type ItemResult<O> =
  | { status: 'completed'; output: O }
  | { status: 'failed'; error: { name: string; message: string; code?: string } }

export interface WaitOptions<W = When | undefined, T = number | undefined> extends NodeOptions<W> {
  /** How long to wait; after that the node has no output. Default: for ever. */
  timeoutMs?: T
}

export interface SpawnOptions<W = When | undefined, F = OnFailure | undefined, O = unknown>
  extends NodeOptions<W>,
    FailureOptions<F> {
  /** What becomes of a child that still runs when its parent ends. Default `cancel`; a detached one is abandoned. */
  onParentEnd?: 'cancel' | 'terminate' | 'abandon'
  compensate?: (output: Ref<O>) => Undo
}

/** One way that a plan may go on. The one without `when` is taken where no other is. */
export interface Case<T> {
  when?: When
  /** Adds the nodes of this way, all of which are skipped unless it is taken. */
  plan: (graph: Graph) => T
}

export interface LoopOptions<S, W = When | undefined, F = OnFailure | undefined> extends NodeOptions<W> {
  /** Asked after each iteration, of the state that it gave. */
  until: (state: Ref<S>, iteration: Ref<number>) => When
  /** Iterations at most. */
  max: number
  /** Where these were not enough: `fail` (default), or `stop` with the last state. */
  onMax?: 'fail' | 'stop'
  onFailure?: F
}

type OptionalWhen = When | undefined
type OptionalFailure = OnFailure | undefined
/** Undefined is a possible output of a node that has an option of type `W`. */
type Unless<W> = [W] extends [undefined] ? never : undefined
type Failing<F> = 'continue' extends F ? undefined : never
type Collected<C, O> = C extends 'collect' ? ItemResult<O> : O

/** What an agent's `plan` builds its TaskGraph with. */
export interface Graph {
  /** Calls a tool. Under `when`, or where it may fail, the output may be undefined. */
  call<
    I extends z.ZodType,
    O extends z.ZodType,
    W extends OptionalWhen = undefined,
    F extends OptionalFailure = undefined,
  >(
    id: string,
    tool: ToolLike<I, O>,
    input: Arg<z.input<I>>,
    options?: CallOptions<W, F, z.output<O>>,
  ): Ref<z.output<O> | Unless<W> | Failing<F>>

  /** Calls a tool for each item of a list that may be known only later; the outputs are in order of the items. */
  map<
    T,
    I extends z.ZodType,
    O extends z.ZodType,
    W extends OptionalWhen = undefined,
    F extends OptionalFailure = undefined,
    C extends OnItemFailure | undefined = undefined,
  >(
    id: string,
    tool: ToolLike<I, O>,
    over: Ref<readonly T[]> | readonly T[],
    /** Called once, to make the input of every item's call. */
    input: (item: Ref<Referred<T>>, index: Ref<number>) => Arg<z.input<I>>,
    options?: MapOptions<W, F, C, z.output<O>, T>,
  ): Ref<Collected<C, z.output<O>>[] | Unless<W> | Failing<F>>

  /** Waits for a signal. With `timeoutMs`, or under `when`, the payload may be undefined. */
  wait<P extends z.ZodType, W extends OptionalWhen = undefined, T extends number | undefined = undefined>(
    id: string,
    signal: SignalLike<P>,
    options?: WaitOptions<W, T>,
  ): Ref<z.output<P> | Unless<W> | Unless<T>>

  /** Waits for `ms` milliseconds, across any downtime. */
  sleep(id: string, ms: number, options?: NodeOptions): Ref<void>

  /** Starts a job of another agent and waits for its output; with `detach`, only until it exists. */
  spawn<
    I extends z.ZodType,
    O extends z.ZodType,
    W extends OptionalWhen = undefined,
    F extends OptionalFailure = undefined,
  >(
    id: string,
    agent: AgentLike<I, O>,
    input: Arg<z.input<I>>,
    options: SpawnOptions<W, F, { jobId: string }> & { detach: true },
  ): Ref<{ jobId: string } | Unless<W> | Failing<F>>
  spawn<
    I extends z.ZodType,
    O extends z.ZodType,
    W extends OptionalWhen = undefined,
    F extends OptionalFailure = undefined,
  >(
    id: string,
    agent: AgentLike<I, O>,
    input: Arg<z.input<I>>,
    options?: SpawnOptions<W, F, z.output<O>> & { detach?: false },
  ): Ref<z.output<O> | Unless<W> | Failing<F>>

  /** Goes one of several ways, the first whose `when` holds. The output is what that way returned. */
  choose<C extends Record<string, Case<unknown>>>(
    id: string,
    cases: C,
    options?: NodeOptions,
  ): Ref<{ [K in keyof C]: Settled<ReturnType<C[K]['plan']>> }[keyof C] | undefined>

  /** Runs a plan of its own again and again; what it returns is the next state, and the last one the output. */
  loop<S, W extends OptionalWhen = undefined, F extends OptionalFailure = undefined>(
    id: string,
    start: Arg<S>,
    body: (graph: Graph, state: Ref<S>, iteration: Ref<number>) => Arg<S>,
    options: LoopOptions<S, W, F>,
  ): Ref<S | Unless<W> | Failing<F>>

  /**
   * Has the planner asked for the next plan, with the results so far: when every node has settled, or when one has
   * failed. Only for agents with a planner.
   */
  revise(when: { onSettled?: boolean; onFailure?: boolean }): void
}

/**
 * Runs `define` and gives the plan that it built; what `define` returns is what a job results in.
 * @throws AetherisError PLAN_INVALID at the mistake where that is known, with `issues`.
 */
export function buildGraph(define: (graph: Graph) => unknown, known?: Known): TaskGraph {
  const builder = new Builder()
  // The methods of Graph are typed by their schemas; the builder is not.
  const draft = builder.finish(define(builder as unknown as Graph))
  const { graph, issues } = checkGraph(draft, known ?? builder.named)
  if (graph === undefined) throw planInvalid(issues)
  return graph
}
