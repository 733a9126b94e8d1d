import { z } from 'zod'
import { AetherisError } from '../base/error.ts'
import type { Json } from '../base/json.ts'

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
const error = z.strictObject({ name: z.string(), message: z.string(), code: z.string().optional() })
const who = { by: z.string().optional(), reason: z.string().optional() }

/** Why an attempt was made: a retry after a failure, or again after a crash. */
const attemptCause = z.enum(['retry', 'recovery'])

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
  }),
  'plan.adopted': z.strictObject({ graph: json, hash: z.string() }),
  'node.completed': z.strictObject({ effect: id, attempt: count, output: json }),
  'node.failed': z.strictObject({ effect: id, attempt: count, error }),
  'signal.received': z.strictObject({ name: id, payload: json, message: id }),
  'timer.fired': z.strictObject({ timer: id }),
  'job.paused': z.strictObject(who),
  'job.resumed': z.strictObject(who),
  // announcements
  'plan.requested': z.strictObject({ planner: id }),
  'node.skipped': z.strictObject({ node: id }),
  'node.waiting': z.strictObject({ effect: id, signal: id }),
  'node.withdrawn': z.strictObject({ effect: id }),
  'timer.armed': z.strictObject({
    timer: id,
    effect: id,
    purpose: z.enum(['sleep', 'timeout', 'retry']),
    dueAt: count,
  }),
  'job.completed': z.strictObject({ output: json }),
  /** Also an input, where the runner gives up on a job. */
  'job.failed': z.strictObject({ error }),
  /** Also an input: somebody asked for it. */
  'job.cancelled': z.strictObject(who),
  // notes
  'node.started': z.strictObject({ effect: id, tool: id, class: effectClass, input: json }),
  'node.attempted': z.strictObject({ effect: id, attempt: count, cause: attemptCause }),
  'node.retried': z.strictObject({ effect: id, attempt: count, error, delayMs: count }),
  'node.outcome_unknown': z.strictObject({ effect: id, attempt: count, reason: z.enum(['crash', 'timeout']) }),
  'node.late_result': z.strictObject({ effect: id, attempt: count, ok: z.boolean(), value: json }),
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
  at: count,
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
export const endTypes: ReadonlySet<string> = new Set(['job.completed', 'job.failed', 'job.cancelled'])

/**
 * Checks an event that was read from somewhere.
 * @throws AetherisError EVENT_INVALID when its type is unknown or a field is wrong.
 */
export function parseEvent(value: unknown): JobEvent {
  const { type, seq, jobId } = (value ?? {}) as { type?: unknown; seq?: unknown; jobId?: unknown }
  const where = `Event ${String(seq)} of job "${String(jobId)}"`
  const schema = schemas.get(String(type))
  if (schema === undefined) {
    throw new AetherisError(
      'EVENT_INVALID',
      `${where} has the unknown type "${String(type)}". A newer version may have written it.`,
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
    `${where} (${String(type)}) is not valid: ${first?.path.join('.')}: ${first?.message}.`,
    { issues },
  )
}
