import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { defects } from '../simulation/defects.ts'
import { page, root } from '../support/docs.ts'

/** docs/reliability.md names tests that are there, every promise of the README, and every defect that is planted. */

const text = page('docs/reliability.md')

test('the tests that it names are there', () => {
  const named = [...text.matchAll(/`((?:test|scripts|docs|bench)\/[\w./-]+)`/g)].map(([, path]) => path as string)
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([])
})

describe('promises', () => {
  const readme = page('README.md').split('## What is guaranteed')[1] as string
  const promised = [...readme.matchAll(/^(\d+)\. /gm)].map(([, number]) => number)

  test.each(promised)('%s has tests', (number) => {
    expect(text).toMatch(new RegExp(`^\\| ${number} \\| [^|]+ \\| [^|]*\`test/`, 'm'))
  })
})

test('every planted defect is in its table', () => {
  const rows = [...text.matchAll(/^\| ([^|]+) \| \d+ \| \d+ s \|$/gm)].map(([, name]) => name)
  expect(rows).toEqual(defects.map(({ name }) => name))
})
