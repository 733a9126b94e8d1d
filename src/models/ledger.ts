import { createStore } from '@xstate/store'
import type { JobEvent, NewEvent } from '../event/event.ts'
import type { ModelUsage, Spending } from '../event/spending.ts'

/**
 * What jobs have used up and what it cost, by node, job, agent and model: a projection of histories, and nothing that
 * is kept beside them. Amounts of money are millionths of a unit of their currency, and whole numbers.
 */

export interface Account {
  /** Calls of models. */
  calls: number
  /** All of the input; of it, what came from and went to a cache. */
  inputTokens: number
  cachedTokens: number
  cacheWriteTokens: number
  /** All of the output; of it, what the model thought to itself. */
  outputTokens: number
  reasoningTokens: number
  /** By currency. */
  microUnits: Readonly<Record<string, number>>
  /** In the units of the agent: what its tools charged. */
  cost: number
  /** Calls of which the provider did not say all. */
  partial: number
}

export interface LedgerContext {
  /** By `job` and then node, e.g. `nodes['job-1']['draft']`; what planning took is under `job.planner`. */
  nodes: Readonly<Record<string, Readonly<Record<string, Account>>>>
  jobs: Readonly<Record<string, Account>>
  agents: Readonly<Record<string, Account>>
  models: Readonly<Record<string, Account>>
}

const nothing: Account = Object.freeze({
  ...{ calls: 0, inputTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, outputTokens: 0, reasoningTokens: 0 },
  ...{ microUnits: {}, cost: 0, partial: 0 },
})

/** One event of a job, to be counted once. */
export interface Counted {
  job: string
  agent: string
  event: JobEvent | NewEvent
}

/** A ledger that counts events: `ledger.trigger.count({ job, agent, event })`. An XState store, so it can be watched. */
export function createLedger() {
  const context: LedgerContext = { nodes: {}, jobs: {}, agents: {}, models: {} }
  return createStore({ context, on: { count: (before, counted: Counted) => countIn(before, counted) } })
}

/** The accounts of one job. */
export async function ledgerOf(events: AsyncIterable<JobEvent> | Iterable<JobEvent>): Promise<LedgerContext> {
  const ledger = createLedger()
  let agent = ''
  for await (const event of events) {
    if (event.type === 'job.created') agent = event.data.agent
    ledger.trigger.count({ job: event.jobId, agent, event })
  }
  return ledger.getSnapshot().context
}

function countIn(before: LedgerContext, { job, agent, event }: Counted): LedgerContext {
  const spending = spendingIn(event)
  if (spending === undefined) return before
  const node = nodeOf(event)
  const nodes = before.nodes[job] ?? {}
  return {
    nodes: { ...before.nodes, [job]: { ...nodes, [node]: added(nodes[node], spending) } },
    jobs: { ...before.jobs, [job]: added(before.jobs[job], spending) },
    agents: { ...before.agents, [agent]: added(before.agents[agent], spending) },
    models: withModels(before.models, spending.usage ?? []),
  }
}

function withModels(before: LedgerContext['models'], usages: readonly ModelUsage[]): LedgerContext['models'] {
  const models = { ...before }
  for (const usage of usages) models[usage.model] = added(models[usage.model], { usage: [usage] })
  return models
}

function spendingIn({ data }: JobEvent | NewEvent): Spending | undefined {
  if (!('cost' in data || 'usage' in data)) return undefined
  const { cost, usage } = data as Spending
  return cost === undefined && usage === undefined ? undefined : (data as Spending)
}

/** The node of a plan, or the actor of a machine: `read` of `read/17#2`. */
function nodeOf({ data }: JobEvent | NewEvent): string {
  const effect = 'effect' in data ? data.effect : undefined
  return effect?.split(/[/#]/)[0] ?? 'job.planner'
}

function added(account = nothing, { cost = 0, usage = [] }: Spending): Account {
  return usage.reduce(withUsage, { ...account, cost: account.cost + cost })
}

function withUsage(account: Account, usage: ModelUsage): Account {
  const { inputTokens, outputTokens, cachedTokens = 0, cacheWriteTokens = 0, reasoningTokens = 0, price } = usage
  const { microUnits } = account
  const paid = price && { [price.currency]: (microUnits[price.currency] ?? 0) + price.microUnits }
  return {
    ...account,
    calls: account.calls + 1,
    inputTokens: account.inputTokens + inputTokens,
    cachedTokens: account.cachedTokens + cachedTokens,
    cacheWriteTokens: account.cacheWriteTokens + cacheWriteTokens,
    outputTokens: account.outputTokens + outputTokens,
    reasoningTokens: account.reasoningTokens + reasoningTokens,
    microUnits: { ...microUnits, ...paid },
    partial: account.partial + (usage.isPartial === true ? 1 : 0),
  }
}
