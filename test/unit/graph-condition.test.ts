import { describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import type { Condition } from '../../src/graph/condition.ts'
import { conditionIssues, conditionTemplates, holds } from '../../src/graph/condition.ts'
import type { Scope } from '../../src/graph/template.ts'

const scope: Scope = {
  input: null,
  output: (node) => (node === 'a' ? { n: 2, s: 'x', list: [1, { b: 2 }], no: null } : undefined),
}
const a = (key: string) => ({ $ref: ['a', key] })
const skipped = { $ref: ['skipped'] }

const nested = (depth: number): Condition => {
  let condition: Condition = { is: true }
  for (let level = 1; level < depth; level += 1) condition = { all: [condition] }
  return condition
}

describe('holds', () => {
  test.each<[Condition, boolean]>([
    [{ is: true }, true],
    [{ is: 1 }, false],
    [{ is: 'true' }, false],
    [{ is: skipped }, false],
    [{ exists: a('n') }, true],
    [{ exists: false }, true],
    [{ exists: a('no') }, false],
    [{ exists: skipped }, false],
    [{ eq: [a('list'), [1, { b: 2 }]] }, true],
    [
      {
        eq: [
          { x: 1, y: 2 },
          { y: 2, x: 1 },
        ],
      },
      true,
    ],
    [{ eq: [{ x: 1 }, { x: 1, y: 2 }] }, false],
    [{ eq: [[], {}] }, false],
    [{ eq: [1, '1'] }, false],
    [{ eq: [skipped, null] }, false],
    [{ eq: [skipped, { $ref: ['other'] }] }, true],
    [{ ne: [a('s'), 'y'] }, true],
    [{ lt: [a('n'), 3] }, true],
    [{ lte: [2, a('n')] }, true],
    [{ gt: [a('n'), 2] }, false],
    [{ gte: [a('n'), 2] }, true],
    [{ lt: ['a', 'b'] }, true],
    [{ lt: ['B', 'a'] }, true],
    [{ lt: [1, '2'] }, false],
    [{ gte: [1, '2'] }, false],
    [{ lte: [null, null] }, false],
    [{ lt: [skipped, 1] }, false],
    [{ gt: [[2], [1]] }, false],
    [{ in: [{ b: 2 }, a('list')] }, true],
    [{ in: ['x', 'xyz'] }, false],
    [{ in: [skipped, [null]] }, false],
    [{ not: { is: skipped } }, true],
    [{ all: [] }, true],
    [{ any: [] }, false],
    [{ all: [{ is: true }, { not: { is: true } }] }, false],
    [{ any: [{ is: false }, { lt: [1, 2] }] }, true],
  ])('%j is %s', (condition, expected) => expect(holds(condition, scope)).toBe(expected))

  test.each<unknown>([
    null,
    1,
    'is',
    [],
    {},
    { is: true, not: { is: true } },
    { toString: 1 },
    { eq: 1 },
    { eq: [] },
    { all: 'x' },
    { matches: 'x' },
  ])('%j, which is no condition, is false', (value) => {
    expect(holds(value as unknown as Condition, scope)).toBe(false)
    expect(conditionTemplates(value as unknown as Condition)).toEqual([])
  })

  test('what is deeper than allowed is false, however deep', () => {
    expect(holds(nested(limits.conditionDepthMax), scope)).toBe(true)
    expect(holds(nested(limits.conditionDepthMax + 1), scope)).toBe(false)
    expect(holds(nested(100_000), scope)).toBe(false)
  })
})

test('conditionTemplates gives each template with its path, wherever it is', () => {
  const condition: Condition = {
    any: [{ is: a('n') }, { not: { all: [{ eq: [skipped, { x: a('s') }] }, { in: [1, { $ref: ['c'] }] }] } }],
  }
  expect(conditionTemplates(condition)).toEqual([
    { template: a('n'), path: ['any', 0, 'is'] },
    { template: skipped, path: ['any', 1, 'not', 'all', 0, 'eq', 0] },
    { template: { x: a('s') }, path: ['any', 1, 'not', 'all', 0, 'eq', 1] },
    { template: 1, path: ['any', 1, 'not', 'all', 1, 'in', 0] },
    { template: { $ref: ['c'] }, path: ['any', 1, 'not', 'all', 1, 'in', 1] },
  ])
})

describe('conditionIssues', () => {
  test.each([
    [{ is: true }],
    [{ all: [] }],
    [{ not: { eq: [1, { $ref: ['a'] }] } }],
    [nested(limits.conditionDepthMax)],
  ])('%j is fine', (condition) => expect(conditionIssues(condition)).toEqual([]))

  test.each<[unknown, (string | number)[], string]>([
    ['a > b', [], 'A condition is an object with one key'],
    [{}, [], 'A condition is an object with one key'],
    [{ is: true, eq: [1, 1] }, [], 'A condition is an object with one key'],
    [{ matches: ['a', '^a'] }, ['matches'], '"matches" is no operator of conditions'],
    [{ toString: 1 }, ['toString'], '"toString" is no operator of conditions'],
    [{ eq: [1] }, ['eq'], 'eq takes a list of two templates.'],
    [{ lt: [1, 2, 3] }, ['lt'], 'lt takes a list of two templates.'],
    [{ all: { is: true } }, ['all'], 'all takes a list of conditions.'],
    [{ any: [{ is: true }, 1] }, ['any', 1], 'A condition is an object'],
    [{ not: { is: { $x: 1 } } }, ['not', 'is'], '"$x" is none of'],
  ])('%j is refused', (condition, path, message) => {
    const issues = conditionIssues(condition)
    expect(issues).toHaveLength(1)
    expect(issues[0]?.path).toEqual(path)
    expect(issues[0]?.message).toContain(message)
  })

  test('too deep is refused at the level where it begins', () => {
    expect(conditionIssues(nested(100_000))).toMatchObject([{ code: 'too_deep' }])
  })
})
