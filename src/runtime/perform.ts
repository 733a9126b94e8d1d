import { createActor, toPromise } from 'xstate'
import type { AnyAgent } from '../agent/agent.ts'
import { type AnyTool, approvalOf, type Reconciled, recordedInput } from '../agent/tool.ts'
import { AetherisError, assert, toErrorData } from '../base/error.ts'
import { deepFreeze, type Json, toJson } from '../base/json.ts'
import { splitPath } from '../compile/requests.ts'
import type { CallInput, Effect, SpawnInput } from '../replay/effect.ts'
import type { Execution } from '../replay/execution.ts'
import {
  type AttemptResult,
  failed,
  failing,
  type Performance,
  type PerformanceHost,
  plain,
  schemaError,
} from './performance.ts'
import { planning } from './planning.ts'

/**
 * How each kind of effect is performed: by a tool, a planner, a promise actor, or by starting another job. With
 * attempt.ts the only place that runs the code of users; also the custom actions of machines.
 *
 * P1 Whatever that code does (throws a string, returns a Map, never returns), the result is an AttemptResult.
 */

/** How to perform `effect` of a job of `agent`. What the agent does not have gives a performance that fails. */
export function performanceOf(agent: AnyAgent, effect: Effect, host: PerformanceHost): Performance {
  switch (effect.kind) {
    case 'plan':
      return planning(agent, effect, host)
    case 'promise':
      return promised(agent, effect)
    case 'spawn':
      return spawning(agent, effect, host)
    default:
      return called(agent, effect.input as CallInput)
  }
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
    input: recordedInput(tool, input),
    polls: tool.poll !== undefined,
    approval() {
      if (tool.approval === undefined && approval === undefined) return undefined
      const given = parse()
      // An input that the tool refuses is never run, so nobody needs to agree to it.
      return given.success ? (approvalOf(tool.approval, given.data) ?? approval) : undefined
    },
    async run(context, task) {
      const given = parse()
      if (!given.success) return failed(schemaError('INPUT_INVALID', `The input of tool "${name}"`, given.error), false)
      if (task !== undefined && tool.poll === undefined) return unpolled(name)
      const made = task === undefined ? tool.run(given.data, context) : tool.poll?.(task, given.data, context)
      const output = toolOutput(tool, await made)
      return 'error' in output ? failed(output.error, false) : { type: 'done', output: output.json }
    },
    reconcile: tool.reconcile && (async (context) => reconciled(tool, await tool.reconcile?.(parse().data, context))),
  }
}

function unpolled(name: string): AttemptResult {
  const message = `Tool "${name}" has no \`poll\` any more, so nobody can ask what has become of its task.`
  return { type: 'unknown', reason: 'lost', error: toErrorData(new AetherisError('AGENT_INVALID', message)) }
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

function spawning(agent: AnyAgent, { id, input: request }: Effect, host: PerformanceHost): Performance {
  const { agent: name, input, detach, onParentEnd } = request as SpawnInput
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
      return detach ? { type: 'done', output: { jobId } } : { type: 'spawned', jobId, onParentEnd }
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
