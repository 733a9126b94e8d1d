import { z } from 'zod'
import type { Issue } from '../base/error.ts'
import { limits } from '../base/limits.ts'
import { policySchema } from '../event/approval.ts'
import { type Condition, conditionIssues } from './condition.ts'
import { type Template, templateIssues } from './template.ts'

/**
 * A plan as data: nodes, and edges between them by reference to earlier outputs or by `after`.
 * No closures and no strings that are parsed, so a plan can be stored, hashed, checked and made by a model.
 */

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
const nodeId = z.string().refine(isNodeId, { params: { code: 'illegal_id' }, message: illegalId })
const name = z.string().min(1).max(limits.idCharactersMax)
const delayMs = z.int().min(0).max(limits.delayMsMax)
const spanMs = z.int().min(1).max(limits.delayMsMax)

/** How often and how soon a failed call is tried again. Delays grow by `factor`, with jitter, up to `maxDelayMs`. */
export const retrySchema = z.strictObject({
  maxAttempts: z.int().min(1).max(limits.attemptsMax).optional(),
  initialDelayMs: delayMs.optional(),
  factor: z.number().min(1).max(100).optional(),
  maxDelayMs: delayMs.optional(),
  /** Names or codes of errors after which there is no further attempt. */
  nonRetryable: z.array(name).max(100).optional(),
})
export type RetryPolicy = z.infer<typeof retrySchema>

const base = {
  id: nodeId,
  /** Nodes that must have settled first, beside those that are referenced. */
  after: z.array(z.string()).optional(),
  /** The node is skipped when this does not hold. */
  when: conditionSchema.optional(),
}

const failing = {
  /**
   * What becomes of the job when the node fails. `compensate` (the default): what completed is undone where that is
   * declared, latest first, and the job fails. `fail`: it fails without undoing. `continue`: the node has no output
   * and the others go on.
   */
  onFailure: z.enum(['compensate', 'fail', 'continue']).optional(),
  /** Time for the node with all its attempts and the pauses between. */
  deadlineMs: spanMs.optional(),
  /** The call that undoes the node; `{ "$output": [] }` stands for what it gave. It must be harmless when made twice. */
  compensate: z.strictObject({ tool: name, input: template }).optional(),
}

const calling = {
  retry: retrySchema.optional(),
  /** Time for one attempt. */
  timeoutMs: spanMs.optional(),
  approval: policySchema.optional(),
  ...failing,
}

export const nodeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ ...base, kind: z.literal('call'), tool: name, input: template, ...calling }),
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
    /** `fail` (the default): the first item that fails ends the map. `collect`: each item tells how it ended. */
    onItemFailure: z.enum(['fail', 'collect']).optional(),
    ...calling,
  }),
  z.strictObject({
    ...base,
    kind: z.literal('spawn'),
    agent: name,
    input: template,
    /** The node completes with the child's id as soon as the child exists. Default: with its output. */
    detach: z.boolean().optional(),
    /** What becomes of a child that still runs when its parent ends. Default `cancel`; a detached one is abandoned. */
    onParentEnd: z.enum(['cancel', 'terminate', 'abandon']).optional(),
    ...failing,
  }),
  z.strictObject({
    ...base,
    kind: z.literal('choose'),
    /** The first whose condition holds gives its name as the output. */
    cases: z.array(z.strictObject({ name: nodeId, when: conditionSchema })).max(100),
    /** The output where none holds; without it the node is skipped. */
    otherwise: nodeId.optional(),
  }),
  z.strictObject({
    ...base,
    kind: z.literal('loop'),
    /** The first `$state`. */
    start: template,
    /** A plan of its own, run again and again; its output is the next `$state`. */
    get body() {
      return bodySchema
    },
    /** Ends the loop; `$state` is what the last iteration gave. */
    until: conditionSchema,
    max: z.int().min(1).max(limits.iterationsMax),
    /** Where `max` iterations were not enough. `fail` is the default; `stop` completes with the last state. */
    onMax: z.enum(['fail', 'stop']).optional(),
    onFailure: failing.onFailure,
  }),
])
export type Node = z.infer<typeof nodeSchema>
export type NodeKind = Node['kind']
export type NodeOf<K extends NodeKind> = Extract<Node, { kind: K }>

const bodySchema = z.strictObject({
  get nodes() {
    return z.array(nodeSchema)
  },
  output: template,
})
/** A plan inside a plan: what a loop repeats. */
export interface Body {
  nodes: Node[]
  output: Template
}

export const taskGraphSchema = z.strictObject({
  nodes: z.array(nodeSchema),
  /** What the job results in. */
  output: template,
  /** When the planner is to be asked for the next plan, with the results so far. Default: never. */
  revise: z.strictObject({ onSettled: z.boolean().optional(), onFailure: z.boolean().optional() }).optional(),
})
export type TaskGraph = z.infer<typeof taskGraphSchema>
