import { z } from 'zod'
import { AetherisError } from '../base/error.ts'
import { type Json, toJson } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { type ApprovalPolicy, approvalSchema, checkPolicy } from '../event/approval.ts'
import { type EffectClass, effectClass } from '../event/event.ts'
import type { ModelUsage } from '../event/spending.ts'
import { type RetryPolicy, retrySchema } from '../graph/graph.ts'

/** What a tool is given beside its input. */
export interface ToolContext {
  readonly jobId: string
  /** The node or actor path that this call is for, e.g. `find` or `read/17`. */
  readonly effect: string
  /** From 1. */
  readonly attempt: number
  /** The same for every attempt of this call, whoever makes it: give it to services that can drop repeats. */
  readonly idempotencyKey: string
  /**
   * Aborts when the attempt times out, or the job is ending or taken over, or the runtime closes. A tool that stops
   * because of it rejects with `abortSignal.reason`, and has then done nothing that needs to be undone. After a timeout
   * nobody listens to that any more: the outcome of a `once` call stays unknown.
   */
  readonly abortSignal: AbortSignal
  /**
   * Says that the attempt is alive, and how far it is: any JSON. Kept in the history, at most once a second; the next
   * attempt finds it in `lastProgress`.
   */
  progress(data: Json): void
  /** What the attempt before reported last. */
  readonly lastProgress: Json | undefined
  /**
   * Passes on a piece of text that the attempt makes, such as the tokens of a model, to those who watch the job now
   * (`JobHandle.stream`). Kept in memory until the attempt ends; the history has only its output.
   */
  emit(text: string): void
  /**
   * Counts against the budget of the job, whatever becomes of the attempt: units of your choice, a whole number from 0,
   * or what a model has used.
   */
  charge(spent: number | ModelUsage): void
  /**
   * Says that the call goes on elsewhere, known there as `task`. Resolves when that is durable. From then on nobody
   * calls `run` again for it: after a crash or a timeout the tool's `poll` is asked what has become of the task.
   */
  submitted(task: Json): Promise<void>
  /** Who agreed to this call, and which option they took. */
  readonly approval: { option: string; by: string | undefined } | undefined
}

/** Where a tool comes from that somebody else defines, and how they define it now. */
export interface ToolOrigin {
  /** Who offers it, e.g. the name of an MCP server. */
  server: string
  version?: string
  /** Digest of its description and schemas. */
  digest: string
  /** What they say about its effects. */
  hints: Json
}

/** What a tool knows of a call whose outcome was lost. */
export type Reconciled<O> =
  | { status: 'completed'; output: O }
  | { status: 'failed'; message: string }
  /** The call surely did nothing, and never will: it is made again. */
  | { status: 'absent' }
  /** It cannot be said; a person has to decide. */
  | { status: 'unknown' }

/** An approval that is needed for every call, or only where `when` holds of the input. */
export type ToolApproval<I> = 'always' | (ApprovalPolicy & { when?: (input: I) => boolean })

/** A typed function that a job may call. Made by {@link tool}. */
export interface Tool<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  readonly name: string
  readonly description: string | undefined
  readonly input: I
  readonly output: O
  readonly effect: EffectClass
  readonly retry: RetryPolicy
  readonly timeoutMs: number | undefined
  readonly heartbeatMs: number | undefined
  readonly approval: ToolApproval<z.output<I>> | undefined
  run(input: z.output<I>, context: ToolContext): z.input<O> | Promise<z.input<O>>
  readonly reconcile: ToolOptions<I, O>['reconcile']
  readonly poll: ToolOptions<I, O>['poll']
  readonly summarize: ToolOptions<I, O>['summarize']
  readonly origin: ToolOrigin | undefined
}

/** A tool of whatever types. */
// biome-ignore lint/suspicious/noExplicitAny: a list of tools has tools of all types.
export type AnyTool = Tool<any, any>

