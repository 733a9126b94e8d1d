import type { BudgetLimit } from '../event/budget.ts'
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
  const calls = kind === 'call' || kind === 'promise' ? usage.toolCalls : 0
  const used: Record<BudgetLimit, number> = {
    steps: usage.steps,
    toolCalls: calls,
    wallMs: now - createdAt,
    cost: usage.cost,
  }
  for (const limit of ['steps', 'toolCalls', 'wallMs', 'cost'] as const) {
    const max = budget[limit]
    if (max !== undefined && used[limit] >= max) return { limit, max, used: used[limit] }
  }
  return undefined
}
