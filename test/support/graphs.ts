import fc from 'fast-check'
import type { Json } from '../../src/base/json.ts'
import type { Condition, Node, TaskGraph, Template } from '../../src/graph/graph.ts'

/** Random plans that are valid: calls, waits, sleeps and maps, with references, `after` and conditions. */

export const known = { tools: new Set(['fetch', 'write']), signals: new Set(['approval']) }

/** JSON without keys that a template would take for a form. */
export const plainJson: fc.Arbitrary<Json> = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom<Json>(null, true, false, 0, 1, -1.5, '', 'a', 'b'),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'length', 'constructor'), tie('json'), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  ),
})).json

const path = fc.array(fc.oneof(fc.constantFrom('a', 'b', 'length', 'constructor', '__proto__'), fc.nat(2)), {
  maxLength: 2,
})

/** Where a template is decides what it may refer to. */
interface Place {
  ids: readonly string[]
  ofItem?: boolean
}

export function template({ ids, ofItem = false }: Place): fc.Arbitrary<Template> {
  const form = (key: string, argument: fc.Arbitrary<Json>) => argument.map((value) => ({ [key]: value }))
  const leaves: fc.Arbitrary<Json>[] = [
    plainJson,
    form('$input', path),
    form('$literal', fc.oneof(plainJson, fc.constant<Json>({ $ref: ['nowhere'] }))),
  ]
  if (ids.length > 0)
    leaves.push(
      form(
        '$ref',
        fc.tuple(fc.constantFrom(...ids), path).map(([id, keys]) => [id, ...keys]),
      ),
    )
  if (ofItem) leaves.push(form('$item', path), fc.constant({ $index: [] }))
  return fc.letrec<{ template: Json }>((tie) => ({
    template: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      ...leaves,
      fc.array(tie('template'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('template'), { maxKeys: 3, noNullPrototype: true }),
    ),
  })).template
}

export function condition(place: Place): fc.Arbitrary<Condition> {
  const value = template(place)
  const one = fc.constantFrom('is', 'exists').chain((key) => value.map((operand) => ({ [key]: operand })))
  const two = fc
    .constantFrom('eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'in')
    .chain((key) => fc.tuple(value, value).map((operands) => ({ [key]: operands })))
  return fc.letrec<{ condition: unknown }>((tie) => ({
    condition: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      one,
      two,
      tie('condition').map((not) => ({ not })),
      fc.array(tie('condition'), { maxLength: 3 }).map((all) => ({ all })),
      fc.array(tie('condition'), { maxLength: 3 }).map((any) => ({ any })),
    ),
  })).condition as fc.Arbitrary<Condition>
}

const delayMs = fc.nat(1_000_000)
const optional = { requiredKeys: [] }
const retry = fc.record({ maxAttempts: fc.integer({ min: 1, max: 5 }), initialDelayMs: delayMs }, optional)
const call = fc.record({ retry, timeoutMs: fc.integer({ min: 1, max: 1_000 }) }, optional)

/** A node that depends on some of `ids`, which come before it. */
function node(id: string, ids: readonly string[]): fc.Arbitrary<Node> {
  const tool = fc.constantFrom('fetch', 'write')
  const input = template({ ids })
  const kinds: fc.Arbitrary<object>[] = [
    fc.record({ kind: fc.constant('call'), tool, input }),
    fc
      .tuple(fc.record({ kind: fc.constant('call'), tool, input }), call)
      .map(([own, options]) => ({ ...own, ...options })),
    fc.record({ kind: fc.constant('wait'), signal: fc.constant('approval') }),
    fc.record({ kind: fc.constant('wait'), signal: fc.constant('approval'), timeoutMs: delayMs }),
    fc.record({ kind: fc.constant('sleep'), ms: delayMs }),
    fc.record({ kind: fc.constant('map'), tool, over: input, input: template({ ids, ofItem: true }) }),
  ]
  const after = ids.length === 0 ? fc.constant([]) : fc.array(fc.constantFrom(...ids), { maxLength: 3 })
  const order = fc.record({ after, when: condition({ ids }) }, optional)
  return fc.tuple(fc.oneof(...kinds), order).map(([own, options]) => ({ id, ...own, ...options }) as Node)
}

/** Valid plans of up to `nodesMax` nodes. */
export function graphs(nodesMax = 8): fc.Arbitrary<TaskGraph> {
  return fc.integer({ min: 0, max: nodesMax }).chain((count) => {
    const ids = Array.from({ length: count }, (_, index) => `n${index}`)
    const nodes = fc.tuple(...ids.map((id, index) => node(id, ids.slice(0, index))))
    return fc.record({
      nodes: nodes.chain((list) => fc.shuffledSubarray(list, { minLength: count })),
      output: template({ ids }),
    })
  })
}

/** Larger plans of calls only, whose shape is what matters: bundles, chains, diamonds. */
export function shapes(nodesMax = 24): fc.Arbitrary<TaskGraph> {
  const row = fc.record({
    needs: fc.array(fc.nat(nodesMax), { maxLength: 3 }),
    conditional: fc.boolean(),
    like: fc.boolean(),
  })
  return fc.array(row, { maxLength: nodesMax }).map((rows) => {
    const needs: number[][] = []
    // A node is often like the one before it, so that there are bundles.
    for (const [index, each] of rows.entries()) {
      const own = [...new Set(each.needs.filter((need) => need < index))]
      needs.push(each.like && index > 0 && !own.includes(index - 1) ? (needs[index - 1] as number[]) : own)
    }
    const nodes = rows.map(
      ({ conditional }, index): Node => ({
        id: `n${index}`,
        kind: 'call',
        tool: 'fetch',
        input: (needs[index] as number[]).map((need) => ({ $ref: [`n${need}`] })),
        ...(conditional ? { when: { is: true } } : {}),
      }),
    )
    return { nodes, output: null }
  })
}
