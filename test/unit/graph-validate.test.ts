import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { AetherisError, type Issue } from '../../src/base/error.ts'
import { limits } from '../../src/base/limits.ts'
import { checkGraph, parseGraph } from '../../src/graph/validate.ts'

interface BadPlan {
  name: string
  /** Of the first issue. */
  code: string
  path?: Issue['path']
  plan: unknown
}

const corpus = JSON.parse(readFileSync(new URL('../corpus/plans.json', import.meta.url), 'utf8')) as BadPlan[]
const known = { tools: new Set(['fetch']), signals: new Set(['approval']), agents: new Set(['child']) }
const call = (id: string, more: object = {}) => ({ id, kind: 'call', tool: 'fetch', input: null, ...more })
const plan = (...nodes: unknown[]) => ({ nodes, output: null })
const loop = (id: string, ...nodes: unknown[]) => ({
  ...{ id, kind: 'loop', start: { $input: ['n'] }, body: { nodes, output: { $state: [] } } },
  ...{ until: { gte: [{ $iteration: [] }, 2] }, max: limits.iterationsMax },
})
const undo = (input: unknown) => ({ compensate: { tool: 'fetch', input } })

describe('every bad plan of the corpus is refused for what it is', () => {
  test('there are plenty, each with its own name', () => {
    expect(corpus.length).toBeGreaterThanOrEqual(60)
    expect(new Set(corpus.map(({ name }) => name)).size).toBe(corpus.length)
  })

  test.each(corpus)('$name: $code', ({ plan: bad, code, path }) => {
    const { issues } = checkGraph(bad, known)
    expect(issues?.[0]?.code).toBe(code)
    if (path !== undefined) expect(issues?.[0]?.path).toEqual(path)
    for (const { message } of issues ?? []) expect(message).toMatch(/\.$/)
  })
})

describe('a plan that is fine', () => {
  test.each<[string, unknown]>([
    ['empty', { nodes: [], output: { $input: [] } }],
    ['one node', plan(call('a'))],
    ['nodes in any order', plan(call('b', { input: { $ref: ['a', 'x', 0] } }), call('a'))],
    [
      'a diamond',
      plan(call('a'), call('b', { after: ['a'] }), call('c', { after: ['a'] }), call('d', { after: ['b', 'c', 'b'] })),
    ],
    [
      'a map',
      plan({ id: 'm', kind: 'map', tool: 'fetch', over: [1], input: { a: { $item: ['x'] }, b: { $index: [] } } }),
    ],
    ['a literal', plan(call('a', { input: { $literal: { $ref: ['nowhere'], $x: { $item: [] } } } }))],
    ['a child', plan({ id: 'c', kind: 'spawn', agent: 'child', input: 1, detach: true, onParentEnd: 'abandon' })],
    [
      'a choice, and what each way gives',
      plan(
        { id: 'c', kind: 'choose', cases: [{ name: 'left', when: { is: { $input: [] } } }], otherwise: 'right' },
        call('b', { input: { $case: [{ $ref: ['c'] }, { left: { $ref: ['a', 'x'] }, constructor: 1 }] } }),
        call('a', { when: { eq: [{ $ref: ['c'] }, 'left'] } }),
      ),
    ],
    ['a choice without a way', plan({ id: 'c', kind: 'choose', cases: [] })],
    // A selector may be anything, so what it selects may be given without a choice.
    ['a case form of its own', plan(call('a', { input: { $case: [{ $input: ['kind'] }, { dear: 1, cheap: [2] }] } }))],
    ['loops in loops, four deep', plan(loop('a', loop('a', loop('a', loop('a', call('a'))))))],
    ['ids that are taken outside of a loop', plan(call('a'), loop('b', call('a'), call('b')))],
    [
      'nodes that are undone with what comes later: that is no order',
      plan(
        call('a', { after: ['b'], ...undo([{ $output: ['id'] }, { $ref: ['a'] }, { $ref: ['b'] }]) }),
        call('b', undo({ $ref: ['a'] })),
      ),
    ],
    [
      'items that are undone',
      plan({ id: 'm', kind: 'map', tool: 'fetch', over: [], input: 1, ...undo([{ $item: [] }, { $index: [] }]) }),
    ],
    [
      'an approval',
      plan(
        call('a', {
          approval: {
            options: { constructor: 'approve', no: 'deny' },
            ...{ by: ['ana'], timeoutMs: 5, onTimeout: 'approve', escalate: { afterMs: 4, to: ['boss'] } },
          },
        }),
      ),
    ],
    ['an approval that nobody has to give', plan(call('a', { approval: { timeoutMs: 5, onTimeout: 'approve' } }))],
    [
      'a wait and a sleep of nothing',
      plan({ id: 'w', kind: 'wait', signal: 'approval', timeoutMs: 0 }, { id: 's', kind: 'sleep', ms: 0 }),
    ],
  ])('%s', (_, value) => expect(checkGraph(value, known)).toEqual({ graph: value }))

  test('names may come as a Map', () => {
    expect(parseGraph(plan(call('a')), { tools: new Map([['fetch', 1]]), signals: new Map() }).nodes).toHaveLength(1)
  })

  test('is a frozen copy: what the caller changes later is not in it', () => {
    const value = plan(call('a', { input: { x: 1 } }))
    const graph = parseGraph(value, known)
    ;(value.nodes[0] as { input: { x: number } }).input.x = 2
    expect(graph.nodes[0]).toMatchObject({ input: { x: 1 } })
    expect(Object.isFrozen((graph.nodes[0] as { input: object }).input)).toBe(true)
  })
})

