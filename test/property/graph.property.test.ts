import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type AetherisError, isAetherisError } from '../../src/base/error.ts'
import { canonical, type Json } from '../../src/base/json.ts'
import { buildGraph, type Graph } from '../../src/graph/builder.ts'
import type { Condition } from '../../src/graph/condition.ts'
import { conditionTemplates, holds } from '../../src/graph/condition.ts'
import type { TaskGraph } from '../../src/graph/graph.ts'
import { dependencies, dependents, findCycle, lanes, topologicalOrder } from '../../src/graph/order.ts'
import { any, eq, exists, gte, not } from '../../src/graph/question.ts'
import type { Ref } from '../../src/graph/ref.ts'
import type { Scope } from '../../src/graph/template.ts'
import { references, resolve } from '../../src/graph/template.ts'
import { undo } from '../../src/graph/undo.ts'
import { checkGraph, parseGraph } from '../../src/graph/validate.ts'
import { condition, graphs, known, plainJson, shapes, template } from '../support/graphs.ts'

const ids = ['a', 'b', 'skipped']
const scopes: fc.Arbitrary<Scope> = fc
  .record({
    ...{ input: plainJson, a: plainJson, b: plainJson, item: plainJson, index: fc.nat(3) },
    ...{ state: plainJson, iteration: fc.nat(3), undoing: fc.option(plainJson, { nil: undefined }) },
  })
  .map(({ input, item, index, state, iteration, undoing, ...outputs }) => ({
    ...{ input, item, index, state, iteration, undoing },
    output: (node) => (Object.hasOwn(outputs, node) ? outputs[node as 'a' | 'b'] : undefined),
  }))

/** Everything that must come before each node, directly or not. */
function ancestors(graph: TaskGraph): Map<string, Set<string>> {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]))
  const found = new Map<string, Set<string>>()
  for (const id of topologicalOrder(graph)) {
    const direct = dependencies(nodes.get(id) as TaskGraph['nodes'][number])
    found.set(id, new Set(direct.flatMap((need) => [need, ...(found.get(need) ?? [])])))
  }
  return found
}

/** The size of a largest set of nodes of which none comes before another, by trying them all. */
function width(graph: TaskGraph): number {
  const before = ancestors(graph)
  const list = graph.nodes.map(({ id }) => id)
  const widest = (from: number, chosen: string[]): number => {
    if (from === list.length) return chosen.length
    const id = list[from] as string
    const apart = chosen.every((other) => !before.get(id)?.has(other) && !before.get(other)?.has(id))
    return Math.max(widest(from + 1, chosen), apart ? widest(from + 1, [...chosen, id]) : 0)
  }
  return widest(0, [])
}

describe('templates and conditions', () => {
  test('resolve gives JSON or undefined, and reads nothing but what it refers to', () => {
    fc.assert(
      fc.property(template({ ids, ofItem: true, ofLoop: true, ofUndo: true }), scopes, (value, scope) => {
        const asked = new Set<string>()
        const output = (id: string) => {
          asked.add(id)
          return scope.output(id)
        }
        const result = resolve(value, { ...scope, output })
        expect(references(value)).toEqual(expect.arrayContaining([...asked]))
        // Of several cases only the one that is selected is read.
        if (!JSON.stringify(value).includes('"$case"')) expect([...asked].sort()).toEqual(references(value).sort())
        if (result !== undefined) expect(JSON.parse(JSON.stringify(result))).toEqual(result)
      }),
    )
  })

  test('a literal is what it is, and so is JSON without forms', () => {
    fc.assert(
      fc.property(plainJson, scopes, (value, scope) => {
        expect(resolve({ $literal: value }, scope)).toEqual(value)
        expect(resolve(value, scope)).toEqual(value)
      }),
    )
  })

  test('a condition holds or it does not, and its negation the other way', () => {
    fc.assert(
      fc.property(condition({ ids }), scopes, (value, scope) => {
        const answer = holds(value, scope)
        expect(typeof answer).toBe('boolean')
        expect(holds({ not: value }, scope)).toBe(!answer)
        expect(holds({ all: [value, value] }, scope)).toBe(answer)
        expect(holds({ any: [value, value] }, scope)).toBe(answer)
      }),
    )
  })

  test('eq is equality of JSON, and order is one of lt, eq, gt where there is one', () => {
    fc.assert(
      fc.property(plainJson, plainJson, scopes, (left, right, scope) => {
        const pair: [Json, Json] = [{ $literal: left }, { $literal: right }]
        const equal = canonical(left) === canonical(right)
        expect(holds({ eq: pair }, scope)).toBe(equal)
        expect(holds({ ne: pair }, scope)).toBe(!equal)
        const ordered = typeof left === typeof right && ['number', 'string'].includes(typeof left)
        const answers = [holds({ lt: pair }, scope), holds({ gt: pair }, scope), ordered && equal]
        expect(answers.filter(Boolean)).toHaveLength(ordered ? 1 : 0)
        expect(holds({ lte: pair }, scope)).toBe(ordered && !holds({ gt: pair }, scope))
      }),
    )
  })

  test('whatever is taken for a condition or a template, nothing throws', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), scopes, (value, scope) => {
        const wrapped = [value, { not: value }, { eq: value }, { all: [value] }, { is: value }, { $ref: value }]
        for (const each of wrapped) {
          expect(typeof holds(each as Condition, scope)).toBe('boolean')
          conditionTemplates(each as Condition)
          resolve(each as Json, scope)
          references(each as Json)
        }
      }),
    )
  })
})

