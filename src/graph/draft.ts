import { type Json, jsonLimits } from '../base/json.ts'
import { type Path, planInvalid, problem, readJson } from './issue.ts'
import { type RefTarget, targetOf } from './ref.ts'
import type { Template } from './template.ts'

/** Templates from values in which references stand. */

/** Where a value is: of which plan, and in the input of which map if in one. */
export interface Place {
  graph: object
  /** The map whose item and index may be used. */
  map?: object
  /** What is undone here, whose output may be used. */
  undoing?: object
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
      const message =
        'The reference belongs to another plan. Use those that this graph gives; into a loop, pass values in its state.'
      throw planInvalid([problem('foreign_reference', path, message)])
    }
    if ((form === '$item' || form === '$index') && scope !== this.place.map) {
      const message = 'The item and the index of a map exist only in the functions that are given them.'
      throw planInvalid([problem('item_outside_map', path, message)])
    }
    if (form === '$output' && scope !== this.place.undoing) {
      const message = 'The output that is to be undone exists only in the function that is given it.'
      throw planInvalid([problem('form_out_of_place', path, message)])
    }
    if (literal) {
      const message =
        'An object with a key that starts with $ is kept as it is, so it cannot hold a reference; rename the key.'
      throw planInvalid([problem('bad_template', path, message)])
    }
    return templateOf(target)
  }
}

function templateOf({ form, path, cases }: RefTarget): Json {
  if (cases === undefined) return { [form]: [...path] }
  const ways = Object.entries(cases.ways).map(([name, way]) => [name, narrowed(way, path)])
  return { $case: [{ $ref: [cases.of] }, Object.fromEntries(ways)] }
}

const withPath: ReadonlySet<string> = new Set(['$ref', '$input', '$item', '$state', '$output'])

/** The template of a part of what a template gives. */
function narrowed(template: Template, path: Path): Template {
  const [key, ...rest] = path
  if (key === undefined) return template
  if (typeof template !== 'object' || template === null) return nothing
  const [form = '', ...others] = Object.keys(template)
  const isForm = form.startsWith('$') && others.length === 0 && !Array.isArray(template)
  const member = (template as Record<string, Template>)[isForm ? form : String(key)]
  if (!isForm) return member === undefined ? nothing : narrowed(member, rest)
  if (withPath.has(form)) return { [form]: [...(member as Json[]), ...path] }
  if (form === '$literal') return { $literal: pick(member as Json, path) }
  if (form !== '$case') return nothing
  const [selector, ways] = member as [Json, Record<string, Template>]
  return {
    $case: [selector, Object.fromEntries(Object.entries(ways).map(([name, way]) => [name, narrowed(way, path)]))],
  }
}

/** A template that never gives anything. */
const nothing: Template = { $case: [null, {}] }

function pick(value: Json, path: Path): Json {
  let at: unknown = value
  for (const key of path) at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined
  return (at as Json | undefined) ?? null
}
