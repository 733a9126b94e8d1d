import { type Json, jsonLimits } from '../base/json.ts'
import type { Template } from './graph.ts'
import { type Path, planInvalid, problem, readJson } from './issue.ts'
import { type RefTarget, targetOf } from './ref.ts'

/** Templates from values in which references stand. */

/** Where a value is: of which plan, and in the input of which map if in one. */
export interface Place {
  graph: object
  /** The map whose item and index may be used. */
  map?: object
}

/**
 * Turns a value with references at any depth into a template.
 * @throws AetherisError PLAN_INVALID where the value is not plain JSON, or a reference does not belong there.
 */
export function toTemplate(value: unknown, place: Place, path: Path): Template {
  const read = readJson(new Draft(place).copy(value, path, false), 'The value')
  if ('json' in read) return read.json
  throw planInvalid(read.issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] })))
}

/**
 * Copies a value with templates in the place of references. Whatever else is not plain JSON is carried over as it is:
 * to find and to name that is the work of toJson, which comes next.
 */
class Draft {
  private readonly place: Place
  private readonly open = new Set<object>()
  private values = 0

  constructor(place: Place) {
    this.place = place
  }

  copy(value: unknown, path: Path, literal: boolean): unknown {
    this.values += 1
    const target = targetOf(value)
    if (target !== undefined) return this.reference(target, path, literal)
    if (typeof value !== 'object' || value === null) return value
    // toJson refuses each of these; to go into them might not end.
    if (this.open.has(value) || path.length > 2 * jsonLimits.depthMax || this.values > jsonLimits.valuesMax)
      return value
    this.open.add(value)
    const copy = Array.isArray(value) ? this.list(value, path, literal) : this.object(value, path, literal)
    this.open.delete(value)
    return copy
  }

  private list(list: readonly unknown[], path: Path, literal: boolean): unknown[] {
    const copy: unknown[] = []
    for (let index = 0; index < list.length; index += 1) {
      const own = Object.getOwnPropertyDescriptor(list, index)
      if (own === undefined) {
        // One hole is enough to be refused, and there may be billions.
        copy.length = index + 1
        return copy
      }
      this.member(copy, index, own, path, literal)
    }
    return copy
  }

  private object(value: object, path: Path, literal: boolean): object {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return value
    const keys = Reflect.ownKeys(value)
    const looksLikeForm = !literal && keys.some((key) => typeof key === 'string' && key.startsWith('$'))
    const copy: object = {}
    for (const key of keys) {
      const own = Object.getOwnPropertyDescriptor(value, key)
      if (own !== undefined) this.member(copy, key, own, path, literal || looksLikeForm)
    }
    return looksLikeForm ? { $literal: copy } : copy
  }

  private member(
    copy: object,
    key: string | number | symbol,
    own: PropertyDescriptor,
    path: Path,
    literal: boolean,
  ): void {
    const at = typeof key === 'symbol' ? path : [...path, key]
    const filled = 'value' in own ? { ...own, value: this.copy(own.value, at, literal) } : own
    Object.defineProperty(copy, key, filled)
  }

  private reference(target: RefTarget, path: Path, literal: boolean): Json {
    const { graph, form, scope } = target
    if (graph !== this.place.graph) {
      const message = 'The reference belongs to another plan; use those that this graph gives.'
      throw planInvalid([problem('foreign_reference', path, message)])
    }
    if (form !== '$ref' && scope !== this.place.map) {
      const message = 'The item and the index of a map exist only in the function that makes its input.'
      throw planInvalid([problem('item_outside_map', path, message)])
    }
    if (literal) {
      const message =
        'An object with a key that starts with $ is kept as it is, so it cannot hold a reference; rename the key.'
      throw planInvalid([problem('bad_template', path, message)])
    }
    return { [form]: [...target.path] }
  }
}
