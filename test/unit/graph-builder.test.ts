import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { z } from 'zod'
import type { Issue } from '../../src/base/error.ts'
import { limits } from '../../src/base/limits.ts'
import { buildGraph, type Graph } from '../../src/graph/builder.ts'
import { all, any, eq, exists, gt, gte, is, isIn, lt, lte, ne, not, type Question } from '../../src/graph/question.ts'
import type { Ref } from '../../src/graph/ref.ts'
import { approval, issueOf, loose, search } from '../support/building.ts'

/** The input of a call, as a template. */
const inputOf = (input: (graph: Graph, found: Ref<z.output<typeof search.output>>) => unknown) =>
  buildGraph((graph) => {
    const found = graph.call('find', search, { query: 'x' })
    graph.call('use', loose, input(graph, found))
  }).nodes[1] as { input: unknown }

test('a plan is built as data', () => {
  const graph = buildGraph((graph) => {
    const found = graph.call('find', search, { query: 'tea' }, { retry: { maxAttempts: 2 }, timeoutMs: 5 })
    const review = graph.wait('review', approval, { after: [found.urls], timeoutMs: 10 })
    const pages = graph.map('pages', search, found.urls, (url) => ({ query: url }), {
      concurrency: 3,
      when: review.approved,
    })
    graph.sleep('rest', 100, { after: [pages] })
    return { pages, by: review.by }
  })
  expect(graph).toEqual({
    nodes: [
      { id: 'find', kind: 'call', tool: 'search', input: { query: 'tea' }, retry: { maxAttempts: 2 }, timeoutMs: 5 },
      { id: 'review', kind: 'wait', signal: 'approval', timeoutMs: 10, after: ['find'] },
      {
        id: 'pages',
        kind: 'map',
        tool: 'search',
        over: { $ref: ['find', 'urls'] },
        input: { query: { $item: [] } },
        concurrency: 3,
        when: { is: { $ref: ['review', 'approved'] } },
      },
      { id: 'rest', kind: 'sleep', ms: 100, after: ['pages'] },
    ],
    output: { pages: { $ref: ['pages'] }, by: { $ref: ['review', 'by'] } },
  })
  expect(JSON.stringify(graph.nodes[0])).toMatch(/^\{"id":"find","kind":"call"/)
})

test('a plan of nothing results in null', () => {
  expect(buildGraph(() => undefined)).toEqual({ nodes: [], output: null })
})

describe('values', () => {
  test.each<[string, (found: Ref<z.output<typeof search.output>>) => unknown, unknown]>([
    ['a reference', (found) => found, { $ref: ['find'] }],
    ['a field', (found) => found.urls, { $ref: ['find', 'urls'] }],
    ['a position', (found) => found.urls[0], { $ref: ['find', 'urls', 0] }],
    [
      'references at any depth',
      (found) => ({ a: [1, { b: found.count }] }),
      { a: [1, { b: { $ref: ['find', 'count'] } }] },
    ],
    ['one reference twice', (found) => [found, found], [{ $ref: ['find'] }, { $ref: ['find'] }]],
    ['undefined', () => undefined, null],
    ['an undefined member', () => ({ a: undefined, b: 1 }), { b: 1 }],
    ['data that looks like a form', () => ({ $ref: ['nowhere'] }), { $literal: { $ref: ['nowhere'] } }],
    ['such data inside such data', () => [{ $a: { $b: 1 } }], [{ $literal: { $a: { $b: 1 } } }]],
    ['an object without prototype', () => Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
  ])('%s', (_, input, expected) => expect(inputOf((__, found) => input(found)).input).toEqual(expected))

  const cyclic: unknown[] = []
  cyclic.push(cyclic, cyclic)
  let ran = 0
  test.each<[string, unknown, string, Issue['path']]>([
    ['a Date', { at: new Date(0) }, 'not_json', ['at']],
    ['a function', [() => 1], 'not_json', [0]],
    ['a bigint', 1n, 'not_json', []],
    ['NaN', { a: [Number.NaN] }, 'not_json', ['a', 0]],
    ['a Map', new Map(), 'not_json', []],
    ['a promise', Promise.resolve(1), 'not_json', []],
    // biome-ignore lint/suspicious/noSparseArray: the hole is the case.
    ['a hole', [1, , 2], 'not_json', [1]],
    ['a list of four billion holes', new Array(2 ** 32 - 1), 'not_json', [0]],
    [
      'a getter',
      {
        get a() {
          ran += 1
          return 1
        },
      },
      'not_json',
      ['a'],
    ],
    ['a symbol as key', { [Symbol('x')]: 1 }, 'not_json', []],
    ['a value that contains itself', cyclic, 'not_json', [0, 0]],
  ])('%s is refused', (_, value, code, path) => {
    const issue = issueOf((graph) => graph.call('use', loose, value))
    expect(issue).toMatchObject({ code, path: ['nodes', 0, 'input', ...path] })
    expect(ran).toBe(0)
  })

  test('a value shared 2^60 times over is refused before memory runs out', () => {
    let shared: unknown = 1
    for (let level = 0; level < 60; level += 1) shared = [shared, shared]
    expect(issueOf((graph) => graph.call('use', loose, shared)).code).toBe('too_large')
  })
})

describe('a Ref is no value', () => {
  let ref: Ref<z.output<typeof search.output>> | undefined
  buildGraph((graph) => {
    ref = graph.call('find', search, { query: 'x' })
  })
  const found = ref as unknown as { urls: unknown[]; count: number } & Record<string, unknown>

  test.each<[string, () => unknown]>([
    ['in a template literal', () => `${found.count}`],
    ['joined to a text', () => `a${String(found.count)}`],
    ['in arithmetic', () => found.count * 2],
    ['compared by <', () => found.count < 3],
    // biome-ignore lint/suspicious/noDoubleEquals: the conversion that == makes is the case.
    ['compared by ==', () => (found.count as unknown) == 'x'],
    ['as a key', () => ({ [found.count]: 1 })],
    ['as JSON', () => JSON.stringify({ a: found })],
    ['by toString', () => (found.count as unknown as object).toString()],
    ['copied by ...', () => ({ ...found })],
    ['listed', () => Object.keys(found)],
    ['spread in a list', () => [...found.urls]],
    [
      'in a loop',
      () => {
        for (const _ of found.urls);
      },
    ],
    ['asked with in', () => 'urls' in found],
    [
      'assigned to',
      () => {
        found.count = 1
      },
    ],
    [
      'deleted from',
      () => {
        delete (found as { count?: number }).count
      },
    ],
  ])('%s it throws', (_, use) => {
    const { code, message } = issueOf(use)
    expect(code).toBe('reference_as_value')
    expect(message).toMatch(/^The reference find(\.\w+)? cannot be .* Pass it as it is to a node as an input, and /)
  })

  test('it can be awaited and printed without harm', async () => {
    expect((await found) === found).toBe(true)
    expect(inspect(found.urls[0])).toBe('Ref(find.urls[0])')
    expect(inspect({ a: found })).toBe('{ a: Ref(find) }')
  })

  test('fields with the names of methods are fields', () => {
    const names = ['then', 'constructor', 'length', '__proto__', '07']
    const { input } = inputOf((_, out) => {
      const any = out as unknown as Record<string, unknown>
      return names.map((name) => any[name])
    })
    expect(input).toEqual(names.map((name) => ({ $ref: ['find', name] })))
  })
})

describe('conditions', () => {
  const at = (...path: string[]) => ({ $ref: ['find', ...path] })
  test.each<[string, (found: Ref<z.output<typeof search.output>>) => Question | Ref<boolean>, unknown]>([
    ['a reference', (found) => found.ok, { is: at('ok') }],
    ['is', (found) => is(found.ok), { is: at('ok') }],
    ['exists', (found) => exists(found), { exists: at() }],
    ['eq', (found) => eq(found.count, 3), { eq: [at('count'), 3] }],
    [
      'eq with parts',
      (found) => eq(found, { urls: [], count: found.count, ok: true }),
      { eq: [at(), { urls: [], count: at('count'), ok: true }] },
    ],
    ['ne', (found) => ne(found.count, found.count), { ne: [at('count'), at('count')] }],
    ['lt and not', (found) => not(lt(found.count, 3)), { not: { lt: [at('count'), 3] } }],
    [
      'all of lte, gt and a reference',
      (found) => all(lte(found.count, 1), gt(found.count, 0), found.ok),
      { all: [{ lte: [at('count'), 1] }, { gt: [at('count'), 0] }, { is: at('ok') }] },
    ],
    [
      'any of gte and isIn',
      (found) => any(gte(found.count, 1), isIn(found.count, [1, 2])),
      { any: [{ gte: [at('count'), 1] }, { in: [at('count'), [1, 2]] }] },
    ],
    ['all of none', () => all(), { all: [] }],
    [
      'data with $ keys',
      (found) => eq(found as Ref<unknown>, { $ref: ['x'] }),
      { eq: [at(), { $literal: { $ref: ['x'] } }] },
    ],
  ])('%s', (_, when, expected) => {
    const { nodes } = buildGraph(
      (graph) => graph.sleep('s', 1, { when: when(graph.call('find', search, { query: 'x' })) }) && null,
    )
    expect(nodes[1]?.when).toEqual(expected)
  })

  test.each<[string, unknown, string]>([
    ['true', true, 'bad_condition'],
    ['null', null, 'bad_condition'],
    ['a condition as data', { is: true }, 'bad_condition'],
    ['undefined to compare with', eq({} as Ref<unknown>, undefined), 'bad_condition'],
    ['too many levels', Array.from({ length: 100_000 }).reduce<Question>((when) => not(when), all()), 'too_deep'],
  ])('%s is refused', (_, when, code) => {
    expect(issueOf((graph) => graph.sleep('s', 1, { when: when as Question })).code).toBe(code)
  })

  test(`${limits.conditionDepthMax} levels are allowed`, () => {
    const when = Array.from({ length: limits.conditionDepthMax - 1 }).reduce<Question>((inner) => not(inner), all())
    expect(buildGraph((graph) => void graph.sleep('s', 1, { when })).nodes).toHaveLength(1)
  })
})

describe('maps', () => {
  test('item and index may be used in the input, in parts', () => {
    const { nodes } = buildGraph((graph) => {
      const found = graph.call('find', search, { query: 'x' })
      graph.map('each', loose, [{ a: [1] }], (item, index) => ({ a: item.a[0], index, found }))
    })
    expect(nodes[1]).toMatchObject({
      over: [{ a: [1] }],
      input: { a: { $item: ['a', 0] }, index: { $index: [] }, found: { $ref: ['find'] } },
    })
  })

  test('an item outside of its own map is refused', () => {
    const leak = (use: (graph: Graph, item: Ref<number>) => unknown) =>
      issueOf((graph) => {
        let leaked: Ref<number> | undefined
        graph.map('first', loose, [1], (item) => (leaked = item))
        return use(graph, leaked as Ref<number>)
      })
    const code = 'item_outside_map'
    expect(leak((_, item) => item)).toMatchObject({ code, path: ['output'] })
    expect(leak((graph, item) => graph.map('second', loose, [1], () => item))).toMatchObject({
      code,
      path: ['nodes', 1, 'input'],
    })
    expect(leak((graph, item) => graph.map('second', loose, [item], () => 1))).toMatchObject({
      code,
      path: ['nodes', 1, 'over', 0],
    })
    expect(leak((graph, item) => graph.sleep('s', 1, { when: eq(item, 1) }))).toMatchObject({ code })
    expect(leak((graph, item) => graph.sleep('s', 1, { after: [item] }))).toMatchObject({ code: 'foreign_reference' })
  })
})

describe('mistakes', () => {
  test('are raised by the call that makes them, as PLAN_INVALID', () => {
    expect(issueOf((graph) => [graph.sleep('a', 1), graph.sleep('a', 1)])).toMatchObject({
      code: 'duplicate_id',
      path: ['nodes', 1, 'id'],
    })
    expect(issueOf((graph) => [graph.sleep('a', 1), graph.sleep('A', 1)])).toMatchObject({ code: 'duplicate_id' })
    for (const id of ['', '1', 'a.b', 'then', '__proto__', 7 as unknown as string]) {
      expect(issueOf((graph) => graph.sleep(id, 1))).toMatchObject({ code: 'illegal_id', path: ['nodes', 0, 'id'] })
    }
    expect(issueOf((graph) => graph.sleep('a', -1))).toMatchObject({ code: 'out_of_range', path: ['nodes', 0, 'ms'] })
    expect(issueOf((graph) => graph.sleep('a', 1, { afer: [] } as never))).toMatchObject({ code: 'unknown_key' })
    expect(issueOf((graph) => graph.sleep('a', 1, { after: ['b'] as never }))).toMatchObject({
      code: 'foreign_reference',
    })
    expect(issueOf((graph) => graph.call('a', loose, { $x: graph.sleep('b', 1) }))).toMatchObject({
      code: 'bad_template',
    })
  })

  test('an option cannot stand in the place of what the node is', () => {
    const { nodes } = buildGraph((graph) => void graph.sleep('a', 1, { id: 'b', kind: 'call', ms: 7 } as never))
    expect(nodes).toEqual([{ id: 'a', kind: 'sleep', ms: 1 }])
  })

  test('a reference of another plan is refused, wherever it is', () => {
    let foreign: Ref<boolean> | undefined
    buildGraph((graph) => {
      foreign = graph.call('find', search, { query: 'x' }).ok
    })
    const ref = foreign as unknown as Ref<boolean>
    const uses: ((graph: Graph) => unknown)[] = [
      (graph) => graph.call('a', loose, [ref]),
      (graph) => graph.sleep('a', 1, { after: [ref] }),
      (graph) => graph.sleep('a', 1, { when: ref }),
      (graph) => graph.sleep('a', 1, { when: all(not(ref)) }),
      (graph) => graph.map('a', loose, [1], () => ref),
      () => ({ ref }),
    ]
    for (const use of uses) expect(issueOf(use).code).toBe('foreign_reference')
  })

  test('a node after the plan is made is refused', () => {
    let late: Graph | undefined
    buildGraph((graph) => {
      late = graph
    })
    expect(() => late?.sleep('a', 1)).toThrow('The node "a" comes too late')
  })

  test('what the function itself throws comes through', () => {
    const error = new RangeError('mine')
    expect(() =>
      buildGraph(() => {
        throw error
      }),
    ).toThrow(error)
  })
})
