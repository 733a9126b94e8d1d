import { createActor, toPromise } from 'xstate'
import { z } from 'zod'
import type { AnyAgent } from '../agent/agent.ts'
import type { ToolContext } from '../agent/tool.ts'
import type { Clock } from '../base/clock.ts'
import { AetherisError, assert, type ErrorData, RetryableError, TerminalError, toErrorData } from '../base/error.ts'
import { deepFreeze, type Json, toJson } from '../base/json.ts'
import { splitPath } from '../compile/requests.ts'
import type { EffectClass } from '../event/event.ts'
import type { RetryPolicy, TaskGraph } from '../graph/graph.ts'
import { parseGraph } from '../graph/validate.ts'
import type { CallInput, Effect } from '../replay/effect.ts'
import type { Execution } from '../replay/execution.ts'

/**
 * Performs one attempt of one effect. The only file that runs the code of tools, planners and promise actors, and the
 * custom actions of machines.
 *
 * P1 Whatever that code does (throws a string, returns a Map, never returns), the result is an AttemptResult.
 */

/** What became of one attempt. */
export type AttemptResult =
  | { type: 'done'; output: Json }
  | { type: 'planned'; graph: TaskGraph }
  | { type: 'failed'; error: ErrorData; retryable: boolean; retryAfterMs?: number }
  /** The attempt ran out of time; whether it took effect is not known. */
  | { type: 'timedOut'; error: ErrorData }
  /** It was called off, and nobody waits for what it gives. */
  | { type: 'aborted' }

/** How an effect is to be performed: taken from its tool, its planner, or the policy of its promise actor. */
export interface Performance {
  /** The tool, planner or actor source, for people. */
  name: string
  class: EffectClass
  retry: RetryPolicy
  timeoutMs: number | undefined
  /** What it is given, as the history keeps it. */
  input: Json
  run(context: ToolContext): Promise<AttemptResult>
}

/** How to perform `effect` of a job of `agent`. A tool that the agent does not have gives a performance that fails. */
export function performanceOf(agent: AnyAgent, effect: Effect, jobInput: Json): Performance {
  if (effect.kind === 'plan') return planning(agent, jobInput)
  if (effect.kind === 'promise') return promised(agent, effect)
  return called(agent, effect.input as CallInput)
}

function called(agent: AnyAgent, { tool: name, input, retry, timeoutMs }: CallInput): Performance {
  const tool = agent.tools.get(name)
  if (tool === undefined) {
    const error = new AetherisError(
      'AGENT_INVALID',
      `Agent "${agent.name}" has no tool "${name}", which the plan of this job calls.`,
    )
    return failing(name, input, error)
  }
  return {
    name,
    class: tool.effect,
    retry: { ...tool.retry, ...retry },
    timeoutMs: timeoutMs ?? tool.timeoutMs,
    input,
    async run(context) {
      const given = tool.input.safeParse(deepFreeze(input))
      if (!given.success) return failed(schemaError('INPUT_INVALID', `The input of tool "${name}"`, given.error), false)
      const returned: unknown = await tool.run(given.data, context)
      const output = tool.output.safeParse(returned)
      if (!output.success)
        return failed(schemaError('OUTPUT_INVALID', `What tool "${name}" returned`, output.error), false)
      return { type: 'done', output: toJson(output.data, `What tool "${name}" returned`) }
    },
  }
}

function promised(agent: AnyAgent, { path, input, logic: { performs, source } }: Effect): Performance {
  assert(performs !== undefined, `the effect ${path} has nothing to perform`)
  const id = splitPath(path).at(-1) as string
  const policy = agent.promises.get(id) ?? agent.promises.get(source ?? id)
  const name = `promise ${source ?? id}`
  return {
    name,
    class: policy?.effect ?? 'once',
    retry: policy?.retry ?? {},
    timeoutMs: policy?.timeoutMs,
    input: (input ?? null) as Json,
    async run({ abortSignal }) {
      const actor = createActor(performs, { input: deepFreeze(input) })
      const output = toPromise(actor)
      abortSignal.addEventListener('abort', () => actor.stop(), { once: true })
      actor.start()
      const given = await output
      // An actor that was stopped gives nothing, whatever its promise comes to.
      return abortSignal.aborted ? aborted : { type: 'done', output: toJson(given, `What ${name} gave`) }
    },
  }
}

