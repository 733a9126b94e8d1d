import { limits } from '../base/limits.ts'
import type { Condition } from './condition.ts'
import { type Path, planInvalid, problem } from './issue.ts'
import { type Arg, type Ref, targetOf } from './ref.ts'
import type { Template } from './template.ts'

/** Conditions as they are written in code: questions in which references stand for outputs. */

const asked = Symbol('aetheris.question')

/** A condition of a node, made by {@link eq}, {@link not}, {@link all} and the others. */
export interface Question {
  readonly [asked]: Draft
}

type Draft =
  | { operator: Leaf; operands: readonly unknown[] }
  | { operator: 'not' | 'all' | 'any'; parts: readonly When[] }
type Leaf = 'is' | 'exists' | 'eq' | 'ne' | 'lt' | 'lte' | 'gt' | 'gte' | 'in'

type Missing = null | undefined

/** What decides whether a node is performed: a reference that must be true, or a question. */
export type When = Ref<boolean | Missing> | Question

type Ordered = number | string | Missing

function leaf(operator: Leaf, ...operands: unknown[]): Question {
  return Object.freeze({ [asked]: { operator, operands } })
}

function group(operator: 'not' | 'all' | 'any', parts: readonly When[]): Question {
  return Object.freeze({ [asked]: { operator, parts } })
}

/** Whether a value is true; not merely truthy. */
export function is(value: Ref<boolean | Missing>): Question {
  return leaf('is', value)
}

/** Whether there is a value: its node was not skipped and did not time out, and it is not null. */
export function exists(value: Ref<unknown>): Question {
  return leaf('exists', value)
}

/** Whether two values are the same as JSON. */
export function eq<T>(left: Ref<T>, right: Arg<NoInfer<T>> | Ref<NoInfer<T> | Missing>): Question {
  return leaf('eq', left, right)
}

/** Whether two values differ as JSON. */
export function ne<T>(left: Ref<T>, right: Arg<NoInfer<T>> | Ref<NoInfer<T> | Missing>): Question {
  return leaf('ne', left, right)
}

/** Whether `left` is less. Two numbers or two texts have an order; of anything else this is false. */
export function lt<T extends Ordered>(left: Ref<T>, right: Arg<NoInfer<T>> | Ref<NoInfer<T> | Missing>): Question {
  return leaf('lt', left, right)
}

/** Whether `left` is less or equal; see {@link lt}. */
export function lte<T extends Ordered>(left: Ref<T>, right: Arg<NoInfer<T>> | Ref<NoInfer<T> | Missing>): Question {
  return leaf('lte', left, right)
}

/** Whether `left` is greater; see {@link lt}. */
export function gt<T extends Ordered>(left: Ref<T>, right: Arg<NoInfer<T>> | Ref<NoInfer<T> | Missing>): Question {
  return leaf('gt', left, right)
}

/** Whether `left` is greater or equal; see {@link lt}. */
export function gte<T extends Ordered>(left: Ref<T>, right: Arg<NoInfer<T>> | Ref<NoInfer<T> | Missing>): Question {
  return leaf('gte', left, right)
}

/** Whether a list holds a value. */
export function isIn<T>(
  value: Ref<T>,
  list: Arg<readonly NoInfer<T>[]> | Ref<readonly NoInfer<T>[] | Missing>,
): Question {
  return leaf('in', value, list)
}

/** The opposite. */
export function not(when: When): Question {
  return group('not', [when])
}

/** Whether all hold; true of none. */
export function all(...whens: When[]): Question {
  return group('all', whens)
}

/** Whether one or more hold; false of none. */
export function any(...whens: When[]): Question {
  return group('any', whens)
}

/**
 * The condition that a `when` stands for. `fill` turns a value with references into a template.
 * @throws AetherisError PLAN_INVALID
 */
export function conditionOf(
  when: unknown,
  fill: (value: unknown, path: Path) => Template,
  path: Path,
  depth = 1,
): Condition {
  const refuse = (code: 'too_deep' | 'bad_condition', message: string): never => {
    throw planInvalid([problem(code, path, message)])
  }
  if (depth > limits.conditionDepthMax) {
    refuse('too_deep', `A condition has at most ${limits.conditionDepthMax} levels; make it flatter.`)
  }
  if (targetOf(when) !== undefined) return { is: fill(when, [...path, 'is']) }
  if (!isQuestion(when)) {
    return refuse(
      'bad_condition',
      'when takes a reference to a boolean, or eq(), not() and the like; a comparison by === is made too early.',
    )
  }
  const draft = when[asked]
  const { operator } = draft
  const at = [...path, operator]
  if ('parts' in draft) {
    const parts = draft.parts.map((part, index) => conditionOf(part, fill, [...at, index], depth + 1))
    return { [operator]: operator === 'not' ? parts[0] : parts } as unknown as Condition
  }
  if (draft.operands.includes(undefined)) {
    refuse('bad_condition', `${operator} was given undefined; ask not(exists(…)) for what is missing.`)
  }
  const operands = draft.operands.map((operand) => fill(operand, at))
  return { [operator]: operands.length === 1 ? operands[0] : operands } as unknown as Condition
}

function isQuestion(value: unknown): value is Question {
  return typeof value === 'object' && value !== null && asked in value
}
