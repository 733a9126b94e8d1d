import { AetherisError, type Issue, isAetherisError, toErrorData } from '../base/error.ts'
import { type Json, jsonLimits, pathText, toJson } from '../base/json.ts'
import { limits } from '../base/limits.ts'

/** Problems of a plan as data: a planner, or the model behind it, can be given them as they are. */

/** Every kind of problem that a plan can have. */
export type PlanIssueCode =
  | 'not_json'
  | 'too_large'
  | 'too_deep'
  | 'too_many_nodes'
  | 'wrong_type'
  | 'unknown_key'
  | 'unknown_kind'
  | 'out_of_range'
  | 'illegal_id'
  | 'bad_template'
  | 'bad_condition'
  | 'duplicate_id'
  | 'dangling_reference'
  | 'self_reference'
  | 'cycle'
  | 'unknown_tool'
  | 'unknown_signal'
  | 'unknown_agent'
  | 'item_outside_map'
  | 'form_out_of_place'
  | 'too_many_loops'
  | 'settled_id'
  | 'contradiction'
  | 'foreign_reference'
  | 'reference_as_value'
  | 'plan_closed'

export type Path = readonly (string | number)[]

export function problem(code: PlanIssueCode, path: Path, message: string): Issue {
  return { path: [...path], code, message }
}

/** A plan can have as many problems as nodes; beyond these nobody reads on. */
const issuesMax = 100
const issuesInMessage = 3

/** PLAN_INVALID with the first problems in its message. */
export function planInvalid(issues: readonly Issue[]): AetherisError {
  const first = issues.slice(0, issuesInMessage).map(describe).join(' ')
  const more = issues.length > issuesInMessage ? ` And ${issues.length - issuesInMessage} more.` : ''
  return new AetherisError('PLAN_INVALID', `The plan is not valid. ${first}${more}`, {
    issues: issues.slice(0, issuesMax),
  })
}

function describe({ path, message }: Issue): string {
  return path.length === 0 ? message : `At ${pathText(path)}: ${message}`
}

/** A value as text for a message, cut short. */
export function quote(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value.toWellFormed()) : String(value)
  return text.length <= 80 ? text : `${text.slice(0, 79).toWellFormed()}…`
}

const planLimits = { ...jsonLimits, depthMax: limits.depthMax, bytesMax: limits.planCharactersMax }

/** Copies a value from outside as plain JSON; whatever it is, what comes of it is a copy or issues. */
export function readJson(value: unknown, what: string): { json: Json } | { issues: Issue[] } {
  try {
    return { json: toJson(value, what, 'PLAN_INVALID', planLimits) }
  } catch (error) {
    if (isAetherisError(error, 'PLAN_INVALID')) {
      return {
        issues: error.issues.map(({ path, message }) =>
          problem('not_json', path, `${path.length === 0 ? what : 'This'} is not plain JSON: ${message}.`),
        ),
      }
    }
    if (isAetherisError(error, 'LIMIT_EXCEEDED')) {
      const code = error.message.includes('deeper') ? 'too_deep' : 'too_large'
      return { issues: [problem(code, [], error.message)] }
    }
    // A Proxy can throw whatever it likes from its traps.
    return { issues: [problem('not_json', [], `${what} cannot be read: ${toErrorData(error).message}`)] }
  }
}
