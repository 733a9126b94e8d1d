import { seededRandom } from '../../src/base/random.ts'

/**
 * Tests that have more cases than `npm test` has time for try some of them, chosen by `AETHERIS_SEED`. `npm run crash`
 * tries all of them.
 */

export const isThorough = process.env['AETHERIS_THOROUGH'] === '1'

/** All of `cases` in a thorough run, else `count` of them, in their order. */
export function some<T>(cases: readonly T[], count: number): T[] {
  if (isThorough || cases.length <= count) return [...cases]
  const seed = process.env['AETHERIS_SEED'] ?? '1'
  const random = seededRandom(seed === 'random' ? Date.now() : Number(seed))
  const chosen = cases.map((each, index) => ({ each, index, rank: random.next() }))
  chosen.sort((a, b) => a.rank - b.rank)
  return chosen
    .slice(0, count)
    .sort((a, b) => a.index - b.index)
    .map(({ each }) => each)
}
