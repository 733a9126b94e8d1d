import { z } from 'zod'

/** What a job may use up. Reaching a limit stops it where it is until somebody raises the limit. */
export const budgetSchema = z.strictObject({
  /** Events that move its machine. */
  steps: z.int().min(1).optional(),
  /** Attempts of calls. */
  toolCalls: z.int().min(1).optional(),
  /** Milliseconds since it was created. */
  wallMs: z.int().min(1).optional(),
  /** What its tools have charged, in units of the agent's choice. */
  cost: z.int().min(1).optional(),
  /** Tokens of models, in and out. */
  tokens: z.int().min(1).optional(),
  /** What models have cost, in millionths of a unit of the price table's currency. */
  microUnits: z.int().min(1).optional(),
})
export type Budget = z.infer<typeof budgetSchema>

export const budgetLimit = z.enum(['steps', 'toolCalls', 'wallMs', 'cost', 'tokens', 'microUnits'])
export type BudgetLimit = z.infer<typeof budgetLimit>

/** What a job has used up. */
export interface Usage {
  steps: number
  toolCalls: number
  cost: number
  tokens: number
  microUnits: number
}
