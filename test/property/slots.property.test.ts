import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { priorities, Slots } from '../../src/scheduler/slots.ts'
import { check } from '../support/property.ts'

/** Slots are given out to all who want one, never too many, and never to one for ever. */

interface Wish {
  priority: number
  arrival: number
}

const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('acquire' as const), priority: fc.nat(priorities - 1) }),
    fc.record({ do: fc.constant('release' as const) }),
    fc.record({ do: fc.constant('give up' as const), at: fc.nat(30) }),
  ),
  { maxLength: 60 },
)

describe('slots', () => {
  test('are never more than there are, and none is free while somebody waits', () =>
    check(
      fc.property(fc.integer({ min: 1, max: 4 }), steps, (max, all) => {
        const slots = new Slots(max)
        let held = 0
        const waiting = new Map<number, () => void>()
        const gone = new Set<number>()
        for (const [index, step] of all.entries()) {
          if (step.do === 'acquire') {
            let isGranted = false
            const giveUp = slots.acquire(step.priority, () => {
              expect(gone.has(index)).toBe(false)
              isGranted = true
              held += 1
              waiting.delete(index)
            })
            if (!isGranted) waiting.set(index, giveUp)
          } else if (step.do === 'give up') {
            const [one, giveUp] = [...waiting][step.at % waiting.size] ?? []
            giveUp?.()
            if (one !== undefined && waiting.delete(one)) gone.add(one)
          } else if (held > 0) {
            held -= 1
            slots.release()
          }
          expect(slots.inUse).toBe(held)
          expect(held).toBeLessThanOrEqual(max)
          if (waiting.size > 0) expect(held).toBe(max)
        }
      }),
      300,
    ))

  test('go to whoever is more important, and among those to whoever came first', () =>
    check(
      fc.property(fc.array(fc.nat(priorities - 1), { maxLength: 30 }), (wanted) => {
        const slots = new Slots(1)
        const order: Wish[] = []
        slots.acquire(0, () => {})
        for (const [arrival, priority] of wanted.entries())
          slots.acquire(priority, () => order.push({ priority, arrival }))
        for (const _ of wanted) slots.release()
        const wishes = wanted.map((priority, arrival) => ({ priority, arrival }))
        expect(order).toEqual(wishes.toSorted((a, b) => b.priority - a.priority || a.arrival - b.arrival))
      }),
      100,
    ))

  test.each([1, 2, 9])('are waited for while fewer than 100 for each of %i levels overtake', (levels) => {
    const slots = new Slots(1)
    slots.acquire(0, () => {})
    let overtaken = 0
    let isGranted = false
    slots.acquire(0, () => {
      isGranted = true
    })
    while (!isGranted) {
      slots.acquire(levels, () => {
        overtaken += 1
      })
      slots.release()
    }
    expect(overtaken).toBe(100 * levels - 1)
  })

  test('are not given back by whoever has none', () => {
    const slots = new Slots(1)
    expect(() => slots.release()).toThrow(/a slot was released that nobody held/)
    expect(slots.tryAcquire()).toBe(true)
    expect(slots.tryAcquire()).toBe(false)
  })

  test('are not taken from whoever waits for them', () => {
    const slots = new Slots(2)
    slots.acquire(5, () => {})
    slots.acquire(5, () => {})
    slots.acquire(5, () => {})
    slots.release()
    expect(slots.tryAcquire()).toBe(false)
  })
})