describe('checking a plan', () => {
  test('a valid plan passes, and comes back as an equal, frozen copy', () => {
    fc.assert(
      fc.property(graphs(), (graph) => {
        const { graph: checked, issues } = checkGraph(graph, known)
        expect(issues).toBeUndefined()
        expect(checked).toEqual(graph)
        expect(Object.isFrozen(checked?.nodes)).toBe(true)
        expect(parseGraph(JSON.parse(JSON.stringify(checked)), known)).toEqual(checked)
      }),
    )
  })

  test('anything else gives issues that can be kept as JSON, and leaves prototypes alone', () => {
    const before = Object.getOwnPropertyNames(Object.prototype)
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withNullPrototype: true,
      withSparseArray: true,
      withTypedArray: true,
      withUnicodeString: true,
    } as fc.ObjectConstraints)
    const hostile = fc.oneof(
      anything,
      fc.record({ nodes: fc.array(anything), output: anything }),
      fc.record({
        nodes: fc.array(
          fc.record({
            id: anything,
            kind: fc.constantFrom('call', 'wait', 'sleep', 'map', 'spawn', 'choose', 'loop'),
            ...{ tool: anything, input: anything, when: anything, after: anything },
            ...{ agent: anything, cases: fc.array(fc.record({ name: anything, when: anything })), body: anything },
            ...{ start: anything, until: anything, max: anything, compensate: anything, approval: anything },
          }),
        ),
        output: anything,
      }),
    )
    fc.assert(
      fc.property(hostile, (value) => {
        const { graph, issues } = checkGraph(value, known)
        if (graph !== undefined) return
        expect(issues.length).toBeGreaterThan(0)
        expect(JSON.parse(JSON.stringify(issues))).toEqual(issues)
        const thrown = caught(() => parseGraph(value, known))
        expect(thrown.code).toBe('PLAN_INVALID')
        expect(thrown.message.length).toBeLessThan(4_000)
      }),
      { numRuns: 300 },
    )
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before)
  })

  test('a valid plan with one part replaced gives issues or a plan, never another error', () => {
    fc.assert(
      fc.property(graphs(), fc.nat(), fc.jsonValue(), (graph, at, part) => {
        const text = JSON.stringify(graph)
        const copy = JSON.parse(text) as TaskGraph
        replaceNth(copy, at, part as Json)
        const { graph: checked, issues } = checkGraph(copy, known)
        if (checked !== undefined) topologicalOrder(checked)
        else expect(issues.every(({ code, message }) => code !== '' && /^[A-Z"$a-z].*\.$/su.test(message))).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

/** Puts `part` in place of the nth value inside `root`. */
function replaceNth(root: unknown, nth: number, part: Json): void {
  const places: (() => void)[] = []
  const collect = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return
    for (const key of Object.keys(value)) {
      places.push(() => ((value as Record<string, unknown>)[key] = part))
      collect((value as Record<string, unknown>)[key])
    }
  }
  collect(root)
  places[nth % places.length]?.()
}

function caught(action: () => unknown): AetherisError {
  try {
    action()
  } catch (error) {
    if (isAetherisError(error)) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('order', () => {
  test('each node comes after what it depends on, and dependents are dependencies the other way', () => {
    fc.assert(
      fc.property(graphs(), (graph) => {
        const order = topologicalOrder(graph)
        const place = new Map(order.map((id, index) => [id, index]))
        expect(place.size).toBe(graph.nodes.length)
        expect(findCycle(graph)).toBeUndefined()
        const waiting = dependents(graph)
        for (const node of graph.nodes) {
          for (const need of dependencies(node)) {
            expect(place.get(need)).toBeLessThan(place.get(node.id) as number)
            expect(waiting.get(need)).toContain(node.id)
          }
        }
      }),
    )
  })

  test('a cycle that was put in is found, and is one', () => {
    fc.assert(
      fc.property(shapes(), fc.nat(), fc.nat(), (graph, from, to) => {
        fc.pre(graph.nodes.length > 1)
        const [one, other] = [graph.nodes[from % graph.nodes.length], graph.nodes[to % graph.nodes.length]]
        fc.pre(
          one !== undefined &&
            other !== undefined &&
            one !== other &&
            ancestors(graph).get(one.id)?.has(other.id) === true,
        )
        const looped = {
          ...graph,
          nodes: graph.nodes.map((node) => (node === other ? { ...node, after: [one?.id as string] } : node)),
        }
        const cycle = findCycle(looped) as string[]
        expect(cycle[0]).toBe(cycle.at(-1))
        for (const [index, id] of cycle.slice(1).entries()) {
          const node = looped.nodes.find((each) => each.id === id)
          expect(dependencies(node as TaskGraph['nodes'][number])).toContain(cycle[index])
        }
        expect(checkGraph(looped, known).issues?.[0]?.code).toBe('cycle')
      }),
    )
  })
})

describe('lanes', () => {
  const plans = fc.oneof(graphs(), shapes())

  test('every node is in one step of one lane', () => {
    fc.assert(
      fc.property(plans, (graph) => {
        const all = lanes(graph).flatMap(({ steps }) => steps.flatMap(({ nodes }) => nodes))
        expect(all.sort()).toEqual(graph.nodes.map(({ id }) => id).sort())
      }),
    )
  })

  test('a step comes after every node of the step before it: no order is added', () => {
    fc.assert(
      fc.property(plans, (graph) => {
        const before = ancestors(graph)
        for (const { steps } of lanes(graph)) {
          for (const [index, step] of steps.slice(1).entries()) {
            const earlier = steps[index]?.nodes ?? []
            for (const id of step.nodes) for (const need of earlier) expect(before.get(id)).toContain(need)
          }
        }
      }),
    )
  })

  test('a bundle is of calls without a condition that wait for the same nodes', () => {
    fc.assert(
      fc.property(plans, (graph) => {
        const nodes = new Map(graph.nodes.map((node) => [node.id, node]))
        for (const step of lanes(graph).flatMap(({ steps }) => steps)) {
          if (step.nodes.length === 1) continue
          const members = step.nodes.map((id) => nodes.get(id) as TaskGraph['nodes'][number])
          expect(members.every(({ kind, when }) => kind === 'call' && when === undefined)).toBe(true)
          expect(new Set(members.map((node) => dependencies(node).sort().join())).size).toBe(1)
        }
      }),
    )
  })

  test('there are as few as the plan is wide where nothing is bundled, and never more', () => {
    fc.assert(
      fc.property(shapes(12), (graph) => {
        const conditional = { ...graph, nodes: graph.nodes.map((node) => ({ ...node, when: { is: true } })) }
        expect(lanes(conditional)).toHaveLength(width(conditional))
        expect(lanes(graph).length).toBeLessThanOrEqual(width(graph))
      }),
      { numRuns: 300 },
    )
  })

  test('the same plan has the same lanes, named in order', () => {
    fc.assert(
      fc.property(plans, (graph) => {
        const cover = lanes(graph)
        expect(lanes(structuredClone(graph))).toEqual(cover)
        expect(cover.map(({ id }) => id)).toEqual(cover.map((_, index) => `lane${index + 1}`))
      }),
    )
  })
})

describe('the builder', () => {
  const tool = { name: 'fetch', input: z.unknown(), output: z.any() }
  const signal = { name: 'approval', payload: z.any() }
  const child = { name: 'child', input: z.unknown(), output: z.any() }
  const step = fc.record({
    kind: fc.constantFrom('call', 'wait', 'sleep', 'map', 'spawn', 'choose', 'loop'),
    needs: fc.array(fc.nat(), { maxLength: 3 }),
    data: plainJson,
    options: fc.subarray(['after', 'when', 'timeout', 'failure', 'undo', 'approval', 'detach']),
  })
  type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

  /** Adds a node of the plan that uses what earlier ones give; what it gives itself. */
  function addStep(graph: Graph, index: number, { kind, data, options }: Step, used: Ref<unknown>[]): Ref<unknown> {
    const may = <T>(option: Step['options'][number], value: T) => (options.includes(option) ? value : {}) as T
    const [first] = used
    const order = {
      ...may('after', { after: used }),
      ...(first === undefined ? {} : may('when', { when: not(eq(first, data)) })),
    }
    const failing = { ...order, ...may('failure', { onFailure: 'continue' as const, deadlineMs: 5 }) }
    const calling = {
      ...failing,
      ...may('timeout', { timeoutMs: 5 }),
      ...may('approval', { approval: { by: ['ana'] } }),
    }
    const undoing = may('undo', { compensate: (output: Ref<unknown>) => undo(tool, [output, data, used]) })
    const id = `n${index}`
    switch (kind) {
      case 'call':
        return graph.call(id, tool, [data, used, { $odd: data }], { ...calling, ...undoing })
      case 'wait':
        return graph.wait(id, signal, { ...order, ...may('timeout', { timeoutMs: 5 }) })
      case 'sleep':
        return graph.sleep(id, index, order)
      case 'map':
        return graph.map(id, tool, [1, 2], (item, at) => ({ item, at, used, data: { $data: data } }), {
          ...calling,
          ...may('undo', { compensate: (output, item, at) => undo(tool, { output, item, at, used }) }),
        })
      case 'spawn':
        return graph.spawn(id, child, [data, used], {
          ...failing,
          ...undoing,
          ...may('detach', { detach: true as never }),
        })
      case 'choose':
        return graph.choose(
          id,
          {
            one: { when: exists(first ?? graph.sleep(`before${index}`, 1)), plan: () => used },
            other: { plan: (way) => way.call(`${id}-other`, tool, data) },
          },
          order,
        )
      case 'loop':
        return graph.loop<string, undefined, 'continue' | undefined>(
          id,
          [data, used] as never,
          (inner, state, nth) => inner.call('step', tool, [state, nth]),
          {
            ...{ until: (state, nth) => any(eq(state, 'over'), gte(nth, 2)), max: 5, after: used },
            ...may('failure', { onFailure: 'continue' as const }),
          },
        )
    }
  }

  test('whatever it builds is a valid plan, and the same again', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        const define = (graph: Graph) => {
          const refs: Ref<unknown>[] = []
          for (const [index, each] of steps.entries()) {
            const used = refs.length === 0 ? [] : each.needs.map((need) => refs[need % refs.length] as Ref<unknown>)
            refs.push(addStep(graph, index, each, used))
          }
          return { refs }
        }
        const built = buildGraph(define)
        expect(checkGraph(built, known).graph).toEqual(built)
        expect(buildGraph(define)).toEqual(built)
      }),
    )
  })

  test('data goes through a plan unchanged, whatever its keys', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('$ref', '$item', '$x', 'a', 'b'), plainJson, { noNullPrototype: true }),
        scopes,
        (data, scope) => {
          const { nodes } = buildGraph((graph) => {
            const first = graph.call('first', tool, [data, { deep: data }])
            graph.sleep('end', 1, { when: exists(first) })
            return null
          })
          expect(resolve((nodes[0] as { input: Json }).input, scope)).toEqual([data, { deep: data }])
        },
      ),
    )
  })
})
