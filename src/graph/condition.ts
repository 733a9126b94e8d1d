import type { Issue } from '../base/error.ts'
import { isObject, type Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { type Path, problem, quote } from './issue.ts'
import { resolve, type Scope, type Template, templateIssues } from './template.ts'

/**
 * Conditions: total questions about earlier outputs.
 *
 * Whatever the condition and the outputs, the answer is true or false. What cannot be compared is false rather than an
 * error, since a plan that was checked must not fail on the type of a value that a tool returned.
 */

/** A question about earlier outputs with the answer true or false; total, never throws. */
export type Condition =
  | { is: Template }
  | { exists: Template }
  | { eq: [Template, Template] }
  | { ne: [Template, Template] }
  | { lt: [Template, Template] }
  | { lte: [Template, Template] }
  | { gt: [Template, Template] }
  | { gte: [Template, Template] }
  | { in: [Template, Template] }
  | { not: Condition }
  | { all: Condition[] }
  | { any: Condition[] }

type Operand = Json | undefined

/** Operators on one template. What is not there is undefined. */
const unary: Record<string, (value: Operand) => boolean> = {
  is: (value) => value === true,
  exists: (value) => value !== undefined && value !== null,
}

/** Operators on two templates. Text is ordered by UTF-16 code units, so that no locale plays a part. */
const binary: Record<string, (left: Operand, right: Operand) => boolean> = {
  eq: (left, right) => equal(left, right, 0),
  ne: (left, right) => !equal(left, right, 0),
  lt: ordered((sign) => sign < 0),
  lte: ordered((sign) => sign <= 0),
  gt: ordered((sign) => sign > 0),
  gte: ordered((sign) => sign >= 0),
  in: (left, right) => left !== undefined && Array.isArray(right) && right.some((item) => equal(left, item, 0)),
}

const operators = [...Object.keys(unary), ...Object.keys(binary), 'not', 'all', 'any']

/** A comparison of two numbers or two texts; of anything else it is false. */
function ordered(test: (sign: number) => boolean): (left: Operand, right: Operand) => boolean {
  const sign = <T extends number | string>(left: T, right: T) => (left < right ? -1 : left > right ? 1 : 0)
  return (left, right) => {
    if (typeof left === 'number' && typeof right === 'number') return test(sign(left, right))
    return typeof left === 'string' && typeof right === 'string' && test(sign(left, right))
  }
}

/** Deep equality of JSON. The order of an object's keys does not matter; two missing values are equal. */
function equal(left: Operand, right: Operand, depth: number): boolean {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (Array.isArray(left) !== Array.isArray(right) || depth > limits.depthMax) return false
  const keys = Object.keys(left)
  if (keys.length !== Object.keys(right).length) return false
  const member = (value: object, key: string) => (value as Record<string, Json>)[key]
  return keys.every((key) => Object.hasOwn(right, key) && equal(member(left, key), member(right, key), depth + 1))
}

/** Whether a condition is true of the outputs in `scope`. */
export function holds(condition: Condition, scope: Scope): boolean {
  return answer(condition, scope, 1)
}

function answer(condition: unknown, scope: Scope, depth: number): boolean {
  const parts = partsOf(condition)
  if (parts === undefined || depth > limits.conditionDepthMax) return false
  const { operator, argument } = parts
  if (operator === 'not') return !answer(argument, scope, depth + 1)
  if (Object.hasOwn(unary, operator)) return unary[operator]?.(resolve(argument as Template, scope)) ?? false
  if (!Array.isArray(argument)) return false
  if (operator === 'all') return argument.every((each) => answer(each, scope, depth + 1))
  if (operator === 'any') return argument.some((each) => answer(each, scope, depth + 1))
  if (argument.length !== 2) return false
  const [left, right] = argument as [Template, Template]
  return Object.hasOwn(binary, operator) && (binary[operator]?.(resolve(left, scope), resolve(right, scope)) ?? false)
}

/** A condition's only key and what it holds; undefined where the value is no object with one key. */
function partsOf(condition: unknown): { operator: string; argument: unknown } | undefined {
  if (!isObject(condition)) return undefined
  const [operator, ...others] = Object.keys(condition)
  return operator === undefined || others.length > 0 ? undefined : { operator, argument: condition[operator] }
}

/** Every template in a condition, with its path. */
export function conditionTemplates(condition: Condition): { template: Template; path: Path }[] {
  const found: { template: Template; path: Path }[] = []
  visit(condition, [], 1, (template, path) => found.push({ template, path }))
  return found
}

type OnTemplate = (template: Template, path: Path) => void

function visit(condition: unknown, path: Path, depth: number, onTemplate: OnTemplate): void {
  const parts = partsOf(condition)
  if (parts === undefined || depth > limits.conditionDepthMax) return
  const { operator, argument } = parts
  const at = [...path, operator]
  if (operator === 'not') visit(argument, at, depth + 1, onTemplate)
  if (Object.hasOwn(unary, operator)) onTemplate(argument as Template, at)
  if (operator === 'not' || !Array.isArray(argument)) return
  const nested = operator === 'all' || operator === 'any'
  for (const [index, part] of argument.entries()) {
    if (nested) visit(part, [...at, index], depth + 1, onTemplate)
    else if (Object.hasOwn(binary, operator)) onTemplate(part as Template, [...at, index])
  }
}

/** What is wrong with the form of a condition; whether the nodes that it names exist is checked elsewhere. */
export function conditionIssues(condition: unknown, path: Path = [], depth = 1): Issue[] {
  const bad = (at: Path, message: string) => [problem('bad_condition', at, message)]
  if (depth > limits.conditionDepthMax) {
    return [problem('too_deep', path, `A condition has at most ${limits.conditionDepthMax} levels; make it flatter.`)]
  }
  const parts = partsOf(condition)
  if (parts === undefined) return bad(path, `A condition is an object with one key out of ${operators.join(', ')}.`)
  const { operator, argument } = parts
  const at = [...path, operator]
  if (!operators.includes(operator)) {
    return bad(at, `${quote(operator)} is no operator of conditions; use one of ${operators.join(', ')}.`)
  }
  if (operator === 'not') return conditionIssues(argument, at, depth + 1)
  if (Object.hasOwn(unary, operator)) return templateIssues(argument, at)
  const isPair = Object.hasOwn(binary, operator)
  if (!Array.isArray(argument) || (isPair && argument.length !== 2)) {
    return bad(at, `${operator} takes a list of ${isPair ? 'two templates' : 'conditions'}.`)
  }
  return argument.flatMap((part: unknown, index) =>
    isPair ? templateIssues(part, [...at, index]) : conditionIssues(part, [...at, index], depth + 1),
  )
}
