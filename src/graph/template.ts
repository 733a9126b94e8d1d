import type { Issue } from '../base/error.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { type Path, problem, quote } from './issue.ts'

/**
 * Templates: JSON in which references are filled in.
 *
 * Total: whatever the template, the functions here return. Only own members are read, never a prototype's, so that
 * `{ "$ref": ["find", "constructor"] }` finds nothing.
 */

/** Where a node's input comes from. Any JSON, in which these objects are filled in:
 *  `{ "$ref": ["find", "urls", 0] }` an earlier node's output and a path into it, `{ "$input": ["topic"] }` the
 *  job's input, `{ "$item": [] }` and `{ "$index": [] }` the item of a map, `{ "$state": [] }` and `{ "$iteration": [] }`
 *  what a loop goes on with, `{ "$output": [] }` what is to be undone, `{ "$case": [name, { … }] }` the member of that
 *  name, `{ "$literal": … }` the value as it is. */
export type Template = Json

/** What templates and conditions are resolved against. `undefined` stands for the output of a node that has none. */
export interface Scope {
  input: Json
  output(node: string): Json | undefined
  /** Of a map. */
  item?: Json
  index?: number
  /** Of a loop. */
  state?: Json
  iteration?: number
  /** What is to be undone. */
  undoing?: Json | undefined
}

/** What stands in an object's place when it is `{ [form]: argument }` and nothing else. */
const forms = ['$ref', '$input', '$item', '$index', '$state', '$iteration', '$output', '$case', '$literal'] as const
export type Form = (typeof forms)[number]

/** Those that take no path. */
const counters: ReadonlySet<Form> = new Set<Form>(['$index', '$iteration'])

function isForm(key: string): key is Form {
  return (forms as readonly string[]).includes(key)
}

/** The form that an object is, or undefined where it is data with members of its own. */
function formOf(object: JsonObject): { form: Form; argument: Json } | undefined {
  const keys = Object.keys(object)
  const [key] = keys
  return keys.length === 1 && key !== undefined && isForm(key)
    ? { form: key, argument: object[key] as Json }
    : undefined
}

/**
 * Fills in a template. Undefined where it refers to what is not there: a skipped node, or a path that leads nowhere.
 * As in JSON, an undefined member of an object is left out, and an undefined item of a list becomes null.
 */
export function resolve(template: Template, scope: Scope): Json | undefined {
  return fill(template, scope, 0)
}

function fill(template: Template, scope: Scope, depth: number): Json | undefined {
  if (typeof template !== 'object' || template === null) return template
  // Plans are checked for depth before they are kept; this is for whoever comes without that check.
  if (depth > limits.depthMax) return undefined
  if (Array.isArray(template)) return template.map((part) => fill(part, scope, depth + 1) ?? null)
  const found = formOf(template)
  if (found !== undefined) return look(found.form, found.argument, scope, depth)
  const members = Object.entries(template).map(([key, part]) => [key, fill(part, scope, depth + 1)] as const)
  // fromEntries defines members; an assignment would run the setter of `__proto__`.
  return Object.fromEntries(members.filter((member): member is [string, Json] => member[1] !== undefined))
}

function look(form: Form, argument: Json, scope: Scope, depth: number): Json | undefined {
  if (form === '$literal') return argument
  if (!Array.isArray(argument)) return undefined
  switch (form) {
    case '$ref': {
      const [node, ...path] = argument
      return typeof node === 'string' ? pick(scope.output(node), path) : undefined
    }
    case '$input':
      return pick(scope.input, argument)
    case '$item':
      return pick(scope.item, argument)
    case '$index':
      return scope.index
    case '$state':
      return pick(scope.state, argument)
    case '$iteration':
      return scope.iteration
    case '$output':
      return pick(scope.undoing, argument)
    case '$case':
      return caseOf(argument, scope, depth)
  }
}

/** The member that a name selects, so that only what was chosen counts, whatever the others would give. */
function caseOf([selector, cases]: readonly Json[], scope: Scope, depth: number): Json | undefined {
  if (selector === undefined || !isObject(cases)) return undefined
  const name = fill(selector, scope, depth + 1)
  if (typeof name !== 'string' || !Object.hasOwn(cases, name)) return undefined
  return fill(cases[name] as Json, scope, depth + 1)
}

/** Follows a path through own members: names and positions in objects, positions in lists. */
function pick(value: Json | undefined, path: readonly Json[]): Json | undefined {
  let at = value
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !isKey(key)) return undefined
    // A list has other own properties, such as `length`, that are no data.
    if (Array.isArray(at) && typeof key !== 'number') return undefined
    at = Object.hasOwn(at, key) ? (at as JsonObject)[key] : undefined
  }
  return at
}

