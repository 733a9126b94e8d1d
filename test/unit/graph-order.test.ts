import { describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import type { Node, TaskGraph } from '../../src/graph/graph.ts'
import { dependencies, dependents, findCycle, lanes, topologicalOrder } from '../../src/graph/order.ts'

const call = (id: string, needs: string[] = []): Node => ({
  id,
  kind: 'call',
  tool: 't',
  input: needs.map((need) => ({ $ref: [need] })),
})
const maybe = (id: string, needs: string[] = []): Node => ({ ...call(id, needs), when: { is: true } })
const plan = (...nodes: Node[]): TaskGraph => ({ nodes, output: null })
const many = (count: number, prefix = 'n') => Array.from({ length: count }, (_, index) => `${prefix}${index}`)
/** Lanes as text: `a>b+c` is a, then b and c together. */
const shown = (graph: TaskGraph) => lanes(graph).map(({ steps }) => steps.map(({ nodes }) => nodes.join('+')).join('>'))

test('dependencies are all that a node refers to and names, each once', () => {
  const map: Node = {
    id: 'm',
    kind: 'map',
    tool: 't',
    over: { $ref: ['a'] },
    input: [{ $ref: ['b'] }, { $item: [] }, { $ref: ['a', 'x'] }],
    after: ['c', 'a'],
    when: { any: [{ is: { $ref: ['d'] } }, { exists: { $ref: ['b'] } }] },
  }
  expect(dependencies(map).sort()).toEqual(['a', 'b', 'c', 'd'])
  expect(dependencies({ id: 's', kind: 'sleep', ms: 1 })).toEqual([])
  expect(dependencies({ id: 'w', kind: 'wait', signal: 's', after: ['a'] })).toEqual(['a'])
})

test('order, dependents and cycles of a small plan', () => {
  const graph = plan(call('c', ['b', 'a']), call('b', ['a']), call('a'))
  expect(topologicalOrder(graph)).toEqual(['a', 'b', 'c'])
  expect([...dependents(graph)]).toEqual([
    ['c', []],
    ['b', ['c']],
    ['a', ['c', 'b']],
  ])
  expect(findCycle(graph)).toBeUndefined()
  const looped = plan(call('s', ['b']), call('a', ['b']), call('b', ['a']))
  expect(findCycle(looped)).toHaveLength(3)
  expect(() => topologicalOrder(looped)).toThrow('check it first')
})

describe('lanes', () => {
  test.each<[string, TaskGraph, string[]]>([
    ['no nodes', plan(), []],
    ['a chain', plan(call('a'), call('b', ['a']), call('c', ['b'])), ['a>b>c']],
    ['two chains', plan(call('a'), call('b'), call('c', ['a']), call('d', ['b'])), ['a>c', 'b>d']],
    ['a diamond', plan(call('a'), call('b', ['a']), call('c', ['a']), call('d', ['b', 'c'])), ['a>b+c>d']],
    [
      'a diamond with a condition',
      plan(call('a'), maybe('b', ['a']), call('c', ['a']), call('d', ['b', 'c'])),
      ['a>b>d', 'c'],
    ],
    [
      'a leap over a hub',
      plan(maybe('a'), maybe('b'), call('h', ['a', 'b']), maybe('c', ['h']), maybe('d', ['h'])),
      ['a>h>d', 'b>c'],
    ],
    [
      'one of a group with a follower',
      plan(call('r'), call('a', ['r']), call('b', ['r']), call('c', ['a'])),
      ['r>a>c', 'b'],
    ],
    [
      'waits are not bundled',
      plan({ id: 'v', kind: 'wait', signal: 's' }, { id: 'w', kind: 'wait', signal: 's' }),
      ['v', 'w'],
    ],
  ])('%s', (_, graph, expected) => expect(shown(graph)).toEqual(expected))

  test('a fan-out of 100 is one step', () => {
    const ids = many(100)
    const graph = plan(call('root'), ...ids.map((id) => call(id, ['root'])), call('join', ids))
    expect(lanes(graph)).toEqual([{ id: 'lane1', steps: [{ nodes: ['root'] }, { nodes: ids }, { nodes: ['join'] }] }])
  })

  test('100 calls that 10 others pick from are one step rather than 100 lanes', () => {
    const picks = many(10, 'p').map((id, nth) =>
      call(
        id,
        many(100).filter((_, index) => (index * 7 + nth * 13) % 3 === 0 || index % (nth + 2) === 0),
      ),
    )
    expect(lanes(plan(...many(100).map((id) => call(id)), ...picks)).length).toBeLessThanOrEqual(11)
  })

  test('100 chains of 5 are 100 lanes', () => {
    const nodes = many(500).map((id, index) => call(id, index < 100 ? [] : [`n${index - 100}`]))
    const cover = lanes(plan(...nodes))
    expect(cover).toHaveLength(100)
    expect(cover.every(({ steps }) => steps.length === 5)).toBe(true)
  })

  test('plans of as many nodes as allowed do not take long, whatever their shape', () => {
    const ids = many(limits.nodesMax)
    const shapes: Node[][] = [
      ids.map((id, index) => call(id, index === 0 ? [] : [`n${index - 1}`])),
      ids.map((id) => maybe(id)),
      ids.map((id, index) => call(id, index === 0 ? [] : ['n0'])),
      ids.map((id, index) => maybe(id, index < 5_000 ? [] : index === 5_000 ? ids.slice(0, 5_000) : ['n5000'])),
      ids.map((id, index) =>
        maybe(id, index < 100 ? [] : [1, 37, 91].map((step) => `n${index - 100 + ((step * index) % 100)}`)),
      ),
    ]
    const counts = shapes.map((nodes) => lanes(plan(...nodes)).length)
    expect(counts.slice(0, 4)).toEqual([1, limits.nodesMax, 1, 5_000])
  })
})
