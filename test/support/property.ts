import fc from 'fast-check'

/**
 * How properties are run. Their inputs are the same every time, so that what is green stays green: new ones are tried
 * with `AETHERIS_SEED=random`, and a failure, which prints its seed and path, again with `AETHERIS_SEED=… npx vitest run
 * <file>`. `AETHERIS_RUNS=20` makes every property twenty times as thorough.
 */

/** Has every property start from the seed that `AETHERIS_SEED` says: a number, 1 unless told, or `random`. */
export function seedProperties(): void {
  const { seed: _, ...others } = fc.readConfigureGlobal()
  const seed = process.env['AETHERIS_SEED'] ?? '1'
  fc.configureGlobal(seed === 'random' ? others : { ...others, seed: Number(seed) })
}

/** Options of a property that is normally tried `runs` times. */
export function runs<T = unknown>(count: number): fc.Parameters<T> {
  const scale = Number(process.env['AETHERIS_RUNS'] ?? '1')
  return {
    numRuns: Math.max(1, Math.round(count * scale)),
    // A counter-example of a whole job is worth some time, an endless hunt for the smallest is not.
    interruptAfterTimeLimit: 50_000 * Math.max(1, scale),
    markInterruptAsFailure: true,
  }
}

/** Checks a property `count` times, more or fewer by `AETHERIS_RUNS`. */
export async function check<T>(property: fc.IAsyncProperty<T> | fc.IProperty<T>, count: number): Promise<void> {
  await fc.assert(property as fc.IAsyncProperty<T>, runs<T>(count))
}
