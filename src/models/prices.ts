import { z } from 'zod'
import { AetherisError } from '../base/error.ts'
import { digest, type Json } from '../base/json.ts'
import type { ModelUsage } from '../event/spending.ts'

/** What tokens cost. Prices change and differ by contract, so they are given by the user, as a table with a digest. */

const price = z.int().min(0).max(1_000_000_000_000)

const optionsSchema = z.strictObject({
  /** E.g. `USD`. */
  currency: z.string().min(1).max(16),
  /** By `provider/model`: prices of a million tokens, in millionths of the currency. */
  models: z.record(
    z.string().min(1),
    z.strictObject({
      input: price,
      output: price,
      /** Of input that came from a cache. Default: as other input. */
      cached: price.optional(),
      /** Of input that was written to a cache. Default: as other input. */
      cacheWrite: price.optional(),
      /** Of output that the model thought to itself. Default: as other output. */
      reasoning: price.optional(),
    }),
  ),
})

/** Prices of models. Made by {@link priceTable}. */
export interface PriceTable extends z.infer<typeof optionsSchema> {
  /** Of the whole table; kept with every price that was taken from it. */
  digest: string
}

/**
 * A price table, e.g. `{ currency: 'USD', models: { 'openai/gpt-5': { input: 1_250_000, output: 10_000_000 } } }` for 1.25
 * and 10 dollars for a million tokens.
 * @throws AetherisError INPUT_INVALID
 */
export function priceTable(options: z.input<typeof optionsSchema>): PriceTable {
  const parsed = optionsSchema.safeParse(options)
  if (!parsed.success) {
    throw new AetherisError('INPUT_INVALID', `The price table is not valid: ${z.prettifyError(parsed.error)}`)
  }
  return Object.freeze({ ...parsed.data, digest: digest(parsed.data as unknown as Json) })
}

/** `usage` with what it cost, rounded up to a millionth of the currency. */
export function priced(usage: ModelUsage, table: PriceTable | undefined): ModelUsage {
  const prices = table?.models[usage.model]
  if (table === undefined || prices === undefined) return usage
  const { inputTokens, outputTokens, cachedTokens = 0, cacheWriteTokens = 0, reasoningTokens = 0 } = usage
  const { input, output, cached = input, cacheWrite = input, reasoning = output } = prices
  const plainInput = Math.max(0, inputTokens - cachedTokens - cacheWriteTokens)
  const plainOutput = Math.max(0, outputTokens - reasoningTokens)
  const total =
    plainInput * input +
    cachedTokens * cached +
    cacheWriteTokens * cacheWrite +
    plainOutput * output +
    reasoningTokens * reasoning
  const microUnits = Math.ceil(total / 1_000_000)
  return { ...usage, price: { microUnits, currency: table.currency, table: table.digest } }
}
