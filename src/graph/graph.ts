import { z } from 'zod'
import type { Issue } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { conditionIssues } from './condition.ts'
import { templateIssues } from './template.ts'

/**
 * A plan as data: nodes, and edges between them by reference to earlier outputs or by `after`.
 * No closures and no strings that are parsed, so a plan can be stored, hashed, checked and made by a model.
 */

/** Where a node's input comes from. Any JSON, in which these objects are filled in:
 *  `{ "$ref": ["find", "urls", 0] }` an earlier node's output and a path into it, `{ "$input": ["topic"] }` the
 *  job's input, `{ "$item": [] }` and `{ "$index": [] }` the item of a map, `{ "$literal": … }` the value as it is. */
export type Template = Json

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

/** A schema from a function that finds issues: a union of zod's would answer each mistake with twelve alternatives. */
function checkedBy<T>(find: (value: unknown) => Issue[]): z.ZodType<T> {
  return z.custom<T>().superRefine((value, context) => {
    for (const { path, code, message } of find(value)) {
      context.addIssue({ code: 'custom', path, message, params: { code } })
    }
  })
}

const template = checkedBy<Template>((value) => templateIssues(value))
export const conditionSchema = checkedBy<Condition>((value) => conditionIssues(value))

/** Letters, digits, `_`, `-`; starts with a letter; no dot, since `matches('review.waiting')` splits at it. */
export const nodeIdPattern = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/

/** Ids become keys of plain objects, in which these mean something already. */
const takenIds = new Set([...Object.getOwnPropertyNames(Object.prototype), 'prototype', 'then', 'toJSON'])

export function isNodeId(id: string): boolean {
  return nodeIdPattern.test(id) && !takenIds.has(id)
}

export const illegalId =
  'A node id is a letter, then letters, digits, _ or -, at most 64 in all, and no name that JavaScript objects have; rename it.'
const name = z.string().min(1).max(limits.idCharactersMax)
const delayMs = z.int().min(0).max(limits.delayMsMax)

/** How often and how soon a failed call is tried again. Delays grow by `factor`, with jitter, up to `maxDelayMs`. */
export const retrySchema = z.strictObject({
  maxAttempts: z.int().min(1).max(limits.attemptsMax).optional(),
  initialDelayMs: delayMs.optional(),
  factor: z.number().min(1).max(100).optional(),
  maxDelayMs: delayMs.optional(),
})
export type RetryPolicy = z.infer<typeof retrySchema>

const base = {
  id: z.string().refine(isNodeId, { params: { code: 'illegal_id' }, message: illegalId }),
  /** Nodes that must have settled first, beside those that are referenced. */
  after: z.array(z.string()).optional(),
  /** The node is skipped when this does not hold. */
  when: conditionSchema.optional(),
}
const callOptions = { retry: retrySchema.optional(), timeoutMs: z.int().min(1).max(limits.delayMsMax).optional() }

export const nodeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ ...base, kind: z.literal('call'), tool: name, input: template, ...callOptions }),
  z.strictObject({ ...base, kind: z.literal('wait'), signal: name, timeoutMs: delayMs.optional() }),
  z.strictObject({ ...base, kind: z.literal('sleep'), ms: delayMs }),
  z.strictObject({
    ...base,
    kind: z.literal('map'),
    tool: name,
    /** Must resolve to a list. */
    over: template,
    input: template,
    /** Items under way at a time; default 10. */
    concurrency: z.int().min(1).max(limits.mapConcurrencyMax).optional(),
    ...callOptions,
  }),
])
export type Node = z.infer<typeof nodeSchema>
export type NodeKind = Node['kind']

export const taskGraphSchema = z.strictObject({
  nodes: z.array(nodeSchema),
  /** What the job results in. */
  output: template,
})
export type TaskGraph = z.infer<typeof taskGraphSchema>

/** What a node's input and condition are resolved against. `undefined` stands for the output of a skipped node. */
export interface Scope {
  input: Json
  output(node: string): Json | undefined
  item?: Json
  index?: number
}
