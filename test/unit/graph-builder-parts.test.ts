import { describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { buildGraph, type Graph } from '../../src/graph/builder.ts'
import { all, any, gt, gte } from '../../src/graph/question.ts'
import type { Ref } from '../../src/graph/ref.ts'
import { undo } from '../../src/graph/undo.ts'
import { issueOf, loose, search } from '../support/building.ts'

/** Parts of plans that have functions of their own: ways, loops, what undoes a node. */

/** Takes a reference out of the function that is given it. */
function leak() {
  let leaked: unknown
  const keep = <T>(ref: T): T => {
    leaked = ref
    return ref
  }
  return { keep, kept: () => leaked as Ref<unknown> }
}

describe('choices', () => {
  test('the nodes of a way are skipped unless it is taken, and what is read of the choice is read of the way', () => {
    const graph = buildGraph((graph) => {
      const found = graph.call('find', search, { query: 'x' })
      const way = graph.choose('way', {
        many: {
          when: gt(found.count, 5),
          plan: (on) => ({ urls: on.call('more', search, { query: 'y' }, { when: found.ok }).urls }),
        },
        few: { plan: () => ({ urls: found.urls, note: 'few' }) },
      })
      return { all: way, first: (way as unknown as { urls: Ref<string>[] }).urls[0] }
    })
    const taken = (name: string) => ({ eq: [{ $ref: ['way'] }, name] })
    expect(graph.nodes.slice(1)).toEqual([
      {
        id: 'way',
        kind: 'choose',
        cases: [{ name: 'many', when: { gt: [{ $ref: ['find', 'count'] }, 5] } }],
        otherwise: 'few',
      },
      {
        ...{ id: 'more', kind: 'call', tool: 'search', input: { query: 'y' } },
        when: { all: [taken('many'), { is: { $ref: ['find', 'ok'] } }] },
      },
    ])
    const few = { urls: { $ref: ['find', 'urls'] }, note: 'few' }
    expect(graph.output).toEqual({
      all: { $case: [{ $ref: ['way'] }, { many: { urls: { $ref: ['more', 'urls'] } }, few }] },
      first: {
        $case: [{ $ref: ['way'] }, { many: { $ref: ['more', 'urls', 0] }, few: { $ref: ['find', 'urls', 0] } }],
      },
    })
  })

  test('a choice inside a way is made only where that is taken', () => {
    const { nodes } = buildGraph((graph) => {
      const ok = graph.call('find', search, { query: 'x' }).ok
      graph.choose('outer', {
        a: { when: ok, plan: (on) => on.choose('inner', { b: { when: ok, plan: (deep) => deep.sleep('s', 1) } }) },
      })
    })
    const taken = (node: string, name: string) => ({ eq: [{ $ref: [node] }, name] })
    expect(nodes[2]).toMatchObject({ id: 'inner', when: taken('outer', 'a') })
    expect(nodes[3]).toMatchObject({ id: 's', when: { all: [taken('outer', 'a'), taken('inner', 'b')] } })
  })

  test('what comes after a choice waits for it', () => {
    const { nodes } = buildGraph((graph) => {
      const way = graph.choose('way', { only: { plan: () => 1 } })
      graph.sleep('s', 1, { after: [way] })
    })
    expect(nodes[1]).toEqual({ id: 's', kind: 'sleep', ms: 1, after: ['way'] })
  })

  test.each<[string, (graph: Graph) => unknown, string]>([
    [
      'two ways for every other case',
      (graph) => graph.choose('c', { a: { plan: () => 1 }, b: { plan: () => 2 } }),
      'bad_condition',
    ],
    ['a way called like a method', (graph) => graph.choose('c', { toString: { plan: () => 1 } }), 'illegal_id'],
    [
      'a boolean for a question',
      (graph) => graph.choose('c', { a: { when: true as never, plan: () => 1 } }),
      'bad_condition',
    ],
    ['a way that gives no JSON', (graph) => graph.choose('c', { a: { plan: () => new Date(0) } }), 'not_json'],
    [
      'a node of the same id in two ways',
      (graph) =>
        graph.choose('c', {
          a: { when: all(), plan: (on) => on.sleep('s', 1) },
          b: { plan: (on) => on.sleep('s', 2) },
        }),
      'duplicate_id',
    ],
  ])('%s: refused', (_, define, code) => expect(issueOf(define).code).toBe(code))
})

describe('loops', () => {
  test('a loop has a plan of its own, about its state', () => {
    const { nodes } = buildGraph((graph) =>
      graph.loop<{ n: number }, undefined, 'continue'>(
        'grow',
        { n: 0 },
        (inner, state, iteration) => {
          const next = inner.call('add', loose, { from: state.n, iteration }) as Ref<{ n: number }>
          return { n: next.n }
        },
        {
          until: (state, iteration) => any(gte(state.n, 3), gt(iteration, 8)),
          max: 10,
          onMax: 'stop',
          onFailure: 'continue',
        },
      ),
    )
    expect(nodes).toEqual([
      {
        ...{ id: 'grow', kind: 'loop', start: { n: 0 }, max: 10, onMax: 'stop', onFailure: 'continue' },
        body: {
          nodes: [
            {
              id: 'add',
              kind: 'call',
              tool: 'loose',
              input: { from: { $state: ['n'] }, iteration: { $iteration: [] } },
            },
          ],
          output: { n: { $ref: ['add', 'n'] } },
        },
        until: { any: [{ gte: [{ $state: ['n'] }, 3] }, { gt: [{ $iteration: [] }, 8] }] },
      },
    ])
  })

  const until = (state: Ref<number>) => gte(state, 1)
  const over = { until, max: 2 }
  test.each<[string, (graph: Graph) => unknown, string]>([
    [
      'a node of the plan around it, inside',
      (graph) => graph.loop<number>('l', 0, () => graph.sleep('s', 1) as never, over),
      'foreign_reference',
    ],
    [
      'a reference of the plan around it, inside',
      (graph) => {
        const ref = graph.call('find', search, { query: 'x' })
        return graph.loop<number>('l', 0, (inner) => inner.call('s', loose, ref), over)
      },
      'foreign_reference',
    ],
    [
      'its state, outside',
      (graph) => {
        const { keep, kept } = leak()
        graph.loop<number>('l', 0, (_, state) => keep(state), over)
        return kept()
      },
      'foreign_reference',
    ],
    [
      'a node inside, outside',
      (graph) => {
        const { keep, kept } = leak()
        graph.loop<number>('l', 0, (inner) => keep(inner.sleep('s', 1)) as never, over)
        return kept()
      },
      'foreign_reference',
    ],
    [
      'an end that asks the plan around it',
      (graph) => {
        const { ok } = graph.call('find', search, { query: 'x' })
        return graph.loop<number>('l', 0, (_, state) => state, { until: () => ok, max: 2 })
      },
      'foreign_reference',
    ],
    ['no bound', (graph) => graph.loop<number>('l', 0, (_, state) => state, { until } as never), 'wrong_type'],
    ['a bound of 0', (graph) => graph.loop<number>('l', 0, (_, state) => state, { until, max: 0 }), 'out_of_range'],
    [
      'five in each other',
      (graph) => {
        const nest = (on: Graph, depth: number): Ref<number> =>
          on.loop<number>('l', 0, (inner, state) => (depth === 1 ? state : nest(inner, depth - 1)), over)
        return nest(graph, limits.loopDepthMax + 1)
      },
      'too_many_loops',
    ],
  ])('%s: refused', (_, define, code) => expect(issueOf(define).code).toBe(code))
})

describe('what undoes a node', () => {
  test('is a call with what the node gave, and of a map with the item', () => {
    const { nodes } = buildGraph((graph) => {
      const found = graph.call(
        'find',
        search,
        { query: 'x' },
        { compensate: (out) => undo(loose, { out: out.urls[0] }) },
      )
      graph.map('each', loose, found.urls, (url) => url, {
        compensate: (out, item, index) => undo(loose, [out, item, index, found.count]),
      })
      graph.spawn('kid', search, { query: 'y' }, { compensate: (out) => undo(loose, out), onParentEnd: 'abandon' })
    })
    expect(nodes.map((node) => 'compensate' in node && node.compensate?.input)).toEqual([
      { out: { $output: ['urls', 0] } },
      [{ $output: [] }, { $item: [] }, { $index: [] }, { $ref: ['find', 'count'] }],
      { $output: [] },
    ])
  })

  test.each<[string, (graph: Graph) => unknown, string]>([
    [
      'the output of one node for another',
      (graph) => {
        const { keep, kept } = leak()
        graph.call('a', loose, 1, { compensate: (out) => undo(loose, keep(out)) })
        return graph.call('b', loose, 1, { compensate: () => undo(loose, kept()) })
      },
      'form_out_of_place',
    ],
    [
      'what is undone, in the plan',
      (graph) => {
        const { keep, kept } = leak()
        graph.call('a', loose, 1, { compensate: (out) => undo(loose, keep(out)) })
        return graph.call('b', loose, kept())
      },
      'form_out_of_place',
    ],
    [
      'an item for a call that is undone',
      (graph) => {
        const { keep, kept } = leak()
        graph.map('a', loose, [1], keep)
        return graph.call('b', loose, 1, { compensate: () => undo(loose, kept()) })
      },
      'item_outside_map',
    ],
    [
      'an approval without an option',
      (graph) => graph.call('a', loose, 1, { approval: { options: {} } }),
      'out_of_range',
    ],
    ['a deadline of 0', (graph) => graph.call('a', loose, 1, { deadlineMs: 0 }), 'out_of_range'],
  ])('%s: refused', (_, define, code) => expect(issueOf(define).code).toBe(code))
})
