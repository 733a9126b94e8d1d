import { AetherisError, type ErrorCode } from './error.ts'
import { sha256 } from './hash.ts'

/** Plain JSON data: what a history can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

export interface JsonLimits {
  depthMax: number
  valuesMax: number
  bytesMax: number
}

export const jsonLimits: JsonLimits = { depthMax: 64, valuesMax: 200_000, bytesMax: 8 * 1024 * 1024 }

/**
 * Copies `value` as plain JSON, frozen, with `undefined` properties dropped.
 *
 * Unlike `JSON.stringify` it never runs a getter or `toJSON`, and refuses what JSON would change without a word:
 * NaN, Dates, Maps, class instances, functions, BigInt, sparse arrays, lone surrogates, cycles, `__proto__` keys.
 *
 * @throws AetherisError `code` (default OUTPUT_INVALID) with the path of the offending value; LIMIT_EXCEEDED.
 */
export function toJson(value: unknown, what: string, code: ErrorCode = 'OUTPUT_INVALID', limits = jsonLimits): Json {
  const walk = new Walk(what, code, limits, false)
  return walk.copy(value === undefined ? null : value)
}

/** Like {@link toJson}, but freezes the value where it is: for what others hold on to. */
export function freezeJson(value: unknown, what: string, code: ErrorCode = 'OUTPUT_INVALID'): void {
  new Walk(what, code, jsonLimits, true).copy(value === undefined ? null : value)
}

/** Whether a value was found to be plain JSON before, and is frozen since. */
export function isKnownJson(value: object): boolean {
  return extents.has(value)
}

/**
 * How much is in a value that was found to be plain JSON. It is frozen, so it need not be looked at again: what a
 * machine keeps differs little from step to step, and most of it came from events.
 */
const extents = new WeakMap<object, Extent>()

interface Extent {
  values: number
  bytes: number
  depth: number
}

class Walk {
  private values = 0
  private bytes = 0
  /** Levels of the deepest value so far, within the container that is being walked. */
  private deepest = 0
  /** Whether the value that is being walked is as JSON gives it back. */
  private isExact = true
  /** Where the walk is: one list for all of it, as a copy for every value would be most of its cost. */
  private readonly path: (string | number)[] = []
  private readonly open = new Set<object>()
  private readonly what: string
  private readonly code: ErrorCode
  private readonly limits: JsonLimits
  private readonly inPlace: boolean

  constructor(what: string, code: ErrorCode, limits: JsonLimits, inPlace: boolean) {
    this.what = what
    this.code = code
    this.limits = limits
    this.inPlace = inPlace
  }

  copy(value: unknown): Json {
    this.add(1, 0)
    switch (typeof value) {
      case 'boolean':
        return value
      case 'string':
        return this.text(value)
      case 'number':
        if (!Number.isFinite(value)) this.refuse(`${value} is no JSON number`)
        return Object.is(value, -0) ? this.inexact(0) : value
      case 'object':
        return value === null ? null : this.container(value)
      default:
        return this.refuse(`a ${typeof value} is not JSON`)
    }
  }

  private text(value: string): string {
    this.add(0, value.length)
    if (!value.isWellFormed()) this.refuse('the text holds a lone surrogate')
    return value
  }

  private add(values: number, bytes: number): void {
    this.values += values
    this.bytes += bytes
    if (this.values > this.limits.valuesMax) this.tooLarge(`more than ${this.limits.valuesMax} values`)
    if (this.bytes > this.limits.bytesMax) this.tooLarge(`more than ${this.limits.bytesMax} characters`)
  }

  private reach(depth: number): void {
    if (depth > this.limits.depthMax) this.tooLarge(`deeper than ${this.limits.depthMax} levels`)
    this.deepest = Math.max(this.deepest, depth)
  }

  private container(value: object): Json {
    const known = extents.get(value)
    if (known === undefined) return this.unknown(value)
    this.add(known.values, known.bytes)
    this.reach(this.path.length + known.depth)
    return value as Json
  }

  private unknown(value: object): Json {
    const { values, bytes, deepest, isExact, path } = this
    const level = path.length + 1
    this.reach(level)
    if (this.open.has(value)) this.refuse('the value contains itself')
    this.open.add(value)
    this.deepest = level
    this.isExact = true
    const copy = this.read(value)
    this.open.delete(value)
    const kept = Object.freeze(this.inPlace ? value : copy)
    // A copy is what JSON gives back in any case.
    if (this.isExact || !this.inPlace)
      extents.set(kept, {
        values: this.values - values,
        bytes: this.bytes - bytes,
        depth: this.deepest - path.length,
      })
    this.deepest = Math.max(this.deepest, deepest)
    this.isExact &&= isExact
    return kept as Json
  }

