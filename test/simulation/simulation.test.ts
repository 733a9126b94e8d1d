import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cases } from './case.ts'
import { run } from './run.ts'

test('x', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (each) => {
      const { failure, timeline } = await run(each)
      if (failure !== undefined) throw new Error(`${failure}\n${timeline.join('\n')}`)
    }),
    { numRuns: 1, seed: 1 },
  )
  expect(1).toBe(1)
})
