import { z } from 'zod'
import { AetherisError } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { approvalSchema, verdict } from './approval.ts'
import { budgetLimit, budgetSchema } from './budget.ts'
import { spendingFields } from './spending.ts'

/**
 * The facts of a job's history: one schema a type, past tense, dotted.
 *
 * An *input* moves the machine (an outcome, a signal, a timer). An *announcement* says what the machine made of it,
 * and follows from the inputs: replay computes it again and compares. A *note* records what the runner did on its
 * own (attempts, retries, recovery) and never moves the machine.
 */

const json: z.ZodType<Json> = z.custom<Json>((value) => value !== undefined, 'expected JSON')
const id = z.string().min(1)
const count = z.int().min(0)
/** The last epoch millisecond that a `Date` can hold. What happens is so early that whatever it makes due has a date. */
const dateMax = 8.64e15
const date = count.max(dateMax)
const now = count.max(dateMax - limits.delayMsMax)
const error = z.strictObject({ name: z.string(), message: z.string(), code: z.string().optional() })
const issue = z.strictObject({
  path: z.array(z.union([z.string(), z.number()])),
  code: z.string(),
  message: z.string(),
})
const who = { by: z.string().optional(), reason: z.string().optional() }

/** Why an attempt was made: after a failure, after a crash, since the one before did nothing, or gave no valid plan. */
const attemptCause = z.enum(['retry', 'recovery', 'resolved', 'rejected'])

/** Why nobody knows how an attempt ended. */
const unknownReason = z.enum(['crash', 'timeout', 'cancelled', 'lost'])

const timerPurpose = z.enum(['sleep', 'timeout', 'retry', 'deadline', 'approval', 'escalation', 'grace', 'budget'])
/** What a timer is for. */
export type TimerPurpose = z.infer<typeof timerPurpose>

export const effectClass = z.enum(['read', 'idempotent', 'once'])
/** What may be done when an attempt has no recorded outcome: `read` and `idempotent` again, `once` never by itself. */
export type EffectClass = z.infer<typeof effectClass>

/** Every event type with the schema of its `data`. Schemas only ever gain optional fields; else `v` grows. */
export const eventData = {
  // inputs
  'job.created': z.strictObject({
    agent: id,
    agentVersion: count,
    input: json,
    /** The body is a hand-written machine of this hash; absent where a planner makes it. */
    machine: z.string().optional(),
    /** Where the agent's definition was loaded from, for tools that come back later. */
    source: z.string().optional(),
    /** The node of another job that started this one. */
    parent: z.strictObject({ jobId: id, effect: id }).optional(),
    budget: budgetSchema.optional(),
    /** How long a job that is ending waits for what is under way. */
    graceMs: count,
  }),
  'plan.adopted': z.strictObject({ graph: json, hash: z.string(), ...spendingFields }),
  'plan.revised': z.strictObject({ graph: json, hash: z.string(), round: count, ...spendingFields }),
  'plan.revision_requested': z.strictObject(who),
  'node.completed': z.strictObject({ effect: id, attempt: count, output: json, ...spendingFields }),
  'node.failed': z.strictObject({ effect: id, attempt: count, error, ...spendingFields }),
  'signal.received': z.strictObject({ name: id, payload: json, message: id }),
  'timer.fired': z.strictObject({ timer: id }),
  'job.paused': z.strictObject(who),
  'job.resumed': z.strictObject({ ...who, budget: budgetSchema.optional() }),
  'job.restarted': z.strictObject({ ...who, node: id }),
  'job.cancel_requested': z.strictObject({ ...who, graceMs: count.optional() }),
  'job.terminated': z.strictObject(who),
  'budget.exceeded': z.strictObject({ limit: budgetLimit, max: count, used: count }),
  // announcements
  'plan.requested': z.strictObject({ planner: id, round: count }),
  'node.skipped': z.strictObject({ node: id }),
  'node.chosen': z.strictObject({ node: id, case: id }),
  'node.waiting': z.strictObject({ effect: id, signal: id }),
  'node.withdrawn': z.strictObject({ effect: id }),
  /** Also an input, where what was under way has stopped. */
  'node.cancelled': z.strictObject({ effect: id, attempt: count, ...spendingFields }),
  /** Without an effect it is the job's own. */
  'timer.armed': z.strictObject({ timer: id, effect: id.optional(), purpose: timerPurpose, dueAt: date }),
  'compensation.started': z.strictObject({ effects: z.array(id) }),
  'job.completed': z.strictObject({ output: json }),
  /** Also an input, where the runner gives up on a job. */
  'job.failed': z.strictObject({ error }),
  'job.cancelled': z.strictObject(who),
  // notes
  /** How others define the tools that the job may call; recorded at its begin, and whenever it has changed since. */
  'tools.listed': z.strictObject({
    tools: z.record(
      z.string(),
      z.strictObject({ server: id, version: z.string().optional(), digest: id, hints: json }),
    ),
  }),
  'node.started': z.strictObject({
    effect: id,
    tool: id,
    class: effectClass,
    input: json,
    /** The tool can be asked how a call ended. */
    reconciles: z.literal(true).optional(),
  }),
  /** What the planner answered is no plan; `answer` is the begin of it. */
  'plan.rejected': z.strictObject({
    effect: id,
    attempt: count,
    answer: z.string(),
    issues: z.array(issue),
    ...spendingFields,
  }),
  'node.attempted': z.strictObject({ effect: id, attempt: count, cause: attemptCause }),
  /** The call goes on elsewhere, known there as `task`. */
  'node.submitted': z.strictObject({ effect: id, attempt: count, task: json }),
  'node.progressed': z.strictObject({ effect: id, attempt: count, progress: json }),
  'node.retried': z.strictObject({ effect: id, attempt: count, error, delayMs: count, ...spendingFields }),
  'node.outcome_unknown': z.strictObject({
    effect: id,
    attempt: count,
    reason: unknownReason,
    error: error.optional(),
    ...spendingFields,
  }),
  'node.reconciled': z.strictObject({
    effect: id,
    attempt: count,
    /** `absent`: the call surely did nothing, and never will. */
    answer: z.enum(['completed', 'failed', 'absent', 'unknown']),
    output: json.optional(),
    error: error.optional(),
  }),
  'node.resolved': z.strictObject({
    effect: id,
    attempt: count,
    as: z.enum(['completed', 'failed', 'again']),
    output: json.optional(),
    error: error.optional(),
    by: id,
    reason: id,
  }),
  'node.late_result': z.strictObject({ effect: id, attempt: count, ok: z.boolean(), value: json }),
  'approval.requested': z.strictObject({
    effect: id,
    tool: id,
    input: json,
    /** Of the tool and its input: an answer about anything else does not count. */
    digest: id,
    policy: approvalSchema,
  }),
  'approval.escalated': z.strictObject({ effect: id, to: z.array(id) }),
  'approval.decided': z.strictObject({ ...who, effect: id, digest: id, option: id, verdict }),
  'child.spawned': z.strictObject({ effect: id, jobId: id }),
  /** Somebody asked for something that made no sense any more when the job got to it. */
  'command.refused': z.strictObject({ command: id, message: id, why: id, by: z.string().optional() }),
  'job.recovered': z.strictObject({ epoch: count }),
} as const