export interface ToolOptions<I extends z.ZodType, O extends z.ZodType> {
  name: string
  /** What it does, for whoever chooses among tools: a model, a planner, a person. */
  description?: string
  /** Schema of the input. The parsed value is what `run` gets. */
  input: I
  /** Schema of the output. The parsed value is what the history keeps. */
  output: O
  /**
   * What may be done when an attempt has no recorded outcome. Default `once`: it is never repeated by itself.
   * `read` has no effect outside; `idempotent` may be repeated with the same key.
   */
  effect?: EffectClass
  /** Default: 3 attempts for `read` and `idempotent`, 1 for `once`; from 1 s, doubling, up to 60 s. */
  retry?: RetryPolicy
  /** Time for one attempt, in milliseconds. Default: none. */
  timeoutMs?: number
  /** An attempt that calls `progress` less often than this, in milliseconds, counts as hung. Default: none. */
  heartbeatMs?: number
  /** A person has to agree before it is called. Default: nobody. */
  approval?: ToolApproval<z.output<I>>
  run(input: z.output<I>, context: ToolContext): z.input<O> | Promise<z.input<O>>
  /**
   * Asked how a `once` call ended whose outcome was lost, before a person is. Has no effect outside. One that throws
   * counts as not knowing.
   */
  reconcile?(
    input: z.output<I>,
    context: Pick<ToolContext, 'jobId' | 'effect' | 'attempt' | 'idempotencyKey' | 'abortSignal'>,
  ): Reconciled<z.input<O>> | Promise<Reconciled<z.input<O>>>
  /**
   * Goes on with a call that was submitted, as `run` would have: waits for the task and gives its output. An attempt
   * like any other, made after a crash, a retry or a person's `again`.
   */
  poll?(task: Json, input: z.output<I>, context: ToolContext): z.input<O> | Promise<z.input<O>>
  /**
   * What the history keeps of the input, where that is large and follows from the rest of it, such as a conversation.
   * Pure; has to tell different inputs apart (by a digest), since replay compares it. Default: all of it.
   */
  summarize?(input: Json): Json
  /** For a tool that somebody else defines: kept in the history of every job that may call it, and again when it changes. */
  origin?: ToolOrigin
}

const aFunction = z.custom<() => unknown>((value) => typeof value === 'function', 'expected a function')
const spanMs = z.int().min(1).max(limits.delayMsMax).optional()

/** @internal Whether a value is a schema of zod, as far as it is used as one. */
export function isSchema(value: unknown): boolean {
  return typeof (value as Partial<z.ZodType> | undefined)?.safeParse === 'function'
}

const aSchema = z.custom(isSchema, 'expected a schema of zod, such as z.object({ text: z.string() })')

const optionsSchema = z.strictObject({
  name: z.string().min(1).max(limits.idCharactersMax),
  description: z.string().optional(),
  input: aSchema,
  output: aSchema,
  effect: effectClass.default('once'),
  retry: retrySchema.default({}),
  timeoutMs: spanMs,
  heartbeatMs: spanMs,
  approval: z
    .union([z.literal('always'), approvalSchema.extend({ when: aFunction.optional() }).superRefine(checkPolicy)])
    .optional(),
  run: aFunction,
  reconcile: aFunction.optional(),
  poll: aFunction.optional(),
  summarize: aFunction.optional(),
  origin: z.unknown().optional(),
})

/**
 * Defines a tool.
 * @throws AetherisError AGENT_INVALID when an option is wrong.
 */
export function tool<I extends z.ZodType, O extends z.ZodType>(options: ToolOptions<I, O>): Tool<I, O> {
  const parsed = optionsSchema.safeParse(options)
  if (!parsed.success) {
    throw new AetherisError(
      'AGENT_INVALID',
      `Tool ${JSON.stringify(options?.name)} is not valid: ${z.prettifyError(parsed.error)}`,
    )
  }
  const { name, description, effect, retry, timeoutMs, heartbeatMs } = parsed.data
  const { input, output, approval, run, reconcile, poll, summarize } = options
  const origin = options.origin && (toJson(options.origin, `The origin of tool "${name}"`) as unknown as ToolOrigin)
  return Object.freeze({
    ...{ name, description, effect, retry, timeoutMs, heartbeatMs },
    ...{ input, output, approval, run, reconcile, poll, summarize, origin },
  })
}

/** How others define those of the tools that are not the agent's own, by name. */
export function originsOf(tools: readonly AnyTool[]): Readonly<Record<string, ToolOrigin>> {
  const found: Record<string, ToolOrigin> = {}
  for (const { name, origin } of tools) if (origin !== undefined) found[name] = origin
  return Object.freeze(found)
}

/** What the history keeps of a call's input: all of it, unless the tool sums it up. */
export function recordedInput(tool: AnyTool | undefined, input: Json): Json {
  return tool?.summarize === undefined ? input : tool.summarize(input)
}

/** What somebody has to agree to before a call with this input, or undefined where nobody has to. */
export function approvalOf<I>(approval: ToolApproval<I> | undefined, input: I): ApprovalPolicy | undefined {
  if (approval === undefined) return undefined
  if (approval === 'always') return {}
  const { when, ...policy } = approval
  return when === undefined || when(input) ? policy : undefined
}
