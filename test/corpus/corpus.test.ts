import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { boundaries, type Entry, filesOf } from '../support/boundaries.ts'

/**
 * Bad input as data. Each entry comes in where such things do, and is refused with its code or does no harm. What is
 * refused has changed nothing.
 */

function entriesOf(boundary: string): Entry[] {
  const file = join(import.meta.dirname, `${filesOf[boundary] ?? boundary}.json`)
  return JSON.parse(readFileSync(file, 'utf8'))
}

describe.each(Object.keys(boundaries))('%s', (boundary) => {
  const entries = entriesOf(boundary)

  test('each has a name of its own', () => {
    expect(new Set(entries.map(({ name }) => name)).size).toBe(entries.length)
  })

  test.each(entries)('$name', async (entry) => {
    const found = await boundaries[boundary]?.(entry)
    expect(found).toBe(entry[boundary] ?? entry.code)
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })
})

test('there are more than 600', () => {
  const files = new Set(Object.keys(boundaries).map((boundary) => filesOf[boundary] ?? boundary))
  expect([...files].flatMap(entriesOf).length).toBeGreaterThan(600)
})
