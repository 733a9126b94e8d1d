import { existsSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { aetheris, inProcess, wordsOf } from '../support/cli.ts'
import { blocks, page, pages, region, root } from '../support/docs.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'
import { ranks } from '../tidy/rules.ts'

/** What the pages show is what is there: parts of files, and what the command line says. */

afterAll(removeDirectories)

const parts = pages.flatMap((path) => [...blocks(path)].map(([mark, text]) => [path, mark, text] as const))

test.each(parts.filter(([, mark]) => /^[\w./-]+#[\w-]+$/.test(mark)))('%s shows %s as it is', (_, mark, text) => {
  const [file, name] = mark.split('#') as [string, string]
  expect(text).toBe(region(file, name))
})

const links = pages.flatMap((path) =>
  [...page(path).matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => [path, match[1] as string] as const),
)

test.each(links)('%s refers to %s, which exists', (path, target) => {
  expect(existsSync(join(dirname(join(root, path)), target))).toBe(true)
})

describe('what is typed gives what is shown', () => {
  /** Without what differs from run to run. */
  const shape = (text: string) =>
    text
      .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
      .replaceAll(/\([\d.]+ (ms|s|min|h|d)\)/g, '(SPAN)')
      .replaceAll(/\b[\w-]{43}\b/g, 'DIGEST')
      .replaceAll(/hash \w{12}/g, 'hash HASH')

  /** The lines to type of all consoles of a page, with what each is to show. They share a directory. */
  const lines = (path: string) =>
    [...page(path).matchAll(/```console\n([\s\S]*?)```/g)].flatMap((match) =>
      (match[1] as string)
        .split(/^\$ aetheris /m)
        .slice(1)
        .map((text) => {
          const [line = '', ...shown] = text.split('\n')
          return { words: wordsOf(line), shown: shown.join('\n') }
        }),
    )

  afterEach(() => process.chdir(root))

  test.each(pages.filter((path) => path !== 'README.md'))('%s', async (path) => {
    const cwd = await newDirectory()
    symlinkSync(join(root, 'examples'), join(cwd, 'examples'))
    process.chdir(cwd) // where the tools of the examples write
    for (const { words, shown } of lines(path)) {
      // What kills its process needs one of its own.
      const { stdout, stderr } = await (words.includes('--kill-at') ? aetheris : inProcess)(words, { cwd })
      expect(shape((stderr + stdout).replaceAll(`${cwd}/`, '')), words.join(' ')).toBe(shape(shown))
    }
  })
})

test('the architecture names the layers that are enforced', () => {
  const rows = [...page('docs/ARCHITECTURE.md').matchAll(/^\| (\d+) \| `([\w/.]+)`/gm)]
  const named = rows.map(([, rank, folder]) => [folder === 'src/index.ts' ? 'src' : folder, Number(rank)])
  expect(Object.fromEntries(named)).toEqual(ranks)
})
