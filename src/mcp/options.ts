import { z } from 'zod'
import { AetherisError } from '../base/error.ts'
import { type EffectClass, effectClass } from '../event/event.ts'
import { type RetryPolicy, retrySchema } from '../graph/graph.ts'
import type { EffectPolicy } from './policy.ts'
import type { Endpoint } from './transport.ts'

interface Common {
  /** What it is called here: begins the names of its tools. Letters, digits, `_` and `-`, at most 32. */
  name: string
  /** The tools to take, by the server's own names. Default: all. */
  only?: readonly string[]
  /** Effect classes that are stricter than what the server's hints say, by its own names. */
  effects?: Readonly<Record<string, EffectClass>>
  /** Effect classes that are looser than that: where you know that the server says too little, by its own names. */
  loosen?: Readonly<Record<string, EffectClass>>
  /** When somebody has to agree to a call. Default `destructive`: of class `once`, unless hinted not to destroy anything. */
  approval?: EffectPolicy['approval']
  /** Of its tools. Default: 3 attempts for `read` and `idempotent`, 1 for `once`. */
  retry?: RetryPolicy
  /** Time for an answer to a call, in milliseconds. Of a call that goes on as a task: for each question. Default 60 s. */
  timeoutMs?: number
  /** Time to start or reach the server and list its tools, in milliseconds. Default 30 s. */
  connectTimeoutMs?: number
}

export type McpServerOptions = Common &
  (
    | {
        /** The program to start. It is spoken to by its standard input and output. */
        command: string
        args?: readonly string[]
        /** Beside PATH, HOME and the like; nothing else of our own environment is passed on. */
        env?: Readonly<Record<string, string>>
        /** Default: our own. */
        cwd?: string
        /** Called with each line that it writes to its standard error. Default: they are dropped. */
        onLog?(line: string): void
      }
    | {
        /** Of a server over streamable HTTP. */
        url: string
        /** Sent with every request, and kept nowhere. */
        headers?: Readonly<Record<string, string>>
      }
  )

const spanMs = z
  .int()
  .min(1)
  .max(2 ** 31 - 1)
const text = z.string().min(1)
const common = {
  name: z.string().regex(/^[A-Za-z0-9_-]{1,32}$/, 'expected letters, digits, _ and -, at most 32'),
  only: z.array(text).optional(),
  effects: z.record(text, effectClass).default({}),
  loosen: z.record(text, effectClass).default({}),
  approval: z.enum(['destructive', 'never', 'always']).default('destructive'),
  retry: retrySchema.default({}),
  timeoutMs: spanMs.default(60_000),
  connectTimeoutMs: spanMs.default(30_000),
}
const texts = z.record(text, z.string()).default({})
const optionsSchema = z.union([
  z.strictObject({
    ...common,
    command: text,
    args: z.array(z.string()).default([]),
    env: texts,
    cwd: text.optional(),
    onLog: z.custom<(line: string) => void>((value) => typeof value === 'function').default(() => () => {}),
  }),
  z.strictObject({ ...common, url: z.url({ protocol: /^https?$/ }), headers: texts }),
])
export type Options = z.output<typeof optionsSchema>

/** @throws AetherisError AGENT_INVALID */
export function checkOptions(options: McpServerOptions): Options {
  const parsed = optionsSchema.safeParse(options)
  if (!parsed.success) throw invalid(String(options?.name), z.prettifyError(parsed.error))
  return parsed.data
}

export function endpointOf(options: Options): Endpoint {
  if ('url' in options) return { url: options.url, headers: options.headers }
  const { command, args, env, cwd } = options
  return { command, args, env, cwd }
}

export function invalid(name: string, why: string): AetherisError {
  return new AetherisError('AGENT_INVALID', `Server ${JSON.stringify(name)} is not valid: ${why}.`)
}
