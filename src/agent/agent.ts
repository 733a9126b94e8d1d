import { z } from 'zod'
import { AetherisError } from '../base/error.ts'
import { limits } from '../base/limits.ts'
import type { Program } from '../compile/actor.ts'
import type { ApprovalPolicy } from '../event/approval.ts'
import { type Budget, budgetSchema } from '../event/budget.ts'
import type { EffectClass } from '../event/event.ts'
import { buildGraph, type Graph } from '../graph/builder.ts'
import type { RetryPolicy, TaskGraph } from '../graph/graph.ts'
import type { Arg } from '../graph/ref.ts'
import type { Planner } from './planner.ts'
import type { AnySignal } from './signal.ts'
import { type AnyTool, isSchema, originsOf, type ToolOrigin } from './tool.ts'

/** How the promise actors of a hand-written machine are performed, by the name of their source or their invoke id. */
export interface PromisePolicy {
  effect: EffectClass
  retry: RetryPolicy
  timeoutMs: number | undefined
  approval: ApprovalPolicy | undefined
}

/** A versioned definition of what jobs do: schemas, tools, signals, and what makes the machine. */
export interface Agent<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  readonly name: string
  readonly version: number
  readonly input: I
  readonly output: O
  readonly tools: ReadonlyMap<string, AnyTool>
  /** How others define those of its tools that are not its own. */
  readonly origins: Readonly<Record<string, ToolOrigin>>
  readonly signals: ReadonlyMap<string, AnySignal>
  /** Those whose jobs its plans may start. */
  readonly agents: ReadonlyMap<string, AnyAgent>
  /** What one of its jobs may use up. */
  readonly budget: Budget
  readonly graceMs: number
  /** Exactly one of these three is there. */
  readonly plan: ((input: z.output<I>) => TaskGraph) | undefined
  readonly planner: Planner | undefined
  readonly program: Program | undefined
  /** Of a hand-written machine's promise actors. */
  readonly promises: ReadonlyMap<string, PromisePolicy>
}

// biome-ignore lint/suspicious/noExplicitAny: a list of agents has agents of all types.
export type AnyAgent = Agent<any, any>

export type InputOf<A extends AnyAgent> = z.input<A['input']>
export type OutputOf<A extends AnyAgent> = z.output<A['output']>

interface Common<I extends z.ZodType, O extends z.ZodType> {
  name: string
  /** Default 1. */
  version?: number
  input: I
  output: O
  tools?: readonly AnyTool[]
  signals?: readonly AnySignal[]
  /** Agents whose jobs its plans may start by `graph.spawn`. The runtime has to be given them too. */
  agents?: readonly AnyAgent[]
  /** What one of its jobs may use up before it waits for somebody to raise the limit. Default: no limit. */
  budget?: Budget
  /** How long a job that fails or is cancelled waits for what is under way, in milliseconds. Default 30 s. */
  graceMs?: number
}

export type AgentOptions<I extends z.ZodType, O extends z.ZodType> = Common<I, O> &
  (
    | {
        /** Makes the plan in code; pure. A {@link Ref} is an edge, never a value. */
        plan(graph: Graph, input: z.output<I>): Arg<z.input<O>>
        planner?: never
      }
    | { planner: Planner; plan?: never }
  )

/**
 * Defines an agent that plans a TaskGraph, in code (`plan`) or by a `planner`.
 * @throws AetherisError AGENT_INVALID when an option is wrong or a name is used twice.
 */
export function agent<I extends z.ZodType, O extends z.ZodType>(options: AgentOptions<I, O>): Agent<I, O> {
  const { name, version = 1, input, output, tools = [], signals = [], agents = [], plan, planner } = options
  checkName(name, version)
  checkOptions(name, options, agentOptions)
  checkSchema(name, 'input', input)
  checkSchema(name, 'output', output)
  if ((plan === undefined) === (planner === undefined)) invalid(name, 'it needs either plan or planner')
  const known = {
    tools: byName(name, 'tool', tools),
    signals: byName(name, 'signal', signals),
    agents: byName(name, 'agent', agents),
  }
  return Object.freeze({
    name,
    version,
    input,
    output,
    ...known,
    origins: originsOf(tools),
    budget: checkBudget(name, options.budget),
    graceMs: checkGrace(name, options.graceMs),
    plan: plan && ((value: z.output<I>) => buildGraph((graph) => plan(graph, value), known)),
    planner,
    program: undefined,
    promises: new Map<string, PromisePolicy>(),
  })
}

const common = ['name', 'version', 'input', 'output', 'tools', 'signals', 'agents', 'budget', 'graceMs']
const agentOptions = [...common, 'plan', 'planner']

/** @internal An option that there is not would be passed over without a word. */
export function checkOptions(name: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key))
  if (unknown !== undefined) invalid(name, `it has no option "${unknown}"; there are: ${known.join(', ')}`)
}

/** @internal */
export function checkSchema(name: string, option: string, schema: unknown): void {
  if (!isSchema(schema))
    invalid(name, `its ${option} has to be a schema of zod, such as z.object({ text: z.string() })`)
}

/** @internal Shared by both kinds of definition. */
export function checkName(name: unknown, version: unknown): void {
  if (typeof name !== 'string' || !/^[A-Za-z][A-Za-z0-9_.-]*$/.test(name) || name.length > limits.idCharactersMax) {
    throw new AetherisError(
      'AGENT_INVALID',
      `An agent's name is a letter, then letters, digits, _, - or ., at most ${limits.idCharactersMax}; ${JSON.stringify(name)} is not.`,
    )
  }
  if (!Number.isSafeInteger(version) || (version as number) < 0)
    invalid(name, 'its version must be a whole number from 0')
}

/** @internal */
export function checkBudget(name: string, budget: Budget = {}): Budget {
  const parsed = budgetSchema.safeParse(budget)
  return parsed.success ? parsed.data : invalid(name, `its budget: ${z.prettifyError(parsed.error)}`)
}

/** @internal */
export function checkGrace(name: string, graceMs = graceMsDefault): number {
  const isSpan = Number.isSafeInteger(graceMs) && graceMs >= 0 && graceMs <= limits.delayMsMax
  return isSpan ? graceMs : invalid(name, 'its graceMs must be a whole number of milliseconds from 0')
}

const graceMsDefault = 30_000

/** @internal */
export function byName<T extends { name: string }>(
  agentName: string,
  what: string,
  list: readonly T[],
): ReadonlyMap<string, T> {
  const map = new Map<string, T>()
  for (const each of list) {
    if (map.has(each.name)) invalid(agentName, `two of its ${what}s are called "${each.name}"`)
    map.set(each.name, each)
  }
  return map
}

/** @internal */
export function invalid(name: string, why: string): never {
  throw new AetherisError('AGENT_INVALID', `Agent "${name}" is not valid: ${why}.`)
}
