import { expect, test } from 'vitest'
import { charts, drawn, readPage } from '../../scripts/diagrams.ts'

test('the diagrams of machines/README.md show the machines as they are', () => {
  expect(readPage()).toBe(drawn(readPage()))
})

test('every machine has its diagram', () => {
  for (const chart of Object.keys(charts)) expect(readPage()).toContain(`<!-- diagram ${chart} -->`)
})
