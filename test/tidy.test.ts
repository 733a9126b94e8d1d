import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { errorCodes } from '../src/base/error.ts'
import { eventData } from '../src/event/event.ts'
import { type Files, findInSources, findInTests } from './tidy/find.ts'
import { exceptions } from './tidy/rules.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The code under some folders. */
function read(...folders: string[]): Record<string, string> {
  const files: Record<string, string> = {}
  for (const folder of folders) {
    for (const entry of readdirSync(root + folder, { recursive: true, encoding: 'utf8' })) {
      const path = `${folder}/${entry.replaceAll('\\', '/')}`
      // Benchmarks of other systems are installed beside their own files.
      if (path.includes('/node_modules/')) continue
      if (/\.(ts|mjs)$/.test(path)) files[path] = readFileSync(root + path, 'utf8')
    }
  }
  return files
}

function lines(found: ReturnType<typeof findInSources>): string[] {
  return found.map(({ rule, path, line, message }) => `${path}:${line} ${rule}: ${message}`)
}

const sources = read('src', 'machines')
const tests = read('test')

describe('the code is in order', () => {
  test('in src and machines', () => {
    expect(Object.keys(sources).length).toBeGreaterThan(5)
    expect(lines(findInSources(sources))).toEqual([])
  })

  test('in tests, examples, benchmarks and scripts', () => {
    expect(lines(findInTests({ ...tests, ...read('examples', 'bench', 'scripts') }))).toEqual([])
  })

  test('every exception to the rule on globals is still needed', () => {
    const unused = exceptions.filter(({ files }) => !Object.keys(sources).some((path) => files.test(path)))
    expect(unused.map(({ files, why }) => `${files}: ${why}`)).toEqual([])
  })

  test.each(Object.keys(errorCodes))('the error code %s is documented and in use', (code) => {
    expect(headings(errorPage())).toContain(code)
    expect(isUsed(code, { ...sources, ...tests })).toBe(true)
  })

  test.each(Object.keys(eventData))('the event type %s is documented', (type) => {
    expect(headings(eventPage())).toContain(type)
  })

  test('what is documented exists', () => {
    const known = new Set<string>([...Object.keys(errorCodes), ...Object.keys(eventData)])
    const named = [...headings(errorPage()), ...headings(eventPage())]
    expect(named.filter((name) => /^[A-Z_]{4,}$|^[a-z]+\.[a-z_]+$/.test(name) && !known.has(name))).toEqual([])
  })
})

const errorPage = () => readFileSync(`${root}docs/errors.md`, 'utf8')
const eventPage = () => readFileSync(`${root}docs/events.md`, 'utf8')

