import fc from 'fast-check'

/**
 * How properties are run. A failure prints its seed and path; `AETHERIS_SEED=… npx vitest run <file>` runs it again,
 * and `AETHERIS_RUNS=20` makes every property twenty times as thorough.
 */

/** Options of a property that is normally tried `runs` times. */
export function runs<T = unknown>(count: number): fc.Parameters<T> {
  const seed = process.env['AETHERIS_SEED']
  const scale = Number(process.env['AETHERIS_RUNS'] ?? '1')
  return {
    numRuns: Math.max(1, Math.round(count * scale)),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    // A counter-example of a whole job is worth some time, an endless hunt for the smallest is not.
    interruptAfterTimeLimit: 50_000 * Math.max(1, scale),
    markInterruptAsFailure: true,
  }
}

/** Checks a property `count` times, more or fewer by `AETHERIS_RUNS`. */
export async function check<T>(property: fc.IAsyncProperty<T> | fc.IProperty<T>, count: number): Promise<void> {
  await fc.assert(property as fc.IAsyncProperty<T>, runs<T>(count))
}
