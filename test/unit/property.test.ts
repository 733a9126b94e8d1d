import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { check } from '../support/property.ts'

/** That a property that fails can be tried again. */

afterEach(() => vi.unstubAllEnvs())

const property = fc.property(fc.array(fc.integer()), (list) => list.reduce((a, b) => a + b, 0) < 1_000)

/** What somebody reads whose property failed. */
async function failure(): Promise<string> {
  return String(await check(property, 1_000).catch((error: unknown) => error))
}

test('a failure prints its seed, and the seed gives the same failure again', async () => {
  const first = await failure()
  const seed = /seed: (-?\d+)/.exec(first)?.[1]
  expect(first).toContain('Counterexample')
  vi.stubEnv('AETHERIS_SEED', String(seed))
  expect(await failure()).toBe(first)
  vi.stubEnv('AETHERIS_SEED', '1')
  expect(await failure()).not.toBe(first)
})

test('a property is tried as often as it is asked for', async () => {
  let tries = 0
  const counting = fc.property(fc.integer(), () => {
    tries += 1
  })
  await check(counting, 10)
  vi.stubEnv('AETHERIS_RUNS', '3')
  await check(counting, 10)
  expect(tries).toBe(10 + 30)
})
