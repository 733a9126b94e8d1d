import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyParts, keys, under } from '../../src/store/keys.ts'
import { keyPart } from '../../src/store/store.ts'

const seq = fc.integer({ min: 0, max: 9_999_999_999 })
const time = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const id = fc.stringMatching(keyPart)

/** Byte order, in which LevelDB keeps keys. */
const order = (a: string, b: string) => Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)))

describe('keys', () => {
  test('key order is numeric order', () => {
    fc.assert(
      fc.property(id, seq, seq, (job, a, b) => {
        expect(order(keys.event(job, a), keys.event(job, b))).toBe(Math.sign(a - b))
        expect(order(keys.message(job, a), keys.message(job, b))).toBe(Math.sign(a - b))
        expect(order(keys.snapshot(job, a), keys.snapshot(job, b))).toBe(Math.sign(a - b))
      }),
    )
    fc.assert(
      fc.property(id, id, time, time, (one, other, a, b) => {
        expect(order(keys.commit(a), keys.commit(b))).toBe(Math.sign(a - b))
        if (a !== b) expect(order(keys.due(a, one, other), keys.due(b, other, one))).toBe(Math.sign(a - b))
      }),
    )
  })

  test('a key gives back its parts', () => {
    fc.assert(
      fc.property(id, id, time, (job, timer, due) => {
        const [dueAt, jobId, timerId] = keyParts(keys.due(due, job, timer))
        expect([Number(dueAt), jobId, timerId]).toEqual([due, job, timer])
      }),
    )
  })

  test('the range of a job holds its keys and those of no other job', () => {
    fc.assert(
      fc.property(id, id, seq, (one, other, at) => {
        const { gte, lt } = under(`e!${one}`)
        const isInside = (key: string) => order(key, gte) >= 0 && order(key, lt) < 0
        expect(isInside(keys.event(one, at))).toBe(true)
        expect(isInside(keys.event(other, at))).toBe(one === other)
        expect(isInside(keys.event(`${one}-`, at))).toBe(false)
      }),
    )
  })

  test.each([-1, 0.5, 10 ** 10, Number.NaN])('%d is no seq', (number) => {
    expect(() => keys.event('job', number)).toThrow('does not fit')
  })
})