describe('what JSON cannot say', () => {
  const cyclic: unknown[] = []
  cyclic.push(cyclic)
  let deep: unknown = 1
  for (let level = 0; level < 100_000; level += 1) deep = { not: deep }
  let ran = 0
  const getter = {
    get output() {
      ran += 1
      return 1
    },
    nodes: [],
  }
  const throwing = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error('no')
      },
    },
  )
  const half = Array.from({ length: limits.nodesMax / 2 }, (_, index) => call(`n${index}`))
  const nested = (depth: number): object => (depth === 0 ? call('a') : loop('a', nested(depth - 1)))
  const ways: unknown = JSON.parse('{"__proto__":"approve"}')
  const longList = Array.from({ length: limits.nodesMax + 1 }, (_, index) => call(`n${index}`))

  test.each<[string, unknown, string]>([
    ['undefined', undefined, 'wrong_type'],
    ['a cyclic value', plan(call('a', { input: cyclic })), 'not_json'],
    ['100,000 levels', plan(call('a', { when: deep })), 'too_deep'],
    ['100,000 levels at the top', deep, 'too_deep'],
    ['a getter', getter, 'not_json'],
    ['a Proxy that throws', plan(throwing), 'not_json'],
    ['NaN', plan({ id: 's', kind: 'sleep', ms: Number.NaN }), 'not_json'],
    ['Infinity', plan({ id: 's', kind: 'sleep', ms: Number.POSITIVE_INFINITY }), 'not_json'],
    ['a Date', plan(call('a', { input: new Date(0) })), 'not_json'],
    ['a function', plan(call('a', { input: () => 1 })), 'not_json'],
    ['a lone surrogate', plan(call('a', { input: '\ud800' })), 'not_json'],
    ['a key __proto__', JSON.parse('{"nodes":[],"output":{"__proto__":{"x":1}}}'), 'not_json'],
    ['a toJSON', plan(call('a', { input: { toJSON: () => 1 } })), 'not_json'],
    ['more text than allowed', plan(call('a', { input: 'x'.repeat(limits.planCharactersMax + 1) })), 'too_large'],
    [
      'more text in all than allowed',
      plan(call('a', { input: ['"'.repeat(limits.planCharactersMax / 2)] })),
      'too_large',
    ],
    ['more values than allowed', plan(call('a', { input: Array.from({ length: 200_001 }, () => 0) })), 'too_large'],
    ['more nodes than allowed', { nodes: longList, output: null }, 'too_many_nodes'],
    ['more nodes than allowed, in two loops', plan(loop('a', ...half), loop('b', ...half)), 'too_many_nodes'],
    ['a thousand loops in loops', plan(nested(1_000)), 'too_deep'],
    ['a key __proto__ of ways', plan(call('a', { input: { $case: [1, ways] } })), 'not_json'],
    ['an option __proto__', plan(call('a', { approval: { options: ways } })), 'not_json'],
  ])('%s', (_, value, code) => {
    expect(checkGraph(value, known).issues).toMatchObject([{ code }])
    expect(ran).toBe(0)
  })
})

