import type { z } from 'zod'
import { isAetherisError } from '../base/error.ts'
import { isObject, type Json, toJson } from '../base/json.ts'
import type { Condition, Node, TaskGraph, Template } from './graph.ts'
import { planInvalid as planError } from './issue.ts'
import {
  type Arg,
  type CallOptions,
  type Conditional,
  makeRef,
  type NodeOptions,
  type Ref,
  type SignalLike,
  type ToolLike,
  templateOf,
  type When,
} from './ref.ts'
import { checkGraph } from './validate.ts'

/** What an agent's `plan` builds its TaskGraph with. */
export interface Graph {
  /** Calls a tool. Under `when` the output may be undefined. */
  call<I extends z.ZodType, O extends z.ZodType>(
    id: string,
    tool: ToolLike<I, O>,
    input: Arg<z.input<I>>,
    options: CallOptions & Conditional,
  ): Ref<z.output<O> | undefined>
  call<I extends z.ZodType, O extends z.ZodType>(
    id: string,
    tool: ToolLike<I, O>,
    input: Arg<z.input<I>>,
    options?: CallOptions & { when?: never },
  ): Ref<z.output<O>>
  /** Calls a tool for each item of a list that is known only at run time; the outputs are in order of the items. */
  map<T, I extends z.ZodType, O extends z.ZodType>(
    id: string,
    tool: ToolLike<I, O>,
    over: Arg<readonly T[]>,
    input: (item: Ref<T>, index: Ref<number>) => Arg<z.input<I>>,
    options: MapOptions & Conditional,
  ): Ref<z.output<O>[] | undefined>
  map<T, I extends z.ZodType, O extends z.ZodType>(
    id: string,
    tool: ToolLike<I, O>,
    over: Arg<readonly T[]>,
    input: (item: Ref<T>, index: Ref<number>) => Arg<z.input<I>>,
    options?: MapOptions & { when?: never },
  ): Ref<z.output<O>[]>
  /** Waits for a signal. With `timeoutMs` or `when` the payload may be undefined. */
  wait<P extends z.ZodType>(
    id: string,
    signal: SignalLike<P>,
    options: NodeOptions & ({ timeoutMs: number } | Conditional),
  ): Ref<z.output<P> | undefined>
  wait<P extends z.ZodType>(
    id: string,
    signal: SignalLike<P>,
    options?: NodeOptions & { timeoutMs?: never; when?: never },
  ): Ref<z.output<P>>
  /** Waits for `ms` milliseconds, across any downtime. */
  sleep(id: string, ms: number, options?: NodeOptions & Partial<Conditional>): Ref<void>
}

export interface MapOptions extends CallOptions {
  /** Items under way at a time. Default 10. */
  concurrency?: number
}

type Options = NodeOptions & Partial<Conditional> & Record<string, unknown>

/**
 * Runs `define` and gives the graph that it built.
 * @throws AetherisError PLAN_INVALID.
 */
export function buildGraph(define: (graph: Graph) => unknown): TaskGraph {
  const builder = new Builder()
  const output = define(builder as unknown as Graph)
  return builder.finish(output)
}

class Builder {
  private readonly nodes: unknown[] = []
  private readonly tools = new Set<string>()
  private readonly signals = new Set<string>()

  call(id: string, tool: { name: string }, input: unknown, options: Options = {}): Ref<unknown> {
    this.tools.add(tool.name)
    return this.add(id, { kind: 'call', tool: tool.name, input: this.template(input) }, options)
  }

  map(
    id: string,
    tool: { name: string },
    over: unknown,
    input: (item: Ref<unknown>, index: Ref<number>) => unknown,
    options: Options = {},
  ): Ref<unknown> {
    this.tools.add(tool.name)
    const each = input(makeRef(this, '$item', []), makeRef(this, '$index', []))
    return this.add(
      id,
      { kind: 'map', tool: tool.name, over: this.template(over), input: this.template(each) },
      options,
    )
  }

  wait(id: string, signal: { name: string }, options: Options = {}): Ref<unknown> {
    this.signals.add(signal.name)
    return this.add(id, { kind: 'wait', signal: signal.name }, options)
  }

  sleep(id: string, ms: number, options: Options = {}): Ref<unknown> {
    return this.add(id, { kind: 'sleep', ms }, options)
  }

  finish(output: unknown): TaskGraph {
    const graph = { nodes: this.nodes, output: this.template(output) }
    const checked = checkGraph(graph, { tools: this.tools, signals: this.signals })
    if (checked.issues !== undefined) throw planError(checked.issues)
    return checked.graph
  }

