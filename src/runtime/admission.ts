import type { z } from 'zod'
import type { AnyAgent } from '../agent/agent.ts'
import { isReserved } from '../agent/signal.ts'
import { AetherisError } from '../base/error.ts'
import { digest, type Json, pathText, toJson } from '../base/json.ts'
import { eventTypeOf } from '../compile/signal-event.ts'
import { type Budget, budgetSchema } from '../event/budget.ts'
import type { EventBody, NewEvent } from '../event/event.ts'
import type { Execution } from '../replay/execution.ts'
import { priorities } from '../scheduler/slots.ts'
import { keyPart } from '../store/store.ts'

/** What comes from outside is checked here, before anything of it is stored. */

export interface SpawnOptions {
  /** Default: a new ULID. Spawning with an id that exists gives that job. */
  id?: string
  /** 0 to 9, higher first. Default 5. */
  priority?: number
  /** What the job may use up; overrides the agent's own, limit by limit. */
  budget?: Budget
  /** Where the agent was loaded from; kept in the history for whoever needs the definition again. */
  source?: string
}

/** @throws AetherisError INPUT_INVALID */
export function checkSpawn(id: string, priority: number): void {
  if (typeof id !== 'string' || !keyPart.test(id)) {
    const message = `The job id ${JSON.stringify(id)} is not valid: it needs to match ${keyPart.source}.`
    throw new AetherisError('INPUT_INVALID', message)
  }
  if (!Number.isInteger(priority) || priority < 0 || priority >= priorities) {
    const message = `The priority ${String(priority)} is not valid: it goes from 0 to ${priorities - 1}.`
    throw new AetherisError('INPUT_INVALID', message)
  }
}

/** @throws AetherisError INPUT_INVALID */
export function parseInput(agent: AnyAgent, input: unknown): Json {
  const parsed = agent.input.safeParse(input)
  if (!parsed.success) throw schemaError('INPUT_INVALID', `The input of agent "${agent.name}"`, parsed.error)
  return toJson(parsed.data, `The input of agent "${agent.name}"`, 'INPUT_INVALID')
}

/** @throws AetherisError INPUT_INVALID */
export function parseBudget(agent: AnyAgent, budget: Budget = {}): Budget {
  const parsed = budgetSchema.safeParse(budget)
  if (!parsed.success) throw schemaError('INPUT_INVALID', 'The budget', parsed.error)
  return { ...agent.budget, ...parsed.data }
}

/**
 * A signal's payload, as its schema parsed it.
 * @throws AetherisError SIGNAL_UNKNOWN, SIGNAL_INVALID
 */
export function checkSignal(agent: AnyAgent, name: string, payload: unknown): Json {
  if (isReserved(name)) {
    throw new AetherisError('SIGNAL_INVALID', `The signal name "${name}" is reserved for the runtime.`)
  }
  const known = agent.signals.get(name)
  if (known === undefined) {
    if (machineAccepts(agent, name)) return toJson(payload, `The payload of signal "${name}"`, 'SIGNAL_INVALID')
    const names = [...agent.signals.keys()].join(', ') || 'none'
    const message = `Agent "${agent.name}" knows no signal "${name}"; it knows: ${names}.`
    throw new AetherisError('SIGNAL_UNKNOWN', message)
  }
  const parsed = known.payload.safeParse(payload)
  if (!parsed.success) throw schemaError('SIGNAL_INVALID', `The payload of signal "${name}"`, parsed.error)
  return toJson(parsed.data, `The payload of signal "${name}"`, 'SIGNAL_INVALID')
}

function machineAccepts(agent: AnyAgent, name: string): boolean {
  return agent.program !== undefined && eventTypeOf(agent.program.body, name) !== undefined
}

export interface Birth {
  input: Json
  budget: Budget
  source: string | undefined
  parent: { jobId: string; effect: string } | undefined
}

/** The first events of a job; with its plan, where the agent makes it in code. @throws AetherisError PLAN_INVALID */
export function firstEvents(
  agent: AnyAgent,
  { input, budget, source, parent }: Birth,
  execution: Execution,
  stamp: () => { id: string; at: number },
): NewEvent[] {
  const created: EventBody = {
    type: 'job.created',
    data: {
      agent: agent.name,
      agentVersion: agent.version,
      input,
      ...(agent.program === undefined ? {} : { machine: agent.program.hash }),
      ...(source === undefined ? {} : { source }),
      ...(parent === undefined ? {} : { parent }),
      ...(Object.keys(budget).length === 0 ? {} : { budget }),
      graceMs: agent.graceMs,
    },
  }
  const events = execution.record(created, null, stamp)
  const requested = events.length - 1
  const tools = agent.origins
  if (Object.keys(tools).length > 0)
    events.push(...execution.record({ type: 'tools.listed', data: { tools } }, null, stamp))
  if (agent.plan === undefined) return events
  const graph = agent.plan(input) as unknown as Json
  const adopted: EventBody = { type: 'plan.adopted', data: { graph, hash: digest(graph) } }
  return [...events, ...execution.record(adopted, requested, stamp)]
}

/** That a value does not match its schema, with the issues. */
export function schemaError(
  code: 'INPUT_INVALID' | 'SIGNAL_INVALID' | 'OUTPUT_INVALID',
  what: string,
  error: z.ZodError,
): AetherisError {
  const issues = error.issues.map(({ path, code: kind, message }) => ({
    path: path.map((key) => (typeof key === 'number' ? key : String(key))),
    code: String(kind),
    message,
  }))
  const list = issues
    .map(({ path, message }) => `${path.length === 0 ? '' : `${pathText(path)}: `}${message}`)
    .join('; ')
  return new AetherisError(code, `${what} is not valid: ${list}.`, { issues })
}
