import { z } from 'zod'
import { sha256 } from '../../src/base/hash.ts'
import { canonical, type Json } from '../../src/base/json.ts'
import type { EffectClass } from '../../src/event/event.ts'
import {
  OutcomeUnknownError,
  RetryableError,
  TerminalError,
  type ToolContext,
  type ToolOptions,
  tool,
} from '../../src/index.ts'
import type { Checker } from './check.ts'
import type { Kernel } from './kernel.ts'

/** The outside: tools that are slow, fail, hang and answer late, and what really happened to each call. */

export interface Call {
  tool: string
  job: string
  effect: string
  attempt: number
  key: string
  /** What it came to, once it did. */
  output?: Json
}

/** How tools behave, in percent. */
export interface Weather {
  fails: number
  hangs: number
  isLate: number
}

type Outcome = 'ok' | 'fails' | 'fails for good' | 'throws no error' | 'hangs' | 'is late' | 'loses its answer'

const timeoutMs = 5_000

export class World {
  readonly calls: Call[] = []
  private readonly byEffect = new Map<string, Call[]>()
  private readonly tasks = new Map<string, { call: Call; input: Json }>()
  private readonly kernel: Kernel
  private readonly checker: Checker
  private readonly weather: Weather
  /** From then on nothing is slow and nothing fails. */
  isCalm = false

  constructor(kernel: Kernel, checker: Checker, weather: Weather) {
    this.kernel = kernel
    this.checker = checker
    this.weather = weather
    checker.returned = (job, effect, attempt) => {
      const call = this.of(job, effect).find((each) => each.attempt === attempt)
      return call?.output === undefined ? undefined : { output: call.output }
    }
  }

  of(job: string, effect: string): Call[] {
    return this.byEffect.get(`${job} ${effect}`) ?? []
  }

  tool(name: string, effect: EffectClass, options: Partial<ToolOptions<z.ZodAny, z.ZodAny>> = {}) {
    return tool({
      name,
      input: z.any(),
      output: z.any(),
      effect,
      timeoutMs,
      retry: { maxAttempts: effect === 'once' ? 1 : 4, initialDelayMs: 200, maxDelayMs: 2_000 },
      run: (input, context) => this.perform(name, input, context),
      ...options,
    })
  }

  /** A tool that can be asked how a call ended. */
  askable(name: string) {
    return this.tool(name, 'once', {
      reconcile: async (_, { jobId, effect, attempt }) => {
        await this.wait(this.kernel.between(0, 500))
        const call = this.of(jobId, effect).find((each) => each.attempt === attempt)
        if (call === undefined) return { status: 'absent' }
        return call.output === undefined ? { status: 'unknown' } : { status: 'completed', output: call.output }
      },
    })
  }

  /** A tool whose calls go on by themselves, as tasks. */
  tasker(name: string) {
    return this.tool(name, 'once', {
      timeoutMs: 60_000,
      run: async (input, context) => {
        const call = this.begin(name, context)
        const id = `task-${this.calls.length}`
        this.tasks.set(id, { call, input })
        await this.wait(this.kernel.between(0, 300))
        await context.submitted({ id })
        return this.taskOutput(id, context)
      },
      poll: async (task, _, context) => this.taskOutput((task as { id: string }).id, context),
    })
  }

  private async taskOutput(id: string, { jobId, effect, attempt }: ToolContext): Promise<Json> {
    const { call, input } = this.tasks.get(id) as { call: Call; input: Json }
    await this.wait(this.kernel.between(0, 3_000))
    call.output ??= outputOf(call.tool, input)
    // A later attempt asks for what an earlier one began.
    if (call.attempt !== attempt) this.keep({ ...call, attempt, job: jobId, effect })
    return call.output
  }

  private async perform(name: string, input: Json, context: ToolContext): Promise<Json> {
    const call = this.begin(name, context)
    const outcome = this.outcome()
    if (outcome !== 'ok') this.kernel.inject(`tool ${outcome}`)
    const obeys = this.kernel.chance(0.5)
    const { abortSignal } = context
    await this.wait(outcome === 'is late' ? this.kernel.between(timeoutMs, 4 * timeoutMs) : this.latency())
    if (obeys && abortSignal.aborted) throw abortSignal.reason
    if (outcome === 'hangs') return new Promise(() => {})
    if (outcome === 'fails') throw new RetryableError('not now')
    if (outcome === 'fails for good') throw new TerminalError('never')
    if (outcome === 'throws no error') throw 'a text'
    call.output = outputOf(name, input)
    if (outcome === 'loses its answer') throw new OutcomeUnknownError('the line is dead')
    return call.output
  }

  private begin(name: string, { jobId, effect, attempt, idempotencyKey }: ToolContext): Call {
    const call: Call = { tool: name, job: jobId, effect, attempt, key: idempotencyKey }
    this.kernel.log(`  ${jobId} calls ${name} for ${effect}, attempt ${attempt}`)
    this.checker.called(call, this.of(jobId, effect))
    this.keep(call)
    this.calls.push(call)
    return call
  }

  private keep(call: Call): void {
    const key = `${call.job} ${call.effect}`
    this.byEffect.set(key, [...(this.byEffect.get(key) ?? []), call])
  }

  private latency(): number {
    return this.isCalm ? this.kernel.between(0, 20) : this.kernel.between(0, 2_000)
  }

  private outcome(): Outcome {
    const { fails, hangs, isLate } = this.weather
    if (this.isCalm) return 'ok'
    const roll = this.kernel.random.next() * 100
    if (roll < fails) return this.kernel.pick(['fails', 'fails', 'fails', 'fails for good', 'throws no error'])
    if (roll < fails + hangs) return 'hangs'
    return roll < fails + hangs + isLate ? this.kernel.pick(['is late', 'loses its answer']) : 'ok'
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.kernel.after(ms, resolve))
  }
}

/** What a tool gives for an input: the same each time, and told apart from any other. */
export function outputOf(name: string, input: Json): Json {
  return { from: name, of: sha256(canonical(input)).slice(0, 8) }
}
