import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Json } from '../../src/base/json.ts'
import { pack, packedFrom, unpack } from '../../src/store/blobs.ts'
import { check } from '../support/property.ts'

/** Values in which some parts are large, and some look like what stands for a large part. */
const large = fc.constantFrom('a', 'é', '𝄞').map((text) => text.repeat(packedFrom))
const likeReference = fc.record({ $blob: fc.string(), size: fc.nat() })
const value: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.jsonValue() as fc.Arbitrary<Json>,
    large,
    likeReference as fc.Arbitrary<Json>,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }) as fc.Arbitrary<Json>,
    fc.array(fc.constant('many small parts'), { minLength: 400, maxLength: 600 }),
  ),
})).value

test('what was packed is unpacked the same, and packing it again gives the same', () =>
  check(
    fc.property(value, (given) => {
      const { value: packed, blobs } = pack(given)
      expect(unpack(packed, blobs)).toEqual(given)
      // As text: an export is checked after the order of its keys went through a file.
      const again = pack(JSON.parse(JSON.stringify(given)) as Json)
      expect(JSON.stringify(again.value)).toBe(JSON.stringify(packed))
      expect([...again.blobs]).toEqual([...blobs])
    }),
    300,
  ))

test('what stays behind is small, and a part that is there twice is kept once', () => {
  const text = 'x'.repeat(1_000_000)
  const { value: packed, blobs } = pack({ a: text, b: [text, { c: text }], d: 1 })
  expect(JSON.stringify(packed).length).toBeLessThan(1_000)
  expect(blobs.size).toBe(1)
})

test.each([
  ['missing', new Map<string, string>()],
  ['changed', 'changed'],
])('a blob that is %s is damage', (_, damage) => {
  const { value: packed, blobs } = pack('x'.repeat(packedFrom))
  const found = typeof damage === 'string' ? new Map([...blobs].map(([hash]) => [hash, '"other"'])) : damage
  expect(() => unpack(packed, found)).toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }))
})
