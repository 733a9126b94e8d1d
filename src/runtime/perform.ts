import { createActor, toPromise } from 'xstate'
import { z } from 'zod'
import type { AnyAgent } from '../agent/agent.ts'
import type { PlanRequest } from '../agent/planner.ts'
import { type AnyTool, approvalOf, type Reconciled, type ToolContext } from '../agent/tool.ts'
import { AetherisError, assert, type ErrorData, RetryableError, TerminalError, toErrorData } from '../base/error.ts'
import { deepFreeze, type Json, toJson } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { splitPath } from '../compile/requests.ts'
import type { ApprovalPolicy } from '../event/approval.ts'
import type { EffectClass } from '../event/event.ts'
import type { RetryPolicy, TaskGraph } from '../graph/graph.ts'
import { parseGraph } from '../graph/validate.ts'
import type { CallInput, Effect, PlanRequestInput, SpawnInput } from '../replay/effect.ts'
import type { Execution } from '../replay/execution.ts'

/**
 * How each kind of effect is performed: by a tool, a planner, a promise actor, or by starting another job. With
 * attempt.ts the only place that runs the code of users; also the custom actions of machines.
 *
 * P1 Whatever that code does (throws a string, returns a Map, never returns), the result is an AttemptResult.
 */

/** What became of one attempt. */
export type AttemptResult =
  | { type: 'done'; output: Json }
  | { type: 'planned'; graph: TaskGraph }
  /** The job that it was to start exists. */
  | { type: 'spawned'; jobId: string }
  | { type: 'failed'; error: ErrorData; retryable: boolean; retryAfterMs?: number }
  /** The attempt ran out of time; whether it took effect is not known. */
  | { type: 'timedOut'; error: ErrorData }
  /** It stopped since it was asked to, and has done nothing. */
  | { type: 'stopped' }
  /** It was called off, and nobody waits for what it gives. */
  | { type: 'dropped' }

/** How an effect is to be performed: taken from its tool, its planner, or the policy of its promise actor. */
export interface Performance {
  /** The tool, planner or actor source, for people. */
  name: string
  class: EffectClass
  retry: RetryPolicy
  timeoutMs: number | undefined
  heartbeatMs: number | undefined
  /** What it is given, as the history keeps it. */
  input: Json
  /** What somebody has to agree to first. @throws whatever the tool's own condition throws. */
  approval(): ApprovalPolicy | undefined
  run(context: ToolContext): Promise<AttemptResult>
  /** Asks how a call ended whose outcome was lost. May throw. */
  reconcile:
    | ((context: Omit<ToolContext, 'progress' | 'charge' | 'lastProgress' | 'approval'>) => Promise<Reconciled<Json>>)
    | undefined
}

/** What planners and spawns need of the job that they are for. */
export interface PerformanceHost {
  jobInput: Json
  previousPlan(): PlanRequest['previous']
  /** Starts a job of `agent`, or finds it started. Gives its id. */
  spawn(agent: AnyAgent, input: unknown, effect: string): Promise<string>
}

/** How to perform `effect` of a job of `agent`. What the agent does not have gives a performance that fails. */
export function performanceOf(agent: AnyAgent, effect: Effect, host: PerformanceHost): Performance {
  switch (effect.kind) {
    case 'plan':
      return planning(agent, effect.input as PlanRequestInput, host)
    case 'promise':
      return promised(agent, effect)
    case 'spawn':
      return spawning(agent, effect, host)
    default:
      return called(agent, effect.input as CallInput)
  }
}

const plain = {
  class: 'read' as EffectClass,
  retry: {} as RetryPolicy,
  timeoutMs: undefined,
  heartbeatMs: undefined,
  approval: () => undefined,
  reconcile: undefined,
}

function called(agent: AnyAgent, { tool: name, input, retry, timeoutMs, approval }: CallInput): Performance {
  const tool = agent.tools.get(name)
  if (tool === undefined) {
    const message = `Agent "${agent.name}" has no tool "${name}", which the plan of this job calls.`
    return failing(name, input, new AetherisError('AGENT_INVALID', message))
  }
  const parse = () => tool.input.safeParse(deepFreeze(input))
  return {
    name,
    class: tool.effect,
    retry: { ...tool.retry, ...retry },
    timeoutMs: timeoutMs ?? tool.timeoutMs,
    heartbeatMs: tool.heartbeatMs,
    input,
    approval() {
      const given = parse()
      // An input that the tool refuses is never run, so nobody needs to agree to it.
      return given.success ? (approvalOf(tool.approval, given.data) ?? approval) : undefined
    },
    async run(context) {
      const given = parse()
      if (!given.success) return failed(schemaError('INPUT_INVALID', `The input of tool "${name}"`, given.error), false)
      const output = toolOutput(tool, await tool.run(given.data, context))
      return 'error' in output ? failed(output.error, false) : { type: 'done', output: output.json }
    },
    reconcile: tool.reconcile && (async (context) => reconciled(tool, await tool.reconcile?.(parse().data, context))),
  }
}