  private add(id: string, node: Record<string, unknown>, { after, when, ...options }: Options): Ref<unknown> {
    const all = {
      id,
      ...node,
      ...options,
      ...(after === undefined ? {} : { after: after.map((each) => this.nodeOf(each)) }),
      ...(when === undefined ? {} : { when: this.condition(when) }),
    }
    this.nodes.push(all satisfies Partial<Record<keyof Node | string, unknown>>)
    return makeRef(this, '$ref', [id])
  }

  private nodeOf(value: unknown): string {
    const template = this.template(value)
    const path = isObject(template) ? template['$ref'] : undefined
    if (Array.isArray(path)) return String(path[0])
    throw planError([{ path: [], code: 'after', message: 'after takes references to nodes' }])
  }

  private condition(when: unknown): unknown {
    return isWhen(when) ? conditionOf(when.condition, (value) => this.template(value)) : { is: this.template(when) }
  }

  /** A value with references as a template; plain data with `$` keys is kept from being taken for one. */
  private template(value: unknown): Template {
    const found = templateOf(value)
    if (found !== undefined) {
      if (found.owner === this) return found.template
      throw planError([{ path: [], code: 'foreign_reference', message: 'a reference belongs to another plan' }])
    }
    if (Array.isArray(value)) return value.map((part) => this.template(part))
    if (!isPlainObject(value)) return plainJson(value)
    if (Object.keys(value).some((key) => key.startsWith('$'))) return { $literal: plainJson(value) }
    const parts = Object.entries(value).filter(([, part]) => part !== undefined)
    return Object.fromEntries(parts.map(([key, part]) => [key, this.template(part)]))
  }
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function plainJson(value: unknown): Json {
  try {
    return toJson(value, 'A value in the plan', 'PLAN_INVALID')
  } catch (error) {
    if (isAetherisError(error)) throw planError([{ path: [], code: 'not_json', message: error.message }])
    throw error
  }
}

function isWhen(value: unknown): value is When {
  return templateOf(value) === undefined && typeof value === 'object' && value !== null && 'condition' in value
}

/** Turns the references inside a condition into templates. */
function conditionOf(condition: Condition, template: (value: unknown) => Template): Condition {
  const [[operator, argument] = []] = Object.entries(condition) as [string, unknown][]
  if (operator === 'not') return { not: conditionOf(argument as Condition, template) }
  if (operator === 'all' || operator === 'any') {
    const parts = (argument as Condition[]).map((part) => conditionOf(part, template))
    return operator === 'all' ? { all: parts } : { any: parts }
  }
  const filled = operator === 'is' || operator === 'exists' ? template(argument) : (argument as unknown[]).map(template)
  return { [operator as string]: filled } as unknown as Condition
}

type Comparable = string | number

/** Equal as JSON values. */
export const eq = <T>(a: Arg<T>, b: Arg<T>): When => compare('eq', a, b)
export const ne = <T>(a: Arg<T>, b: Arg<T>): When => compare('ne', a, b)
/** Only two numbers or two texts have an order; anything else is false. */
export const lt = <T extends Comparable>(a: Arg<T>, b: Arg<T>): When => compare('lt', a, b)
export const lte = <T extends Comparable>(a: Arg<T>, b: Arg<T>): When => compare('lte', a, b)
export const gt = <T extends Comparable>(a: Arg<T>, b: Arg<T>): When => compare('gt', a, b)
export const gte = <T extends Comparable>(a: Arg<T>, b: Arg<T>): When => compare('gte', a, b)
/** Whether a list holds a value. */
export const isIn = <T>(a: Arg<T>, list: Arg<readonly T[]>): When => compare('in', a, list)
/** Whether there is a value: the node was not skipped, and the field is there and not null. */
export const exists = (value: Ref<unknown>): When => ({ condition: { exists: value as unknown as Json } })
export const not = (when: Conditional['when']): When => ({ condition: { not: inner(when) } })
export const all = (...whens: Conditional['when'][]): When => ({ condition: { all: whens.map(inner) } })
export const any = (...whens: Conditional['when'][]): When => ({ condition: { any: whens.map(inner) } })

function compare(operator: string, a: unknown, b: unknown): When {
  return { condition: { [operator]: [a, b] } as unknown as Condition }
}

function inner(when: Conditional['when']): Condition {
  return isWhen(when) ? when.condition : { is: when as unknown as Json }
}
