import { z } from 'zod'
import { AetherisError } from '../base/error.ts'
import { limits } from '../base/limits.ts'
import { type EffectClass, effectClass } from '../event/event.ts'
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
  /** Aborts when the attempt times out, or the job is cancelled or taken over, or the runtime closes. */
  readonly abortSignal: AbortSignal
}

/** A typed function that a job may call. Made by {@link tool}. */
export interface Tool<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  readonly name: string
  readonly input: I
  readonly output: O
  readonly effect: EffectClass
  readonly retry: RetryPolicy
  readonly timeoutMs: number | undefined
  run(input: z.output<I>, context: ToolContext): z.input<O> | Promise<z.input<O>>
}

/** A tool of whatever types. */
// biome-ignore lint/suspicious/noExplicitAny: a list of tools has tools of all types.
export type AnyTool = Tool<any, any>

export interface ToolOptions<I extends z.ZodType, O extends z.ZodType> {
  name: string
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
  run(input: z.output<I>, context: ToolContext): z.input<O> | Promise<z.input<O>>
}

const optionsSchema = z.object({
  name: z.string().min(1).max(limits.idCharactersMax),
  effect: effectClass.default('once'),
  retry: retrySchema.default({}),
  timeoutMs: z.int().min(1).max(limits.delayMsMax).optional(),
  run: z.custom<() => unknown>((value) => typeof value === 'function', 'expected a function'),
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
  const { name, effect, retry, timeoutMs } = parsed.data
  return Object.freeze({
    name,
    effect,
    retry,
    timeoutMs,
    input: options.input,
    output: options.output,
    run: options.run,
  })
}
