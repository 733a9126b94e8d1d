import { fromJsonSchema } from '@modelcontextprotocol/client'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonSchema } from '../../src/agent/catalogue.ts'
import type { Json, JsonObject } from '../../src/base/json.ts'
import { fromServer } from '../../src/mcp/schema.ts'
import { runs } from '../support/property.ts'

/** Schemas that a server gives are checked as far as that is safe, and never more strictly than the server does. */

function takes(schema: JsonObject, value: unknown): boolean {
  return fromServer(schema).safeParse(value).success
}

/** As told by the validator that servers and clients of MCP have. */
function serverTakes(schema: object, value: unknown): boolean {
  const result = fromJsonSchema(schema as Record<string, unknown>)['~standard'].validate(value)
  return !('issues' in result && result.issues !== undefined)
}

const person: JsonObject = {
  type: 'object',
  properties: { name: { type: 'string', minLength: 1 }, age: { type: 'integer' }, kind: { enum: ['a', 'b', null] } },
  required: ['name'],
  additionalProperties: false,
}

test.each<[JsonObject, unknown, boolean]>([
  [person, { name: 'x', age: 1, kind: null }, true],
  [person, { name: '' }, false],
  [person, { age: 1 }, false],
  [person, { name: 'x', age: 'old' }, false],
  [person, { name: 'x', kind: 'c' }, false],
  [person, { name: 'x', more: 1 }, false],
  [{ type: 'array', items: { type: 'number' }, maxItems: 2 }, [1, 2], true],
  [{ type: 'array', items: { type: 'number' }, maxItems: 2 }, [1, 'x'], false],
  [{ type: 'array', items: { type: 'number' }, maxItems: 2 }, [1, 2, 3], false],
  [{ type: ['string', 'null'] }, null, true],
  [{ type: ['string', 'null'] }, 1, false],
  [{ oneOf: [{ type: 'string' }, { type: 'number' }] }, true, false],
  [{ oneOf: [{ type: 'number' }, { type: 'number', multipleOf: 3 }] }, 3, true],
  [{ type: 'object', allOf: [{ type: 'object', required: ['a'], properties: { a: { type: 'string' } } }] }, {}, false],
])('%j of %j: %s', (schema, value, expected) => expect(takes(schema, value)).toBe(expected))

test('an issue says where', () => {
  expect(fromServer(person).safeParse({ name: 'x', age: 'old' }).error?.issues).toMatchObject([{ path: ['age'] }])
})

