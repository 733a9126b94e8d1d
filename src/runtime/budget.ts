import { type BudgetLimit, budgetLimit } from '../event/budget.ts'
import type { Effect } from '../replay/effect.ts'
import type { Execution } from '../replay/execution.ts'

/** The limit that a job would go over by starting `effect` now; undefined where it may. */
export function overBudget(
  { budget, usage, createdAt, isEnding }: Execution,
  { kind }: Effect,
  now: number,
): { limit: BudgetLimit; max: number; used: number } | undefined {
  // What a job does to end properly is not held up.
  if (isEnding) return undefined
  const isCall = kind === 'call' || kind === 'promise'
  const used: Record<BudgetLimit, number> = {
    ...usage,
    toolCalls: isCall ? usage.toolCalls : 0,
    wallMs: now - createdAt,
  }
  for (const limit of budgetLimit.options) {
    const max = budget[limit]
    if (max !== undefined && used[limit] >= max) return { limit, max, used: used[limit] }
  }
  return undefined
}
