import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { check, seedProperties } from '../support/property.ts'

/** That a property that fails can be tried again. */

afterEach(() => {
  vi.unstubAllEnvs()
  seedProperties()
})

const property = fc.property(fc.array(fc.integer()), (list) => list.reduce((a, b) => a + b, 0) < 1_000)

/** What somebody reads whose property failed. */
async function failure(seed: string): Promise<string> {
  vi.stubEnv('AETHERIS_SEED', seed)
  seedProperties()
  return String(await check(property, 1_000).catch((error: unknown) => error))
}

test('a failure prints its seed, and the seed gives the same failure again', async () => {
  const first = await failure('random')
  const seed = /seed: (-?\d+)/.exec(first)?.[1]
  expect(first).toContain('Counterexample')
  expect(await failure(String(seed))).toBe(first)
  expect(await failure('1')).not.toBe(first)
})

test('without a seed the inputs are the same every time', async () => {
  vi.stubEnv('AETHERIS_SEED', undefined)
  seedProperties()
  const tries = async () => {
    const tried: number[] = []
    await check(
      fc.property(fc.integer(), (value) => void tried.push(value)),
      10,
    )
    return tried
  }
  expect(await tries()).toEqual(await tries())
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
