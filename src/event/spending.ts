import { z } from 'zod'

/** What attempts use up: units of the agent's choice, and the tokens of models. */

const count = z.int().min(0)

/** What one call of a model has used. */
export const modelUsageSchema = z.strictObject({
  /** Provider and model, e.g. `openai/gpt-5.2`. */
  model: z.string().min(1),
  /** All of the input, also what came from a cache. */
  inputTokens: count,
  /** Of the input: read from a cache of the provider. */
  cachedTokens: count.optional(),
  /** Of the input: written to it. */
  cacheWriteTokens: count.optional(),
  /** All of the output, also what the model thought to itself. */
  outputTokens: count,
  /** Of the output: what it thought to itself. */
  reasoningTokens: count.optional(),
  /** The provider did not say all of it; what is missing counts as 0. */
  isPartial: z.literal(true).optional(),
  /** What it cost, in millionths of a unit of `currency`, by the price table of that hash. */
  price: z.strictObject({ microUnits: count, currency: z.string().min(1), table: z.string().min(1) }).optional(),
})
export type ModelUsage = z.infer<typeof modelUsageSchema>

/** The fields of an event that ends an attempt. */
export const spendingFields = {
  /** In the units of the agent. */
  cost: count.optional(),
  usage: z.array(modelUsageSchema).optional(),
}

export interface Spending {
  cost?: number
  usage?: ModelUsage[]
}

/** What has been charged so far, as one. */
export function spent(before: Spending, charged: number | ModelUsage): Spending {
  if (typeof charged === 'number') return { ...before, cost: (before.cost ?? 0) + charged }
  return { ...before, usage: [...(before.usage ?? []), charged] }
}