/** A performance that cannot be given fails, as a tool would, so that the history says why. */
function failing(name: string, input: Json, error: unknown): Performance {
  return { name, class: 'read', retry: {}, timeoutMs: undefined, input, run: async () => failed(error, false) }
}

function planning(agent: AnyAgent, input: Json): Performance {
  const { planner } = agent
  const tools = [...agent.tools.values()].map((tool) => ({
    name: tool.name,
    input: jsonSchema(tool.input),
    output: jsonSchema(tool.output),
  }))
  return {
    name: planner?.name ?? agent.name,
    class: 'read',
    retry: {},
    timeoutMs: undefined,
    input: null,
    async run({ jobId, abortSignal }) {
      if (planner === undefined)
        return failed(new AetherisError('AGENT_INVALID', `Agent "${agent.name}" has no planner.`), false)
      const answer = await planner.plan({ jobId, input, tools, signals: [...agent.signals.keys()], abortSignal })
      const known = { tools: new Set(agent.tools.keys()), signals: new Set(agent.signals.keys()) }
      return { type: 'planned', graph: parseGraph(answer, known) }
    },
  }
}

/** Runs the custom actions that the steps asked for. They are no part of the job: that one fails does not touch it. */
export function performActions(execution: Execution, problem: (error: unknown) => void): void {
  for (const action of execution.takeActions()) {
    try {
      void Promise.resolve(action()).catch(problem)
    } catch (error) {
      problem(error)
    }
  }
}

/** The JSON Schema of a tool's side; what a schema cannot say (dates, transforms) is left open. */
function jsonSchema(schema: z.ZodType): Json {
  return z.toJSONSchema(schema, { target: 'draft-7', io: 'input', unrepresentable: 'any' }) as unknown as Json
}

/**
 * Runs one attempt until it ends, runs out of time or is called off. Never rejects. What an attempt gives after that
 * changes nothing any more, but whoever has to find out what happened wants to know it: it goes to `late`.
 */
export async function attempt(
  performance: Performance,
  context: Omit<ToolContext, 'abortSignal'>,
  abort: AbortController,
  clock: Clock,
  late: (result: AttemptResult) => void,
): Promise<AttemptResult> {
  const { signal: abortSignal } = abort
  const run = Promise.resolve()
    .then(() => performance.run({ ...context, abortSignal }))
    .catch((thrown) => (abortSignal.aborted && thrown === abortSignal.reason ? aborted : failureOf(thrown)))
  const { ended, clear } = early(performance, abort, clock)
  const first = await Promise.race([
    run.then((result) => ({ result, over: true })),
    ended.then((result) => ({ result, over: false })),
  ])
  clear()
  if (!first.over) void run.then((result) => result.type !== 'aborted' && late(result))
  return first.result
}

const aborted: AttemptResult = { type: 'aborted' }

/** The end of an attempt that does not end by itself. */
function early(
  { name, timeoutMs }: Performance,
  abort: AbortController,
  clock: Clock,
): { ended: Promise<AttemptResult>; clear: () => void } {
  let clear = () => {}
  const ended = new Promise<AttemptResult>((resolve) => {
    abort.signal.addEventListener('abort', () => resolve(aborted), { once: true })
    if (timeoutMs === undefined) return
    clear = clock.setTimer(() => {
      const error = new AetherisError('TOOL_TIMEOUT', `${name} took longer than ${timeoutMs} ms.`)
      resolve({ type: 'timedOut', error: toErrorData(error) })
      abort.abort(error)
    }, timeoutMs)
  })
  return { ended, clear: () => clear() }
}

function failureOf(thrown: unknown): AttemptResult {
  if (thrown instanceof TerminalError || thrown instanceof AetherisError) return failed(thrown, false)
  const after = thrown instanceof RetryableError ? thrown.retryAfterMs : undefined
  return { ...failed(thrown, true), ...(after === undefined ? {} : { retryAfterMs: after }) }
}

function failed(thrown: unknown, retryable: boolean): Extract<AttemptResult, { type: 'failed' }> {
  return { type: 'failed', error: toErrorData(thrown), retryable }
}

function schemaError(code: 'INPUT_INVALID' | 'OUTPUT_INVALID', what: string, error: z.ZodError): AetherisError {
  return new AetherisError(code, `${what} does not match its schema: ${z.prettifyError(error)}`)
}