describe('long chains', () => {
  const chain = (first: object) =>
    plan(
      ...Array.from({ length: limits.nodesMax }, (_, index) =>
        call(`n${index}`, index === 0 ? first : { after: [`n${index - 1}`] }),
      ),
    )

  test('of as many nodes as allowed pass', () => {
    expect(checkGraph(chain({}), known).issues).toBeUndefined()
  })

  test('a cycle through all of them is found, and shown in part', () => {
    const { issues } = checkGraph(chain({ after: [`n${limits.nodesMax - 1}`] }), known)
    expect(issues).toMatchObject([{ code: 'cycle' }])
    expect(issues?.[0]?.message).toMatch(/^Nodes wait for each other in a circle: n\d+ → n\d+ → .* … → n\d+\. Take out/)
  })
})

test('the path of a cycle leads round, each node waiting for the one before', () => {
  const { issues } = checkGraph(
    plan(call('a', { after: ['c'] }), call('b', { after: ['a'] }), call('c', { after: ['b'] })),
    known,
  )
  expect(issues?.[0]?.message).toMatch(/(a → b → c → a|b → c → a → b|c → a → b → c)\./)
})

test('the error has all issues, and its message the first three with their places', () => {
  const bad = plan(
    call('a', { tool: 'x' }),
    call('b', { tool: 'y' }),
    call('c', { tool: 'z' }),
    call('d', { after: ['q'] }),
  )
  const parse = () => parseGraph(bad, known)
  expect(parse).toThrow(AetherisError)
  expect(parse).toThrow(
    'The plan is not valid. At nodes[0].tool: The tool "x" is not known to the agent; use one of fetch. At nodes[1].tool: The tool "y" is not known to the agent; use one of fetch. At nodes[2].tool: The tool "z" is not known to the agent; use one of fetch. And 1 more.',
  )
  try {
    parse()
  } catch (error) {
    expect((error as AetherisError).code).toBe('PLAN_INVALID')
    expect((error as AetherisError).issues.map(({ code }) => code)).toEqual([
      'unknown_tool',
      'unknown_tool',
      'unknown_tool',
      'dangling_reference',
    ])
  }
})

test('sentences say what was expected', () => {
  const messageOf = (bad: unknown) => checkGraph(bad, known).issues?.[0]?.message
  expect(messageOf({ nodes: 1, output: 1 })).toBe('This must be a list, not a number.')
  expect(messageOf({ output: 1 })).toBe('This must be a list; it is missing.')
  expect(messageOf(plan({ id: 'a' }))).toBe('The kind of a node is call, wait, sleep, map, spawn, choose or loop.')
  expect(messageOf(plan(call('a', { timeout: 5 })))).toBe('The key "timeout" is not known here; take it out.')
  expect(messageOf(plan(call('a', { tool: '' })))).toBe('This must have at least 1 characters.')
  expect(messageOf(plan({ id: 's', kind: 'sleep', ms: -1 }))).toBe('This must be at least 0.')
  expect(messageOf(plan({ id: 's', kind: 'sleep', ms: 0.5 }))).toBe('This must be a whole number.')
})

test.each([
  [{ detach: true, onParentEnd: 'cancel' }, ['contradiction']],
  [{ detach: true, onParentEnd: 'terminate' }, ['contradiction']],
  [{ detach: true, onParentEnd: 'abandon' }, []],
  [{ detach: true }, []],
  [{ onParentEnd: 'terminate' }, []],
])('a job that is started with %o', (options, codes) => {
  const node = { id: 'kid', kind: 'spawn', agent: 'other', input: null, ...options }
  const { issues = [] } = checkGraph(plan(node), { ...known, agents: new Set(['other']) })
  expect(issues.map(({ code }) => code)).toEqual(codes)
})
