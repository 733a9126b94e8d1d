import type { Random } from '../base/random.ts'
import type { EffectClass } from '../event/event.ts'
import type { RetryPolicy } from '../graph/graph.ts'

const defaults = { initialDelayMs: 1_000, factor: 2, maxDelayMs: 60_000 }

/** Attempts that a call may make: by default 3, and 1 for `once`, whose repetition somebody has to ask for. */
export function attemptsOf(policy: RetryPolicy, effect: EffectClass): number {
  return policy.maxAttempts ?? (effect === 'once' ? 1 : 3)
}

/**
 * Milliseconds until the attempt after `failures` failed ones: exponential, with equal jitter (half fixed, half
 * random; Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), at most `maxDelayMs`.
 */
export function retryDelayMs(policy: RetryPolicy, failures: number, random: Random): number {
  const { initialDelayMs, factor, maxDelayMs } = { ...defaults, ...policy }
  const fullMs = Math.min(maxDelayMs, initialDelayMs * factor ** (failures - 1))
  return Math.round(fullMs / 2 + (fullMs / 2) * random.next())
}