export type EventType = keyof typeof eventData
export type EventData<T extends EventType> = z.infer<(typeof eventData)[T]>

/** The current schema version of every type. */
export const eventVersion = 1

/** What happened, before it has a place in a history. */
export type EventBody = { [T in EventType]: { type: T; data: EventData<T> } }[EventType]

export type EventMeta = {
  /** ULID made by the runner; a repeated commit is recognised by it. */
  id: string
  /** Schema version of `data`. */
  v: number
  /** Epoch milliseconds; recorded once, never read again from a clock. */
  at: number
  /** seq of the event that led to this one; null where it came from outside. */
  cause: number | null
  /** The state value of the job after this event, as XState writes it. */
  state: Json
}

/** An event ready to be committed. */
export type NewEvent = EventBody & EventMeta

/** An event as it is in the history. */
export type JobEvent = NewEvent & {
  jobId: string
  /** Place in the history, from 0, without gaps. */
  seq: number
  /** The owner's epoch when it was committed. */
  epoch: number
  /** SHA-256 chain: hash of the previous event's hash, this event's key and its text. */
  hash: string
}

const meta = {
  id,
  v: z.literal(eventVersion),
  at: now,
  cause: count.nullable(),
  state: json,
  jobId: id,
  seq: count,
  epoch: count,
  hash: z.string(),
}

const schemas = new Map(
  Object.entries(eventData).map(([type, data]) => [type, z.strictObject({ ...meta, type: z.literal(type), data })]),
)

/** The types with which a job ends. */
export const endTypes: ReadonlySet<string> = new Set(['job.completed', 'job.failed', 'job.cancelled', 'job.terminated'])

/**
 * Checks an event that was read from somewhere.
 * @throws AetherisError EVENT_INVALID when its type is unknown or a field is wrong.
 */
export function parseEvent(value: unknown): JobEvent {
  const { type, seq, jobId } = (value ?? {}) as { type?: unknown; seq?: unknown; jobId?: unknown }
  const where = `Event ${shown(seq)} of job "${shown(jobId)}"`
  const schema = typeof type === 'string' ? schemas.get(type) : undefined
  if (schema === undefined) {
    throw new AetherisError(
      'EVENT_INVALID',
      `${where} has the unknown type "${shown(type)}". A newer version may have written it.`,
    )
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data as JobEvent
  const issues = parsed.error.issues.map((issue) => ({
    path: issue.path.map((key) => (typeof key === 'number' ? key : String(key))),
    code: String(issue.code),
    message: issue.message,
  }))
  const first = issues[0]
  throw new AetherisError(
    'EVENT_INVALID',
    `${where} (${shown(type)}) is not valid: ${first?.path.join('.')}: ${first?.message}.`,
    { issues },
  )
}

/** What may be anything, for a message; not as text where that would run code of somebody else. */
function shown(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 200) : typeof value
}
