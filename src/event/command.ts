import { z } from 'zod'
import { AetherisError, type Issue } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { budgetSchema } from './budget.ts'

/**
 * Requests to a job, imperative. They wait in its inbox until the job gets to them, and enter its history only as the
 * event that accepted or refused them.
 */

const json: z.ZodType<Json> = z.custom<Json>((value) => value !== undefined, 'expected JSON')
const text = z.string().min(1).max(10_000)
const name = z.string().min(1).max(limits.idCharactersMax)
const effect = z.string().min(1).max(1_000)
/** Who asks, and why; kept in the event. */
const who = { by: name.optional(), reason: text.optional() }
/** Of a decision: somebody has to answer for it. */
const decider = { by: name, reason: text.optional() }

export const commandSchemas = {
  signal: z.strictObject({ name, payload: json }),
  pause: z.strictObject(who),
  resume: z.strictObject({ ...who, budget: budgetSchema.optional() }),
  cancel: z.strictObject({ ...who, graceMs: z.int().min(0).max(limits.delayMsMax).optional() }),
  terminate: z.strictObject(who),
  /** Asks the planner for another plan while the job runs. */
  revise: z.strictObject(who),
  /** Runs a node that has failed again, and what comes after it. */
  retry: z.strictObject({ ...who, node: name }),
  /** Runs a node that has settled again, and what comes after it. */
  restart: z.strictObject({ ...who, node: name }),
  /** Answers what an approval asks. */
  decide: z.strictObject({ ...decider, effect, option: name, digest: z.string().optional() }),
  /** Says how a call ended whose outcome is unknown. */
  resolve: z.strictObject({
    by: name,
    reason: text,
    effect,
    as: z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('completed'), output: json }),
      z.strictObject({ type: z.literal('failed'), message: text }),
      z.strictObject({ type: z.literal('again') }),
    ]),
  }),
  /** Tells a job that one it has started has ended. */
  child: z.strictObject({
    effect,
    jobId: z.string(),
    end: z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('completed'), output: json }),
      z.strictObject({
        type: z.literal('failed'),
        error: z.strictObject({ name: z.string(), message: z.string(), code: z.string().optional() }),
      }),
    ]),
  }),
} as const

export type CommandKind = keyof typeof commandSchemas
export type CommandBody<K extends CommandKind> = z.infer<(typeof commandSchemas)[K]>
export type Command = { [K in CommandKind]: { kind: K; body: CommandBody<K> } }[CommandKind]

/** @throws AetherisError INPUT_INVALID with `issues` when the body does not match the schema of its kind. */
export function parseCommand(kind: string, body: unknown): Command {
  if (!Object.hasOwn(commandSchemas, kind)) {
    throw new AetherisError(
      'INPUT_INVALID',
      `"${kind}" is no command; use one of ${Object.keys(commandSchemas).join(', ')}.`,
    )
  }
  const parsed = commandSchemas[kind as CommandKind].safeParse(body)
  if (parsed.success) return { kind, body: parsed.data } as Command
  const issues: Issue[] = parsed.error.issues.map((issue) => ({
    path: issue.path.map((key) => (typeof key === 'number' ? key : String(key))),
    code: String(issue.code),
    message: issue.message,
  }))
  const list = issues.map(({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`).join('; ')
  throw new AetherisError('INPUT_INVALID', `The command ${kind} is not valid: ${list}.`, { issues })
}
