import type { z } from 'zod'
import { pathText } from '../base/json.ts'
import { type Path, planInvalid, problem } from './issue.ts'
import type { Template } from './template.ts'

/**
 * References: typed stand-ins for what a node will put out.
 *
 * A plan is made before anything is known, so a reference is an edge of the plan and never a value. Whatever would
 * turn it into one (a text, a number, JSON, a copy by `...`) throws, rather than write "[object Object]" into a plan.
 */

declare const of: unique symbol

/** A missing node has no fields, so a field of what may be missing may be missing too. */
type Field<T, K extends keyof NonNullable<T>> =
  | NonNullable<T>[K]
  | (T & (null | undefined) extends never ? never : undefined)

type Fields<T> = [NonNullable<T>] extends [readonly (infer E)[]]
  ? { readonly [index: number]: Ref<E | undefined> }
  : [NonNullable<T>] extends [object]
    ? { readonly [K in keyof NonNullable<T>]-?: Ref<Field<T, K>> }
    : unknown

/** A typed reference to a future output, or to an item of a map. Its fields are the output's fields. */
export type Ref<T> = { readonly [of]: T } & Fields<T>

/** What a reference stands for; any other type stands for itself. */
export type Referred<T> = T extends { readonly [of]: infer V } ? V : T

/** A value with references in it, as it will be. */
export type Settled<T> = T extends { readonly [of]: infer V }
  ? V
  : T extends readonly (infer E)[]
    ? Settled<E>[]
    : T extends object
      ? { [K in keyof T]: Settled<T[K]> }
      : T

/** A value in which any part may be a reference. */
export type Arg<T> = T | Ref<T> | (T extends object ? { [K in keyof T]: Arg<T[K]> } : never)

/** What the builder needs of a tool. */
export interface ToolLike<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  readonly name: string
  readonly input: I
  readonly output: O
}

/** What the builder needs of a signal. */
export interface SignalLike<P extends z.ZodType = z.ZodType> {
  readonly name: string
  readonly payload: P
}

/** What the builder needs of an agent. */
export interface AgentLike<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  readonly name: string
  readonly input: I
  readonly output: O
}

/** What a reference stands for, as data. */
export interface RefTarget {
  /** Identifies the builder that made it. */
  readonly graph: object
  readonly form: '$ref' | '$item' | '$index' | '$state' | '$iteration' | '$output' | '$case'
  /** Identifies the map that has the item, or what is undone; of others the graph. */
  readonly scope: object
  /** Of `$ref` the node's id comes first. */
  readonly path: Path
  /** Of `$case`: the node that chose, and what each way gives. */
  readonly cases?: { readonly of: string; readonly ways: Readonly<Record<string, Template>> }
}

/** Kept beside the references, so that no value from outside can pass for one and none is touched to find out. */
const targets = new WeakMap<object, RefTarget>()

/** What `value` refers to, or undefined if it is not a reference. */
export function targetOf(value: unknown): RefTarget | undefined {
  return typeof value === 'object' && value !== null ? targets.get(value) : undefined
}

const inspect = Symbol.for('nodejs.util.inspect.custom')

export function makeRef(target: RefTarget): Ref<unknown> {
  const text = describe(target)
  // Printing with console.log looks past a Proxy at what is behind it; that is the one use that is let through.
  const behind = Object.freeze(Object.assign(Object.create(null) as object, { [inspect]: () => `Ref(${text})` }))
  const proxy = new Proxy(behind, traps(target, text)) as Ref<unknown>
  targets.set(proxy, target)
  return proxy
}

function describe({ form, path, cases }: RefTarget): string {
  return pathText(form === '$ref' ? path : [cases?.of ?? form.slice(1), ...path])
}

const conversions = new Set<string | symbol>([Symbol.toPrimitive, 'toString', 'toLocaleString', 'valueOf', 'toJSON'])
const iterators = new Set<string | symbol>([Symbol.iterator, Symbol.asyncIterator])

function traps(target: RefTarget, text: string): ProxyHandler<object> {
  const refuse = (what: string): never => {
    const message = `The reference ${text} cannot be ${what}: there is no value yet while a plan is made. Pass it as it is to a node as an input, and make of it what you need in the tool.`
    throw planInvalid([problem('reference_as_value', [], message)])
  }
  return {
    get(behind, key) {
      if (key === inspect) return Reflect.get(behind, key)
      if (conversions.has(key)) return () => refuse('put into a text or used as another value')
      if (iterators.has(key)) return refuse('iterated (use graph.map)')
      if (typeof key === 'symbol') return undefined
      // A position comes as text; a record with such keys is found under a number just as well.
      return makeRef({ ...target, path: [...target.path, /^(0|[1-9]\d{0,14})$/.test(key) ? Number(key) : key] })
    },
    has: () => refuse('searched'),
    ownKeys: () => refuse('copied or listed'),
    set: () => refuse('changed'),
    defineProperty: () => refuse('changed'),
    deleteProperty: () => refuse('changed'),
  }
}
