import type { AnyStateMachine } from 'xstate'
import { z } from 'zod'
import { sha256 } from '../base/hash.ts'
import type { Program } from '../compile/actor.ts'
import { isMachine, makeDurable } from '../compile/durable.ts'
import { type ApprovalPolicy, policySchema } from '../event/approval.ts'
import type { Budget } from '../event/budget.ts'
import type { EffectClass } from '../event/event.ts'
import { type RetryPolicy, retrySchema } from '../graph/graph.ts'
import {
  type Agent,
  byName,
  checkBudget,
  checkGrace,
  checkName,
  checkOptions,
  checkSchema,
  invalid,
  type PromisePolicy,
} from './agent.ts'
import type { AnySignal } from './signal.ts'
import { type AnyTool, originsOf } from './tool.ts'

export interface MachineOptions<I extends z.ZodType, O extends z.ZodType> {
  /** Default 1. Raise it when the machine changes; a running job goes on only with the machine it replays on. */
  version?: number
  /** Default: any JSON. */
  input?: I
  output?: O
  /** Tools that it calls by name. Those of a `toolActor` need not be given here. */
  tools?: readonly AnyTool[]
  /** Events with a schema. Any other event type of the machine is accepted with whatever JSON it brings. */
  signals?: readonly AnySignal[]
  /**
   * How promise actors are performed, by the name of their source (`src: 'charge'`) or their invoke id.
   * Default `once`: a call without a recorded outcome is never repeated by itself.
   */
  effects?: Record<
    string,
    | EffectClass
    | { effect?: EffectClass; retry?: RetryPolicy; timeoutMs?: number; approval?: 'always' | ApprovalPolicy }
  >
  /** What a job may use up before it waits for somebody to raise the limit. Default: no limit. */
  budget?: Budget
  /** How long a cancelled job waits for a machine that handles `job.cancel`, in milliseconds. Default 30 s. */
  graceMs?: number
}

const anything = z.any()
const machineOptions = ['version', 'input', 'output', 'tools', 'signals', 'effects', 'budget', 'graceMs']

/**
 * An agent from a hand-written XState machine, unchanged: promise actors become durable calls, `after` durable timers,
 * child machines and reducers part of the job. An actor made by `toolActor` calls a tool.
 *
 * What a machine has to know about being durable:
 * - A signal NAME reaches it as the event NAME, or `signal.NAME`, with the fields of its payload.
 * - Contexts, inputs and outputs are JSON, and frozen, as is what an event brings. A promise that gives nothing gives
 *   `null`; what it fails with arrives as `{ name, message, code? }`, which is JSON and so no instance of Error.
 * - A child that is spawned needs a name in `setup({ actors })`, and an id. It may be kept in the context for as long as
 *   it is a child; any other actor may not (itself, its parent, one that was stopped): use `sendParent` or a `systemId`.
 * - Guards, assigns and all other functions that decide are pure. Custom actions run at most once, live, after their
 *   step is durable, and not again on recovery or replay. What is emitted or logged reaches nobody.
 *
 * @throws AetherisError AGENT_INVALID; MACHINE_UNSUPPORTED when something in it cannot be made durable: callback and
 * observable actors, sends with a delay, `onSnapshot`, a context that is no JSON. What only shows when it runs (a
 * context that becomes a Date, a guard that reads the clock) fails the job with MACHINE_UNSUPPORTED or MACHINE_IMPURE.
 */
export function fromMachine<I extends z.ZodType = typeof anything, O extends z.ZodType = typeof anything>(
  name: string,
  machine: AnyStateMachine,
  options: MachineOptions<I, O> = {},
): Agent<I, O> {
  const { version = 1, signals = [], effects = {}, tools = [] } = options
  checkName(name, version)
  checkOptions(name, options, machineOptions)
  if (options.input !== undefined) checkSchema(name, 'input', options.input)
  if (options.output !== undefined) checkSchema(name, 'output', options.output)
  if (!isMachine(machine)) return invalid(name, 'it needs a machine of XState 5, as createMachine gives it')
  const durable = makeDurable(machine)
  const program: Program = { hash: sha256(sourceText(machine)), name, body: durable.machine, compiled: false }
  const unknown = Object.keys(effects).find((key) => !durable.promises.has(key))
  if (unknown !== undefined) {
    const known = [...durable.promises].join(', ') || 'none'
    return invalid(
      name,
      `effects names "${unknown}", but no promise actor or invoke of the machine does; there are: ${known}`,
    )
  }
  const allTools = [...new Set([...tools, ...(durable.tools as ReadonlySet<AnyTool>)])]
  return Object.freeze({
    name,
    version,
    input: options.input ?? (anything as unknown as I),
    output: options.output ?? (anything as unknown as O),
    tools: byName(name, 'tool', allTools),
    origins: originsOf(allTools),
    signals: byName(name, 'signal', signals),
    agents: new Map(),
    budget: checkBudget(name, options.budget),
    graceMs: checkGrace(name, options.graceMs),
    plan: undefined,
    planner: undefined,
    program,
    promises: new Map(Object.entries(effects).map(([key, given]) => [key, policy(name, key, given)])),
  })
}

function policy(agentName: string, key: string, given: unknown): PromisePolicy {
  const schema = z.strictObject({
    effect: z.enum(['read', 'idempotent', 'once']).default('once'),
    retry: retrySchema.default({}),
    timeoutMs: z.int().min(1).optional(),
    approval: z.union([z.literal('always'), policySchema]).optional(),
  })
  const parsed = schema.safeParse(typeof given === 'string' ? { effect: given } : given)
  if (!parsed.success) return invalid(agentName, `effects.${key}: ${z.prettifyError(parsed.error)}`)
  const { effect, retry, timeoutMs, approval } = parsed.data
  return { effect, retry, timeoutMs, approval: approval === 'always' ? {} : approval }
}

/** The machine as text, functions by their source: it changes when the machine does. */
function sourceText(machine: AnyStateMachine): string {
  const seen = new Set<unknown>()
  return JSON.stringify([machine], function (this: Record<string, unknown>, key) {
    const value = this[key] // what JSON.stringify offers has been through the toJSON of child machines already
    if (typeof value === 'function') return [String(value), { ...value }]
    if (typeof value === 'bigint') return String(value)
    if (typeof value !== 'object' || value === null) return value
    if (seen.has(value)) return 'seen'
    seen.add(value)
    return isMachine(value) ? [value.config, value.implementations] : value
  })
}