/** The names that a page has a heading of the second level for. */
function headings(page: string): string[] {
  return [...page.matchAll(/^## `?([^`\n]+)`?$/gm)].map((match) => match[1] as string)
}

/** Whether code names an error code in quotes; in the table of codes the names have none. */
function isUsed(code: string, files: Files): boolean {
  return Object.values(files).some((text) => text.includes(`'${code}'`))
}

/** A planted violation for each rule: what finds nothing in good code must find something in bad code. */
describe('the rules bite', () => {
  const rules = (files: Files) => findInSources(files).map(({ rule }) => rule)
  const inStore = (text: string) => rules({ 'src/store/memory-store.ts': text })

  test.each([
    ['a higher layer', "import { x } from '../runtime/runtime.ts'"],
    ['another folder of the same rank', "import { x } from '../agent/agent.ts'"],
    ['a type of a higher layer', "import type { X } from '../runtime/runtime.ts'"],
    ['a re-export from a higher layer', "export { x } from '../runtime/runtime.ts'"],
    ['a dynamic import of a higher layer', "export const x = () => import('../runtime/runtime.ts')"],
    ['a folder without a rank', "import { x } from '../shelf/shelf.ts'"],
  ])('layer: %s', (_, text) => expect(inStore(text)).toEqual(['layer']))

  test.each([
    ['values of a lower layer', "import { x } from '../base/json.ts'"],
    ['values of the same folder', "import { x } from './store.ts'"],
    ['a type of the same rank', "import type { X } from '../agent/agent.ts'"],
    ['a package', "import { z } from 'zod'"],
  ])('layer allows: %s', (_, text) => expect(inStore(text)).toEqual([]))

  test('cycle: files that cannot be understood without each other, also for a type', () => {
    const files = {
      'src/store/a.ts': "import { b } from './b.ts'\nimport { d } from './d.ts'",
      'src/store/b.ts': "import { c } from './c.ts'",
      'src/store/c.ts': "import type { A } from './a.ts'",
      'src/store/d.ts': "import type { E } from './e.ts'",
    }
    const found = findInSources(files)
    expect(found.map(({ message }) => message)).toEqual([
      'import cycle: src/store/a.ts > src/store/b.ts > src/store/c.ts > src/store/a.ts',
    ])
  })

  test.each([
    ['export-star', "export * from './store.ts'"],
    ['export-star', "export * as store from './store.ts'"],
    ['default-export', 'export default 1'],
    ['default-export', 'const x = 1\nexport { x as default }'],
    ['inline-type', "import { type X } from './store.ts'"],
    ['package', "import { Command } from 'commander'"],
    ['marks', `// ${'TO'}DO later`],
    ['syntax', 'const = 1'],
  ])('%s: %s', (rule, text) => expect(inStore(text)).toContain(rule))

  test.each([
    'export const now = () => Date.now()',
    'export const now = () => new Date()',
    'export const roll = () => Math.random()',
    "export const roll = () => Math['random']()",
    'setTimeout(() => {}, 1)',
    'export const later = { wait: setInterval }',
    'setImmediate(() => {})',
    'performance.now()',
    'export const env = process.env',
    'export const { pid } = process',
    'export const id = crypto.randomUUID()',
    "await fetch('http://localhost')",
    'globalThis.process',
    "console.log('hello')",
    'export const soon = AbortSignal.timeout(5)',
    "import { readFile } from 'node:fs/promises'",
    "import fs from 'fs'",
    "export { readFile } from 'node:fs'",
    'export function x() { const fetch = 1; return fetch }\nfetch()',
    'export const x = { fetch }',
    'Date = 1',
    'export const x = (Date as unknown as { now(): number }).now()',
  ])('ambient: %s', (text) => expect(inStore(text)).toEqual(['ambient']))

  test.each([
    'export const x = (clock: { Date: number }) => clock.Date',
    'export type Handle = ReturnType<typeof setTimeout>',
    'export interface Clock { setTimeout(callback: () => void): Date }',
    'export class Job { process = 1; fetch() {} }',
    "export const text = 'Date.now() // setTimeout'",
    "import type { Stats } from 'node:fs'",
    'export const x = Math.floor(1.5) + Date.UTC(2026, 0, 1)',
    'export function x(performance: { cost: number }) { return performance.cost }',
    'export const x = ({ fetch }: Tools) => fetch()',
    'export function x() { const [process = 1, ...crypto] = list; return () => process + crypto.length }',
    "import { fetch } from './fetch.ts'\nfetch()",
    'for (const process of list) use(process)',
  ])('ambient allows: %s', (text) => expect(inStore(text)).toEqual([]))

  test('ambient: an exception holds for its own files and names only', () => {
    expect(rules({ 'src/base/clock.ts': 'export const now = () => Date.now()' })).toEqual([])
    expect(rules({ 'src/base/clock.ts': 'export const roll = () => Math.random()' })).toEqual(['ambient'])
    expect(rules({ 'src/base/clocks.ts': 'export const now = () => Date.now()' })).toEqual(['ambient'])
  })

  test.each(['test.only', 'it.skip', 'describe.todo', 'test.concurrent.only', 'test.each([1]).skip', 'test.fails'])(
    'focus: %s',
    (call) => expect(findInTests({ 'a.test.ts': `${call}('x', () => {})` }).map(({ rule }) => rule)).toEqual(['focus']),
  )

  test.each(["test('x', () => {})", 'test.each([1])', 'list.only', 'test.skipIf(windows)'])(
    'focus allows: %s',
    (text) => expect(findInTests({ 'a.test.ts': text })).toEqual([]),
  )

  test('docs: a code without a heading, or that only the table names, is found', () => {
    expect(headings('# Errors\n\n## A_CODE\n\nSee B_CODE.\n\n## `c.done`\n')).toEqual(['A_CODE', 'c.done'])
    expect(isUsed('A_CODE', { 'src/base/error.ts': "A_CODE: 'Is bad.'" })).toBe(false)
    expect(isUsed('A_CODE', { 'src/store/a.ts': "fail('A_CODE')" })).toBe(true)
  })
})
