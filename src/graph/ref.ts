import type { z } from 'zod'
import type { Condition, RetryPolicy, Template } from './graph.ts'

declare const ref: unique symbol
type Field<T, K extends keyof NonNullable<T>> = NonNullable<T>[K] | Extract<T, undefined>

/**
 * A typed reference to a node's future output. Its fields are the output's fields. A reference is an edge of the
 * plan, never a value: using it as one (in a text, in arithmetic, in an `if`) is a mistake that throws where it can.
 */
export type Ref<T> = { readonly [ref]: T } & ([NonNullable<T>] extends [readonly unknown[]]
  ? { readonly [index: number]: Ref<NonNullable<T> extends readonly (infer E)[] ? E | undefined : never> }
  : [NonNullable<T>] extends [object]
    ? { readonly [K in keyof NonNullable<T>]: Ref<Field<T, K>> }
    : unknown)

/** A value in which any part may be a reference. */
export type Arg<T> =
  | T
  | Ref<T>
  | (T extends readonly (infer E)[] ? readonly Arg<E>[] : T extends object ? { [K in keyof T]: Arg<T[K]> } : never)

/** What the builder needs of a tool. */
export interface ToolLike<I extends z.ZodType, O extends z.ZodType> {
  readonly name: string
  readonly input: I
  readonly output: O
}

/** What the builder needs of a signal. */
export interface SignalLike<P extends z.ZodType> {
  readonly name: string
  readonly payload: P
}

/** A condition made by `eq`, `not`, `all` … of the builder. */
export interface When {
  readonly condition: Condition
}

export interface NodeOptions {
  /** Nodes that must have settled first, beside those that the input refers to. */
  after?: readonly Ref<unknown>[]
}

export interface Conditional {
  /** The node is skipped unless this is true. */
  when: Ref<boolean> | Ref<boolean | undefined> | When
}

export interface CallOptions extends NodeOptions {
  /** Overrides the tool's own. */
  retry?: RetryPolicy
  /** Overrides the tool's own; time for one attempt. */
  timeoutMs?: number
}

const templates = new WeakMap<object, { template: Template; owner: object }>()

/** @internal Makes a reference that belongs to `owner` and stands for `template`. */
export function makeRef<T>(
  owner: object,
  form: '$ref' | '$item' | '$index',
  path: readonly (string | number)[],
): Ref<T> {
  const proxy: object = new Proxy(Object.freeze({}), {
    get(_, key) {
      if (typeof key === 'symbol' || neverFields.has(key)) return forbidden(path, key)
      return makeRef(owner, form, [...path, /^(0|[1-9]\d*)$/.test(key) ? Number(key) : key])
    },
  })
  templates.set(proxy, { template: { [form]: [...path] }, owner })
  return proxy as Ref<T>
}

/** @internal The template behind a reference, or undefined for any other value. */
export function templateOf(value: unknown): { template: Template; owner: object } | undefined {
  return typeof value === 'object' && value !== null ? templates.get(value) : undefined
}

/** Asked for by await, by printing and by conversion: answered so that nobody takes a reference for a value. */
const neverFields: ReadonlySet<string> = new Set(['then', 'toJSON', 'toString', 'valueOf', 'constructor'])

function forbidden(path: readonly (string | number)[], key: string | symbol): unknown {
  if (key !== Symbol.toPrimitive && key !== 'toString' && key !== 'valueOf' && key !== 'toJSON') return undefined
  return () => {
    throw new TypeError(
      `The reference ${path.join('.')} was used as a value. The output is not known while planning: pass the reference to a node as its input.`,
    )
  }
}
