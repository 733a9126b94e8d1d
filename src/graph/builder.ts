import type { z } from 'zod'
import { type Place, toTemplate } from './draft.ts'
import { illegalId, isNodeId, type NodeKind, type RetryPolicy, type TaskGraph } from './graph.ts'
import { type Path, planInvalid, problem, quote } from './issue.ts'
import { conditionOf, type When } from './question.ts'
import { type Arg, makeRef, type Ref, type Referred, type SignalLike, type ToolLike, targetOf } from './ref.ts'
import { checkGraph } from './validate.ts'

/** Plans written in code. Pure: the same function with the same input builds the same plan. */

/** What every node may be given. `W` is the type of its `when`. */
export interface NodeOptions<W = When | undefined> {
  /** Nodes that must have settled first, beside those that are referred to. */
  after?: readonly Ref<unknown>[]
  /** The node is skipped unless this holds, and then it has no output. */
  when?: W
}

export interface CallOptions<W = When | undefined> extends NodeOptions<W> {
  /** Overrides the tool's own, key by key. */
  retry?: RetryPolicy
  /** Time for one attempt; overrides the tool's own. */
  timeoutMs?: number
}

export interface MapOptions<W = When | undefined> extends CallOptions<W> {
  /** Items under way at a time. Default 10. */
  concurrency?: number
}

export interface WaitOptions<W = When | undefined, T = number | undefined> extends NodeOptions<W> {
  /** How long to wait; after that the node has no output. Default: for ever. */
  timeoutMs?: T
}

type OptionalWhen = When | undefined
/** Undefined is a possible output of a node that has an option of type `W`. */
type Unless<W> = [W] extends [undefined] ? never : undefined

/** What an agent's `plan` builds its TaskGraph with. */
export interface Graph {
  /** Calls a tool. Under `when` the output may be undefined. */
  call<I extends z.ZodType, O extends z.ZodType, W extends OptionalWhen = undefined>(
    id: string,
    tool: ToolLike<I, O>,
    input: Arg<z.input<I>>,
    options?: CallOptions<W>,
  ): Ref<z.output<O> | Unless<W>>

  /** Calls a tool for each item of a list that may be known only later; the outputs are in order of the items. */
  map<T, I extends z.ZodType, O extends z.ZodType, W extends OptionalWhen = undefined>(
    id: string,
    tool: ToolLike<I, O>,
    over: Ref<readonly T[]> | readonly T[],
    /** Called once, to make the input of every item's call. */
    input: (item: Ref<Referred<T>>, index: Ref<number>) => Arg<z.input<I>>,
    options?: MapOptions<W>,
  ): Ref<z.output<O>[] | Unless<W>>

  /** Waits for a signal. With `timeoutMs`, or under `when`, the payload may be undefined. */
  wait<P extends z.ZodType, W extends OptionalWhen = undefined, T extends number | undefined = undefined>(
    id: string,
    signal: SignalLike<P>,
    options?: WaitOptions<W, T>,
  ): Ref<z.output<P> | Unless<W> | Unless<T>>

  /** Waits for `ms` milliseconds, across any downtime. */
  sleep(id: string, ms: number, options?: NodeOptions): Ref<void>
}

/**
 * Runs `define` and gives the plan that it built; what `define` returns is what a job results in.
 * @throws AetherisError PLAN_INVALID at the mistake where that is known, with `issues`.
 */
export function buildGraph(define: (graph: Graph) => unknown): TaskGraph {
  const builder = new Builder()
  // The methods of Graph are typed by their schemas; the builder is not.
  return builder.finish(define(builder as unknown as Graph))
}

type AnyOptions = NodeOptions & Record<string, unknown>

class Builder {
  private readonly nodes: { id: string }[] = []
  private readonly ids = new Set<string>()
  private readonly tools = new Set<string>()
  private readonly signals = new Set<string>()
  private isOpen = true

  call(id: string, tool: ToolLike, input: unknown, options?: AnyOptions): Ref<unknown> {
    const at = this.begin(id)
    this.tools.add(tool.name)
    return this.add(id, 'call', options, { tool: tool.name, input: toTemplate(input, this.place(), [...at, 'input']) })
  }

  map(id: string, tool: ToolLike, over: unknown, each: MapInput, options?: AnyOptions): Ref<unknown> {
    const at = this.begin(id)
    this.tools.add(tool.name)
    const map = {}
    const own = { graph: this, scope: map, path: [] }
    const input = each(makeRef({ ...own, form: '$item' }), makeRef({ ...own, form: '$index' }))
    return this.add(id, 'map', options, {
      tool: tool.name,
      over: toTemplate(over, this.place(), [...at, 'over']),
      input: toTemplate(input, this.place(map), [...at, 'input']),
    })
  }

  wait(id: string, signal: SignalLike, options?: AnyOptions): Ref<unknown> {
    this.begin(id)
    this.signals.add(signal.name)
    return this.add(id, 'wait', options, { signal: signal.name })
  }

  sleep(id: string, ms: number, options?: AnyOptions): Ref<unknown> {
    this.begin(id)
    return this.add(id, 'sleep', options, { ms })
  }

  finish(result: unknown): TaskGraph {
    this.isOpen = false
    const output = toTemplate(result, this.place(), ['output'])
    const known = { tools: this.tools, signals: this.signals }
    const { graph, issues } = checkGraph({ nodes: this.nodes, output }, known)
    if (graph === undefined) throw planInvalid(issues)
    return graph
  }

  private place(map?: object): Place {
    return map === undefined ? { graph: this } : { graph: this, map }
  }

  /** Checks an id where it is given, so that the error's stack leads there. The path of the new node. */
  private begin(id: string): Path {
    const at = ['nodes', this.nodes.length]
    if (!this.isOpen) {
      const message = `The node ${quote(id)} comes too late: the plan is made when the function that plans it returns.`
      throw planInvalid([problem('plan_closed', [], message)])
    }
    if (typeof id !== 'string' || !isNodeId(id)) throw planInvalid([problem('illegal_id', [...at, 'id'], illegalId)])
    if (this.ids.has(id)) {
      const message = `Another node is already called "${id}"; give each node its own id.`
      throw planInvalid([problem('duplicate_id', [...at, 'id'], message)])
    }
    return at
  }

  /** Options go in as they are: checkGraph knows which there are and refuses the others. */
  private add(id: string, kind: NodeKind, options: AnyOptions = {}, own: Record<string, unknown>): Ref<unknown> {
    const { after, when, ...others } = options
    const at = ['nodes', this.nodes.length]
    const fill = (value: unknown, path: Path) => toTemplate(value, this.place(), path)
    // First for the order of the keys, last so that no option can stand in their place.
    const node = { id, kind, ...own }
    this.nodes.push({
      ...node,
      ...others,
      ...(after === undefined ? {} : { after: after.map((ref, nth) => this.nodeOf(ref, [...at, 'after', nth])) }),
      ...(when === undefined ? {} : { when: conditionOf(when, fill, [...at, 'when']) }),
      ...node,
    })
    this.ids.add(id)
    return makeRef({ graph: this, form: '$ref', scope: this, path: [id] })
  }

  /** The id of the node that a reference leads to, whichever part of its output. */
  private nodeOf(ref: unknown, path: Path): string {
    const target = targetOf(ref)
    if (target?.form !== '$ref' || target.graph !== this) {
      const message = 'after takes references to nodes of this plan.'
      throw planInvalid([problem('foreign_reference', path, message)])
    }
    return target.path[0] as string
  }
}

type MapInput = (item: Ref<unknown>, index: Ref<unknown>) => unknown
