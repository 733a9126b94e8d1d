import { expect, test } from 'vitest'
import { type NodeResult, type Pages, resultIn, resultsOf, withResult } from '../../src/graph/result.ts'

const resultOf = (n: number): NodeResult => ({ status: 'completed', output: n })

test.each([0, 1, 63, 64, 65, 200])('%i results are there in the order in which they came', (count) => {
  let pages: Pages = [{ first: resultOf(-1) }]
  for (let n = 0; n < count; n += 1) pages = withResult(pages, `n${n}`, resultOf(n))
  const names = ['first', ...Array.from({ length: count }, (_, n) => `n${n}`)]
  expect(Object.keys(resultsOf(pages))).toEqual(names)
  for (const [index, name] of names.entries()) expect(resultIn(pages, name)).toEqual(resultOf(index - 1))
  expect(resultIn(pages, 'other')).toBeUndefined()
})

test('what was kept before a result came stays as it was', () => {
  const before = withResult([{}], 'a', resultOf(1))
  withResult(before, 'b', resultOf(2))
  expect(resultsOf(before)).toEqual({ a: resultOf(1) })
})