/** What a tool returned, checked against its schema. @throws AetherisError OUTPUT_INVALID, LIMIT_EXCEEDED */
export function toolOutput(tool: AnyTool, returned: unknown): { json: Json } | { error: AetherisError } {
  const output = tool.output.safeParse(returned)
  if (!output.success)
    return { error: schemaError('OUTPUT_INVALID', `What tool "${tool.name}" returned`, output.error) }
  return { json: toJson(output.data, `What tool "${tool.name}" returned`) }
}

function reconciled(tool: AnyTool, answer: Reconciled<unknown> | undefined): Reconciled<Json> {
  switch (answer?.status) {
    case 'completed': {
      const output = toolOutput(tool, answer.output)
      if ('error' in output) throw output.error
      return { status: 'completed', output: output.json }
    }
    case 'failed':
      return { status: 'failed', message: String(answer.message) }
    case 'absent':
    case 'unknown':
      return { status: answer.status }
    default:
      throw new AetherisError('OUTPUT_INVALID', `What reconcile of tool "${tool.name}" returned has no known status.`)
  }
}

function promised(agent: AnyAgent, { path, input, logic: { performs, source } }: Effect): Performance {
  assert(performs !== undefined, `the effect ${path} has nothing to perform`)
  const id = splitPath(path).at(-1) as string
  const policy = agent.promises.get(id) ?? agent.promises.get(source ?? id)
  const name = `promise ${source ?? id}`
  return {
    ...plain,
    name,
    class: policy?.effect ?? 'once',
    retry: policy?.retry ?? {},
    timeoutMs: policy?.timeoutMs,
    input: (input ?? null) as Json,
    approval: () => policy?.approval,
    async run({ abortSignal }) {
      const actor = createActor(performs, { input: deepFreeze(input) })
      const output = toPromise(actor)
      abortSignal.addEventListener('abort', () => actor.stop(), { once: true })
      actor.start()
      const given = await output
      // An actor that was stopped gives nothing, whatever its promise comes to.
      return abortSignal.aborted ? { type: 'dropped' } : { type: 'done', output: toJson(given, `What ${name} gave`) }
    },
  }
}

/** A performance that cannot be given fails, as a tool would, so that the history says why. */
function failing(name: string, input: Json, error: unknown): Performance {
  return { ...plain, name, input, run: async () => failed(error, false) }
}

function spawning(agent: AnyAgent, { id, input: request }: Effect, host: PerformanceHost): Performance {
  const { agent: name, input, detach } = request as SpawnInput
  const child = agent.agents.get(name)
  if (child === undefined) {
    const message = `Agent "${agent.name}" does not name "${name}" among its agents, whose job its plan starts.`
    return failing(name, input, new AetherisError('AGENT_INVALID', message))
  }
  return {
    ...plain,
    name,
    class: 'idempotent',
    input,
    async run() {
      const jobId = await host.spawn(child, input, id)
      return detach ? { type: 'done', output: { jobId } } : { type: 'spawned', jobId }
    },
  }
}

function planning(agent: AnyAgent, { round }: PlanRequestInput, host: PerformanceHost): Performance {
  const { planner } = agent
  return {
    ...plain,
    name: planner?.name ?? agent.name,
    timeoutMs: planner?.timeoutMs,
    input: null,
    async run({ jobId, abortSignal }) {
      if (planner === undefined) {
        return failed(new AetherisError('AGENT_INVALID', `Agent "${agent.name}" has no planner.`), false)
      }
      if (round > limits.planRoundsMax) {
        const message = `The planner "${planner.name}" has made ${limits.planRoundsMax} plans for this job, and no more are allowed.`
        return failed(new AetherisError('LIMIT_EXCEEDED', message), false)
      }
      const previous = host.previousPlan()
      const common = {
        tools: described(agent.tools),
        agents: described(agent.agents),
        signals: [...agent.signals.keys()],
      }
      const answer = await planner.plan({ ...common, jobId, input: host.jobInput, round, previous, abortSignal })
      return { type: 'planned', graph: parseGraph(answer, knownTo(agent, previous)) }
    },
  }
}

/** What a plan of `agent` may name. */
export function knownTo(
  { tools, signals, agents }: AnyAgent,
  previous: PlanRequest['previous'],
): Parameters<typeof parseGraph>[1] {
  const results = previous && new Set(Object.keys(previous.results))
  return { tools, signals, agents, ...(results === undefined ? {} : { results }) }
}

function described(list: ReadonlyMap<string, { name: string; input: z.ZodType; output: z.ZodType }>) {
  return [...list.values()].map(({ name, input, output }) => ({
    name,
    input: jsonSchema(input),
    output: jsonSchema(output),
  }))
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

/** The JSON Schema of one side; what a schema cannot say (dates, transforms) is left open. */
function jsonSchema(schema: z.ZodType): Json {
  return z.toJSONSchema(schema, { target: 'draft-7', io: 'input', unrepresentable: 'any' }) as unknown as Json
}

/** What a thrown value means. */
export function failureOf(thrown: unknown): AttemptResult {
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
