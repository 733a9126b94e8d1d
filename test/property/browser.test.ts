import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as bytesThere from '../../src/base/bytes.browser.ts'
import * as bytes from '../../src/base/bytes.ts'
import * as hashThere from '../../src/base/hash.browser.ts'
import * as hash from '../../src/base/hash.ts'
import * as turnThere from '../../src/base/turn.browser.ts'
import * as turn from '../../src/base/turn.ts'
import * as diskThere from '../../src/store/level-disk.browser.ts'
import * as disk from '../../src/store/level-disk.ts'
import { check } from '../support/property.ts'

/** A history that one platform has written, the other reads: both have to come to the same bytes. */

/** Also what is no text: halves of characters, which both make U+FFFD of. */
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ maxLength: 300 }), halves())

function halves(): fc.Arbitrary<string> {
  return fc
    .array(fc.integer({ min: 0xd7f0, max: 0xe00f }).map((code) => String.fromCharCode(code)))
    .map((all) => all.join(''))
}

test('hashes, checksums and lengths are the same', () =>
  check(
    fc.property(text, (each) => {
      expect(hashThere.sha256(each)).toBe(hash.sha256(each))
      expect(hashThere.crc32(each)).toBe(hash.crc32(each))
      expect(bytesThere.byteLength(each)).toBe(bytes.byteLength(each))
    }),
    500,
  ))

test('bytes are written the same, also from the middle of a buffer', () =>
  check(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(10), (each, from) => {
      expect(bytesThere.base64(each.subarray(from))).toBe(bytes.base64(each.subarray(from)))
    }),
    200,
  ))

test.each([
  ['bytes', bytes, bytesThere],
  ['hash', hash, hashThere],
  ['turn', turn, turnThere],
  ['level-disk', disk, diskThere],
])('%s is in a browser what it is in Node', (_, here, there) => {
  expect(Object.keys(there).sort()).toEqual(Object.keys(here).sort())
})

test.each([
  ['Node', turn],
  ['a browser', turnThere],
])('in %s the end of a turn comes after all that was promised', async (_, { endOfTurn }) => {
  const seen: string[] = []
  const end = endOfTurn().then(() => seen.push('end'))
  await Promise.all([
    end,
    Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => seen.push('promised')),
  ])
  expect(seen).toEqual(['promised', 'end'])
})