describe('is never stricter than the server', () => {
  test.each<[string, JsonObject, unknown]>([
    ['integers beyond those that are exact', { type: 'integer' }, 1e20],
    ['characters of two code units', { type: 'string', maxLength: 1 }, '😀'],
    ['objects among the choices', { enum: [{ a: 1 }, [1]] }, [1]],
    ['a constant object', { const: { a: 1 } }, { a: 1 }],
    ['what a pattern lets through', { patternProperties: { '^x': {} }, additionalProperties: false }, { x: 1 }],
    ['items by place', { type: 'array', prefixItems: [{ type: 'string' }], items: { type: 'number' } }, ['a', 1]],
    ['items by place, as it was written once', { type: 'array', items: [{ type: 'string' }] }, ['a', 1]],
    ['references', { $ref: '#/$defs/a', $defs: { a: { type: 'string' } } }, 'a'],
    ['formats', { type: 'string', format: 'date-time' }, 'tomorrow'],
    ['multiples', { type: 'number', multipleOf: 0.1 }, 0.3],
    ['what objects inherit', { type: 'object', properties: { constructor: { type: 'string' } } }, {}],
  ])('%s', (_, schema, value) => expect(takes(schema, value)).toBe(true))

  const values = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>
  const sizes = fc.nat({ max: 4 })
  const leaf = fc.oneof(
    fc.record({ type: fc.constantFrom('string', 'number', 'integer', 'boolean', 'null', 'array', 'object') }),
    fc.record({ type: fc.constant('string'), minLength: sizes, maxLength: sizes }),
    fc.record({ type: fc.constant('integer'), minimum: sizes, exclusiveMaximum: sizes }),
    fc.record({ type: fc.constant(['number', 'null']), maximum: sizes }),
    fc.record({
      enum: fc.array(fc.oneof(fc.string(), sizes, fc.constant(null)), { minLength: 1 }).map((all) => [...new Set(all)]),
    }),
    fc.record({ const: values }),
    fc.constantFrom({}, { minProperties: 1 }, { required: ['a'] }, { type: 'string', format: 'email' }),
  )
  const { schema } = fc.letrec<{ schema: object }>((tie) => ({
    schema: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.record({ type: fc.constant('array'), items: tie('schema'), minItems: sizes }, { requiredKeys: ['type'] }),
      fc.record(
        {
          type: fc.constant('object'),
          properties: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('schema')),
          required: fc.uniqueArray(fc.constantFrom('a', 'b')),
          additionalProperties: fc.oneof(fc.boolean(), tie('schema')),
        },
        { requiredKeys: ['type'] },
      ),
      ...['allOf', 'anyOf', 'oneOf'].map((key) =>
        fc
          .tuple(leaf, fc.array(tie('schema'), { minLength: 1, maxLength: 3 }))
          .map(([own, all]) => ({ ...own, [key]: all })),
      ),
      fc.record({ not: tie('schema') }),
      fc.record({ if: tie('schema'), else: tie('schema') }),
    ),
  }))
  /** Values that fit more often than any value would. */
  const likely = fc.oneof(
    values,
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof(values, sizes, fc.string({ maxLength: 4 }))),
    fc.array(fc.oneof(sizes, fc.string({ maxLength: 4 })), { maxLength: 4 }),
    sizes,
    fc.string({ maxLength: 4 }),
  )

  test('whatever the schema', () => {
    let taken = 0
    const law = fc.property(schema, likely, (given, value) => {
      if (!serverTakes(given, value)) return
      taken += 1
      expect(takes(given as JsonObject, value)).toBe(true)
    })
    fc.assert(law, runs(300))
    expect(taken).toBeGreaterThan(20)
  })
})

describe('a hostile schema', () => {
  test.each<[string, JsonObject]>([
    ['of no known type', { type: 'banana' }],
    ['of types that are none', { type: 7, properties: [], required: 'a', items: 'x', enum: 7, allOf: {} }],
    ['with a bound that is none', { type: 'string', minLength: 'long' }],
    ['that refers to itself', { $ref: '#' }],
  ])('%s takes everything', (_, schema) => {
    for (const value of ['x', 1, null, [], {}]) expect(() => takes(schema, value)).not.toThrow()
  })

  test('with a pattern that would run for ever does not run it', () => {
    expect(takes({ type: 'string', pattern: '^(a+)+$' }, `${'a'.repeat(50)}!`)).toBe(true)
  })

  test('that is wide or deep is checked all the same', () => {
    const many = Array.from({ length: 2_000 }, (_, n) => [`p${n}`, { type: 'string' }])
    expect(takes({ type: 'object', properties: Object.fromEntries(many) }, { p1999: 1 })).toBe(false)
    let deep: JsonObject = { type: 'string' }
    let value: unknown = 1
    for (let n = 0; n < 60; n += 1) {
      deep = { type: 'object', properties: { a: deep }, anyOf: [{}, {}, {}] }
      value = { a: value }
    }
    expect(takes(deep, value)).toBe(false)
  })
})

test('models are shown all of it', () => {
  const schema = {
    $id: 'x',
    id: 'y',
    type: 'object',
    properties: { a: { type: 'string', pattern: 'x' } },
    required: ['a'],
  }
  const { id: _, ...rest } = schema
  expect(jsonSchema(fromServer(schema as JsonObject))).toMatchObject(rest)
})