function isKey(key: Json): key is string | number {
  return typeof key === 'string' || (typeof key === 'number' && Number.isSafeInteger(key) && key >= 0)
}

/** Calls `visit` for each form in a template, outermost first, in the order they are written. */
export function visitForms(template: Template, visit: Visit, path: Path = []): void {
  if (typeof template !== 'object' || template === null || path.length > limits.depthMax) return
  if (Array.isArray(template)) {
    for (const [index, part] of template.entries()) visitForms(part, visit, [...path, index])
    return
  }
  const found = formOf(template)
  if (found !== undefined) {
    visit(found.form, found.argument, path)
    // The parts of a $case are templates; what any other form holds is not.
    if (found.form === '$case') visitCase(found.argument, visit, [...path, '$case'])
    return
  }
  for (const [key, part] of Object.entries(template)) visitForms(part, visit, [...path, key])
}

type Visit = (form: Form, argument: Json, path: Path) => void

function visitCase(argument: Json, visit: Visit, path: Path): void {
  if (!Array.isArray(argument)) return
  visitForms(argument[0] ?? null, visit, [...path, 0])
  for (const [name, part] of Object.entries(argument[1] ?? {})) visitForms(part as Json, visit, [...path, 1, name])
}

/** The ids of the nodes whose outputs a template refers to, each once. */
export function references(template: Template): string[] {
  const ids = new Set<string>()
  visitForms(template, (form, argument) => {
    if (form === '$ref' && Array.isArray(argument) && typeof argument[0] === 'string') ids.add(argument[0])
  })
  return [...ids]
}

/** What is wrong with the form of a template; whether the nodes that it names exist is checked elsewhere. */
export function templateIssues(value: unknown, path: Path = []): Issue[] {
  if (value === undefined) return [problem('wrong_type', path, 'A value is missing here; give any JSON.')]
  const issues: Issue[] = []
  collect(value as Json, path, issues, 0)
  return issues
}

function collect(value: Json, path: Path, issues: Issue[], depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (depth > limits.depthMax) {
    issues.push(problem('too_deep', path, `A template has at most ${limits.depthMax} levels; make it flatter.`))
  } else if (Array.isArray(value)) {
    for (const [index, part] of value.entries()) collect(part, [...path, index], issues, depth + 1)
  } else {
    const dollar = Object.keys(value).find((key) => key.startsWith('$'))
    if (dollar !== undefined) {
      const wrong = formProblem(value, dollar)
      if (wrong !== undefined) issues.push(problem('bad_template', path, wrong))
      else if (dollar === '$case') collectCase(value[dollar] as Json[], [...path, dollar], issues, depth)
      return
    }
    for (const [key, part] of Object.entries(value)) collect(part, [...path, key], issues, depth + 1)
  }
}

/** The names of the cases are keys of data, so they may start with what they like. */
function collectCase([selector, cases]: Json[], path: Path, issues: Issue[], depth: number): void {
  collect(selector as Json, [...path, 0], issues, depth + 1)
  for (const [name, part] of Object.entries(cases as JsonObject)) {
    collect(part, [...path, 1, name], issues, depth + 2)
  }
}

function formProblem(object: JsonObject, dollar: string): string | undefined {
  const asData = `To mean it as data, put the object into { "$literal": … }.`
  if (!isForm(dollar)) return `${quote(dollar)} is none of ${forms.join(', ')}. ${asData}`
  if (Object.keys(object).length > 1) return `${dollar} must be the only key of its object. ${asData}`
  return argumentProblem(dollar, object[dollar] as Json)
}

function argumentProblem(form: Form, argument: Json): string | undefined {
  if (form === '$literal') return undefined
  if (!Array.isArray(argument)) return `${form} takes a list, such as ${example(form)}.`
  if (form === '$case') {
    const isCase = argument.length === 2 && isObject(argument[1])
    return isCase ? undefined : `$case takes a template and an object of templates: ${example(form)}.`
  }
  if (counters.has(form)) return argument.length === 0 ? undefined : `${form} takes the empty list: ${example(form)}.`
  if (form === '$ref' && typeof argument[0] !== 'string') {
    return `$ref takes a node's id first, such as ${example(form)}.`
  }
  const wrong = argument.find((key) => !isKey(key))
  if (wrong === undefined) return undefined
  return `${form} takes a path of names and positions (whole numbers from 0); ${quote(JSON.stringify(wrong))} is neither.`
}

function example(form: Form): string {
  if (form === '$ref') return '{ "$ref": ["find", "urls", 0] }'
  if (form === '$case') return '{ "$case": [{ "$ref": ["route"] }, { "cheap": 1, "dear": 2 }] }'
  return form === '$input' ? '{ "$input": ["topic"] }' : `{ "${form}": [] }`
}
