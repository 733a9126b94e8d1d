import fc from 'fast-check'
import type { Json } from '../../src/base/json.ts'
import type { Condition } from '../../src/graph/condition.ts'
import type { Body, Node, TaskGraph } from '../../src/graph/graph.ts'
import type { Template } from '../../src/graph/template.ts'

/** Random plans that are valid: every kind of node, with references, `after`, conditions and what each may declare. */

export const known = { tools: new Set(['fetch', 'write']), signals: new Set(['approval']), agents: new Set(['child']) }

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
  ofLoop?: boolean
  ofUndo?: boolean
}

export function template({ ids, ofItem = false, ofLoop = false, ofUndo = false }: Place): fc.Arbitrary<Template> {
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
  if (ofLoop) leaves.push(form('$state', path), fc.constant({ $iteration: [] }))
  if (ofUndo) leaves.push(form('$output', path))
  return fc.letrec<{ template: Json }>((tie) => ({
    template: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      ...leaves,
      fc.tuple(tie('template'), caseNames(tie('template'))).map((argument) => ({ $case: argument })),
      fc.array(tie('template'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('template'), { maxKeys: 3, noNullPrototype: true }),
    ),
  })).template
}

/** What a selector may select; the names of data, whatever they are. */
function caseNames(part: fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  return fc.dictionary(fc.constantFrom('a', 'constructor', '$ref'), part, { maxKeys: 2, noNullPrototype: true })
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
const spanMs = fc.integer({ min: 1, max: 1_000 })
const optional = { requiredKeys: [] }
const retry = fc.record({ maxAttempts: fc.integer({ min: 1, max: 5 }), initialDelayMs: delayMs }, optional)
const approval = fc
  .record(
    {
      options: fc.constantFrom({ yes: 'approve', no: 'deny' }, { constructor: 'approve' }),
      by: fc.constantFrom(['ana'], ['ana', 'bob']),
      timeoutMs: fc.integer({ min: 2, max: 1_000 }),
      escalate: fc.constant({ afterMs: 1, to: ['boss'] }),
    },
    optional,
  )
  .chain((policy) =>
    policy.timeoutMs === undefined
      ? fc.constant(policy)
      : fc.record({ onTimeout: fc.constantFrom('approve', 'deny') }, optional).map((end) => ({ ...policy, ...end })),
  )
const failing = { onFailure: fc.constantFrom('compensate', 'fail', 'continue'), deadlineMs: spanMs }
const tool = fc.constantFrom('fetch', 'write')
const nodeId = fc.constantFrom('a', 'b', 'c')

function kind(
  name: string,
  own: Record<string, fc.Arbitrary<unknown>>,
  may: Record<string, fc.Arbitrary<unknown>> = {},
) {
  return fc
    .tuple(fc.record({ kind: fc.constant(name), ...own }), fc.record(may, optional))
    .map(([needed, options]) => ({ ...needed, ...options }))
}

/** A node that depends on some of `ids`, which come before it. Loops are `loops` deep at most. */
function node(id: string, place: Place, loops: number): fc.Arbitrary<Node> {
  const input = template(place)
  const undo = (ofItem: boolean) => fc.record({ tool, input: template({ ...place, ofItem, ofUndo: true }) })
  const called = { retry, timeoutMs: spanMs, approval, ...failing }
  const cases = fc.array(fc.record({ name: nodeId, when: condition(place) }), { maxLength: 3 })
  const kinds: fc.Arbitrary<object>[] = [
    kind('call', { tool, input }),
    kind('call', { tool, input }, { ...called, compensate: undo(false) }),
    kind('wait', { signal: fc.constant('approval') }, { timeoutMs: delayMs }),
    kind('sleep', { ms: delayMs }),
    kind(
      'map',
      { tool, over: input, input: template({ ...place, ofItem: true }) },
      {
        concurrency: fc.integer({ min: 1, max: 100 }),
        onItemFailure: fc.constantFrom('fail', 'collect'),
        ...{ ...called, compensate: undo(true) },
      },
    ),
    kind(
      'spawn',
      { agent: fc.constant('child'), input },
      { onParentEnd: fc.constantFrom('cancel', 'terminate', 'abandon'), ...{ ...failing, compensate: undo(false) } },
    ),
    kind(
      'spawn',
      { agent: fc.constant('child'), input, detach: fc.constant(true) },
      { onParentEnd: fc.constant('abandon'), ...failing },
    ),
    kind('choose', { cases }, { otherwise: nodeId }),
  ]
  if (loops > 0) kinds.push(loop(place, loops))
  const { ids } = place
  const after = ids.length === 0 ? fc.constant([]) : fc.array(fc.constantFrom(...ids), { maxLength: 3 })
  const order = fc.record({ after, when: condition(place) }, optional)
  return fc.tuple(fc.oneof(...kinds), order).map(([own, options]) => ({ id, ...own, ...options }) as Node)
}

function loop(place: Place, loops: number): fc.Arbitrary<object> {
  return kind(
    'loop',
    {
      start: template(place),
      body: body(3, loops - 1, true),
      until: condition({ ...place, ofLoop: true }),
      max: fc.integer({ min: 1, max: 100 }),
    },
    { onMax: fc.constantFrom('fail', 'stop'), onFailure: failing.onFailure },
  )
}

function body(nodesMax: number, loops: number, ofLoop = false): fc.Arbitrary<Body> {
  return fc.integer({ min: 0, max: nodesMax }).chain((count) => {
    const ids = Array.from({ length: count }, (_, index) => `n${index}`)
    const nodes = fc.tuple(...ids.map((id, index) => node(id, { ids: ids.slice(0, index), ofLoop }, loops)))
    return fc.record({
      nodes: nodes.chain((list) => fc.shuffledSubarray(list, { minLength: count })),
      output: template({ ids, ofLoop }),
    })
  })
}

/** Valid plans of up to `nodesMax` nodes, not counting those in loops. */
export function graphs(nodesMax = 8): fc.Arbitrary<TaskGraph> {
  const revise = fc.record({ onSettled: fc.boolean(), onFailure: fc.boolean() }, optional)
  return fc
    .tuple(body(nodesMax, 2), fc.record({ revise }, optional))
    .map(([plan, more]) => ({ ...plan, ...more }) as TaskGraph)
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