  /** A proxy can throw whatever it likes where it is looked at. */
  private read(value: object): Json[] | JsonObject {
    try {
      return Array.isArray(value) ? this.array(value) : this.object(value)
    } catch (error) {
      if (error instanceof AetherisError) throw error
      return this.refuse('it is a proxy that cannot be read')
    }
  }

  private array(value: unknown[]): Json[] {
    const copy: Json[] = []
    for (let index = 0; index < value.length; index += 1) {
      this.path.push(index)
      const own = Object.getOwnPropertyDescriptor(value, index)
      if (own === undefined) this.refuse('the array has a hole')
      else copy.push(this.property(own))
      this.path.pop()
    }
    return copy
  }

  private object(value: object): JsonObject {
    const prototype = Object.getPrototypeOf(value)
    // Objects of another realm (a vm context, a test environment) have another Object.prototype.
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      const name = String(prototype.constructor?.name ?? 'a class')
      this.refuse(`an instance of ${name} is not plain data${instead.get(name) ?? ''}`)
    }
    const copy: JsonObject = {}
    for (const key of Reflect.ownKeys(value)) {
      if (typeof key === 'symbol') this.refuse('a symbol key is not JSON')
      this.path.push(key)
      this.member(copy, value, key)
      this.path.pop()
    }
    return copy
  }

  private member(copy: JsonObject, value: object, key: string): void {
    if (key === '__proto__') this.refuse('the key __proto__ is not allowed')
    const own = Object.getOwnPropertyDescriptor(value, key)
    if (own === undefined || !own.enumerable || ('value' in own && own.value === undefined)) {
      this.inexact(undefined)
      return
    }
    copy[this.text(key)] = this.property(own)
  }

  private property(own: PropertyDescriptor): Json {
    if (!('value' in own)) this.refuse('a getter is not plain data')
    return this.copy(own.value)
  }

  /** What is left out or changed in a copy is still in the value itself. */
  private inexact<T>(instead: T): T {
    this.isExact = false
    return instead
  }

  private refuse(why: string): never {
    const { path } = this
    const at = path.length === 0 ? '' : ` at ${pathText(path)}`
    throw new AetherisError(this.code, `${this.what} is not plain JSON${at}: ${why}.`, {
      issues: [{ path, code: 'not_json', message: why }],
    })
  }

  private tooLarge(why: string): never {
    throw new AetherisError('LIMIT_EXCEEDED', `${this.what} is too large: ${why}.`)
  }
}

/** What to do about what is often given by mistake. */
const instead: ReadonlyMap<string, string> = new Map([
  ['Date', '; give its toISOString()'],
  ['Promise', '; await it first (a function that plans cannot be async)'],
])

/** Freezes a JSON value all the way down; what is frozen already is taken to be so below. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const part of Object.values(value)) deepFreeze(part)
  return Object.freeze(value)
}

/** `a.b[3]`: a path as people write it. */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${String(key)}`))
    .join('')
}

/** JSON text with sorted keys: equal data gives equal text, however it was built. */
export function canonical(value: Json): string {
  return JSON.stringify(value, (_, part: Json) => (isObject(part) ? sorted(part) : part))
}

function sorted(object: JsonObject): JsonObject {
  const copy: JsonObject = {}
  for (const key of Object.keys(object).sort()) copy[key] = object[key] as Json
  return copy
}

/** SHA-256 (base64url) of the canonical text. */
export function digest(value: Json): string {
  return sha256(canonical(value))
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The path of the first difference between two JSON values, or undefined where they are equal. */
export function firstDifference(
  a: unknown,
  b: unknown,
  path: (string | number)[] = [],
): (string | number)[] | undefined {
  if (Object.is(a, b)) return undefined
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
      const found = firstDifference(a[index], b[index], [...path, index])
      if (found) return found
    }
    return undefined
  }
  if (!isObject(a) || !isObject(b)) return path
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const found = firstDifference(a[key], b[key], [...path, key])
    if (found) return found
  }
  return undefined
}
