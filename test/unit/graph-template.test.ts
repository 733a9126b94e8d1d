import { describe, expect, test } from 'vitest'
import type { Json } from '../../src/base/json.ts'
import type { Scope } from '../../src/graph/template.ts'
import { references, resolve, templateIssues } from '../../src/graph/template.ts'

const outputs: Record<string, Json> = {
  find: { urls: ['a', 'b'], 7: 'seven', none: null },
  list: [10, 20],
  text: 'abc',
}
const scope: Scope = {
  input: { topic: 'tea' },
  output: (node) => (Object.hasOwn(outputs, node) ? outputs[node] : undefined),
  item: { url: 'u' },
  index: 3,
}

describe('resolve', () => {
  test.each<[string, Json, Json | undefined]>([
    ['a value as it is', { a: [1, 'x', null, true] }, { a: [1, 'x', null, true] }],
    ['an output', { $ref: ['list'] }, [10, 20]],
    ['a path into an output', { $ref: ['find', 'urls', 1] }, 'b'],
    ['a position as the key of an object', { $ref: ['find', 7] }, 'seven'],
    ['null that is there', { $ref: ['find', 'none'] }, null],
    ['the input', { $input: [] }, { topic: 'tea' }],
    ['a path into the input', { $input: ['topic'] }, 'tea'],
    ['the item', { $item: ['url'] }, 'u'],
    ['the index', { $index: [] }, 3],
    ['a literal', { $literal: { $ref: ['find'] } }, { $ref: ['find'] }],
    ['a form deep inside', { a: [{ b: { $ref: ['text'] } }] }, { a: [{ b: 'abc' }] }],
  ])('fills in %s', (_, template, expected) => expect(resolve(template, scope)).toEqual(expected))

  test.each<[string, Json]>([
    ['a skipped node', { $ref: ['skipped'] }],
    ['a missing member', { $ref: ['find', 'nothing'] }],
    ['a path through null', { $ref: ['find', 'none', 'x'] }],
    ['a position past the end', { $ref: ['list', 2] }],
    ['the length of a list', { $ref: ['list', 'length'] }],
    ['a position as text', { $ref: ['list', '0'] }],
    ['a character of a text', { $ref: ['text', 0] }],
    ['the length of a text', { $ref: ['text', 'length'] }],
    ['the constructor', { $ref: ['find', 'constructor'] }],
    ['the constructor of the constructor', { $ref: ['find', 'constructor', 'constructor'] }],
    ['the prototype', { $ref: ['find', '__proto__'] }],
    ['a method of a list', { $ref: ['list', 'map'] }],
    ['a node called like a method', { $ref: ['toString'] }],
    ['a path that is none', { $ref: 'find' }],
    ['a key that is none', { $ref: ['find', { a: 1 }] }],
    ['a negative position', { $ref: ['list', -1] }],
    ['a broken position', { $ref: ['list', 0.5] }],
  ])('%s is undefined', (_, template) => expect(resolve(template, scope)).toBeUndefined())

  test('what is undefined is left out of an object and null in a list', () => {
    const nothing = { $ref: ['skipped'] }
    expect(resolve({ a: nothing, b: [nothing, 1] }, scope)).toEqual({ b: [null, 1] })
  })

  test('a key __proto__ becomes a member and no prototype', () => {
    const result = resolve(JSON.parse('{"__proto__":{"hacked":true},"a":1}') as Json, scope)
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype)
    expect((result as { hacked?: boolean }).hacked).toBeUndefined()
  })

  test('a template of 100,000 levels does not overflow the stack', () => {
    let deep: Json = 1
    for (let level = 0; level < 100_000; level += 1) deep = [deep]
    expect(() => resolve(deep, scope)).not.toThrow()
    expect(references(deep)).toEqual([])
    expect(templateIssues(deep)[0]?.code).toBe('too_deep')
  })
})

describe('references', () => {
  test('names each node once, in order, and none inside a literal', () => {
    const template: Json = [
      { $ref: ['b', 'x'] },
      { a: { $ref: ['a'] }, b: { $ref: ['b'] } },
      { $literal: { $ref: ['c'] } },
    ]
    expect(references(template)).toEqual(['b', 'a'])
  })
})

describe('templateIssues', () => {
  test.each<[string, Json]>([
    ['data', { a: [1, { b: 'x$y' }], c: '$ref' }],
    ['a literal of anything', { $literal: { $ref: 7, $x: 1 } }],
    ['an empty path', { $input: [] }],
  ])('lets %s pass', (_, template) => expect(templateIssues(template)).toEqual([]))

  test.each<[Json, string]>([
    [{ $reff: ['a'] }, '"$reff" is none of $ref, $input, $item, $index, $state, $iteration, $output, $case, $literal'],
    [{ $ref: ['a'], default: 1 }, '$ref must be the only key'],
    [{ $ref: 'a.b' }, '$ref takes a list, such as'],
    [{ $ref: [] }, "$ref takes a node's id first"],
    [{ $ref: [0] }, "$ref takes a node's id first"],
    [{ $ref: ['a', -1] }, '"-1" is neither'],
    [{ $input: [1.5] }, '"1.5" is neither'],
    [{ $item: [null] }, '"null" is neither'],
    [{ $index: [0] }, '$index takes the empty list'],
    [{ $schema: 'x', type: 'object' }, 'put the object into { "$literal": … }'],
  ])('%j is refused', (template, message) => {
    const issues = templateIssues({ deep: [template] })
    expect(issues).toHaveLength(1)
    expect(issues[0]).toMatchObject({ path: ['deep', 0], code: 'bad_template' })
    expect(issues[0]?.message).toContain(message)
  })
})
