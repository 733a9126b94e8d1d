import type { z } from 'zod'
import type { Issue } from '../base/error.ts'
import { type PlanIssueCode, problem, quote } from './issue.ts'

/** An issue of zod's about a plan as a sentence that says what to do. */
export function schemaIssue(issue: z.core.$ZodIssue): Issue {
  const path = issue.path.map((key) => (typeof key === 'number' ? key : String(key)))
  const { code, message } = sentence(issue)
  return problem(code, path, message)
}

function sentence(issue: z.core.$ZodIssue): { code: PlanIssueCode; message: string } {
  switch (issue.code) {
    case 'invalid_type':
      return typeSentence(issue)
    case 'invalid_union':
      // The only union of the schema is the one of nodes by kind.
      return { code: 'unknown_kind', message: 'The kind of a node is call, wait, sleep, map, spawn, choose or loop.' }
    case 'unrecognized_keys': {
      const keys = issue.keys.slice(0, 5).map(quote).join(', ')
      return { code: 'unknown_key', message: `The key ${keys} is not known here; take it out.` }
    }
    case 'too_small':
      return { code: 'out_of_range', message: `This must ${measure(issue.origin, 'at least', issue.minimum)}.` }
    case 'too_big':
      return { code: 'out_of_range', message: `This must ${measure(issue.origin, 'at most', issue.maximum)}.` }
    case 'custom': {
      // Our own checks say which kind of problem it is.
      const code = (issue.params?.['code'] ?? 'wrong_type') as PlanIssueCode
      return { code, message: issue.message }
    }
    default:
      return { code: 'wrong_type', message: `${issue.message}.` }
  }
}

const nouns: Record<string, string> = {
  array: 'a list',
  object: 'an object',
  string: 'a text',
  number: 'a number',
  boolean: 'a boolean',
  int: 'a whole number',
}

function typeSentence(issue: z.core.$ZodIssueInvalidType): { code: PlanIssueCode; message: string } {
  const found = /received (\w+)$/.exec(issue.message)?.[1] ?? ''
  const noun = nouns[found] ?? found
  // A number that is no whole one is still a number, so to say what was found would confuse.
  const but =
    found === 'undefined' ? '; it is missing' : issue.expected === 'int' && found === 'number' ? '' : `, not ${noun}`
  return { code: 'wrong_type', message: `This must be ${nouns[issue.expected] ?? issue.expected}${but}.` }
}

function measure(origin: string, bound: string, value: number | bigint): string {
  return origin === 'string' ? `have ${bound} ${value} characters` : `be ${bound} ${value}`
}
