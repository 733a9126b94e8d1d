import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isAetherisError } from '../../src/base/error.ts'
import { freezeJson, isKnownJson, type JsonLimits, toJson } from '../../src/base/json.ts'
import { check } from '../support/property.ts'

/** What was found to be JSON is not walked again. Nothing else may follow from that. */

/** Whatever is allowed: `__proto__` is not. */
const keys = fc.string({ unit: 'grapheme-ascii' }).filter((key) => key !== '__proto__')

/** As people build it: with properties that are undefined, and -0. */
const loose = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(fc.integer(), fc.string({ unit: 'grapheme' }), fc.boolean(), fc.constantFrom(null, -0)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(keys, fc.oneof(tie('value'), fc.constant(undefined)), { maxKeys: 4 }),
  ),
})).value

const limits = fc.record({ depthMax: fc.nat(5), valuesMax: fc.nat(20), bytesMax: fc.nat(30) })

const plain = (value: unknown) => JSON.parse(JSON.stringify(value))

function isTooLarge(value: unknown, given: JsonLimits): boolean {
  try {
    toJson(value, 'It', 'INPUT_INVALID', given)
    return false
  } catch (error) {
    if (isAetherisError(error, 'LIMIT_EXCEEDED')) return true
    throw error
  }
}

describe('a value that was found to be JSON', () => {
  test('is itself from then on', () =>
    check(
      fc.property(loose, (value) => {
        const json = toJson(value, 'It')
        expect(json).toEqual(plain(value))
        expect(toJson(json, 'It')).toBe(json)
      }),
      300,
    ))

  test('is too large where its copy is, also as a part of another one', () =>
    check(
      fc.property(loose, limits, (value, given) => {
        const known = [toJson(value, 'It')]
        expect(isTooLarge(known, given)).toBe(isTooLarge(structuredClone(known), given))
      }),
      300,
    ))

  test('gives the same copy where it was frozen in place, and is known only where it is that copy', () =>
    check(
      fc.property(loose, (value) => {
        freezeJson(value, 'It')
        expect(Object.isFrozen(value)).toBe(true)
        const json = toJson({ part: value }, 'It') as { part: unknown }
        expect(json).toEqual(plain({ part: value }))
        expect(JSON.stringify(json)).toBe(JSON.stringify({ part: value }))
        if (typeof value === 'object' && value !== null && isKnownJson(value)) expect(json.part).toBe(value)
      }),
      300,
    ))

  test('is refused where it holds what is no JSON, however often it is tried', () =>
    check(
      fc.property(loose, (value) => {
        const held = { value, date: new Date(0) }
        for (let times = 0; times < 2; times += 1) {
          expect(() => freezeJson(held, 'It')).toThrow(/It is not plain JSON at date/)
          expect(isKnownJson(held)).toBe(false)
        }
      }),
      300,
    ))
})
