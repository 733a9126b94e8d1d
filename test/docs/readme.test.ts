import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { exit, interruptExit } from '../../src/cli/exit-codes.ts'
import { block, page, root } from '../support/docs.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

const readme = page('README.md')
afterAll(removeDirectories)

describe('the README shows what is printed', () => {
  /** Without what depends on the packages that are installed: numbers, and lines about single packages and licences. */
  function shape(output: string): string[] {
    return output
      .replace(/^[\s\S]*?(?=^Job )/m, '') // what comes before it is npm and the build
      .replace(/"byLicence": \{[^}]*\}/, '"byLicence"')
      .split('\n')
      .filter((line) => !/^ {6}\{|^ {4}(names|byLicence): /.test(line))
      .map((line) => line.replaceAll(/crash-\w+/g, 'crash-ID').replaceAll(/\d+/g, 'N'))
  }

  async function printed(...words: string[]): Promise<string> {
    const cwd = await newDirectory()
    const all = ['scripts/start.mjs', ...words, '--data', join(cwd, 'data')].map((word) => `'${word}'`).join(' ')
    // One pipe for both, as on a terminal.
    const { stdout } = spawnSync('sh', ['-c', `'${process.execPath}' ${all} 2>&1`], { cwd: root, encoding: 'utf8' })
    return stdout.replaceAll(` --data ${join(cwd, 'data')}`, '')
  }

  const narrow = '{"allow":["MIT","ISC","Apache-2.0","BSD-3-Clause"]}'

  test.each([
    ['start', ['--id', 'licence-audit']],
    ['crash', ['--crash']],
    ['policy', ['--input', narrow]],
  ])('%s', async (mark, words) => {
    expect(shape(await printed(...words))).toEqual(shape(block('README.md', `output of: ${mark}`)))
  })
})

describe('the README names', () => {
  test('every verb', () => {
    const { stdout } = spawnSync(process.execPath, [join(root, 'dist/src/cli/main.js'), '--help'], { encoding: 'utf8' })
    const verbs = [...stdout.matchAll(/^ {2}(\w+) (?:\[|<)/gm)]
      .map((match) => match[1])
      .filter((verb) => verb !== 'help')
    const named = [...readme.matchAll(/^\| `(\w+)/gm)].map((match) => match[1])
    expect(named).toEqual(verbs)
  })

  test('every exit code', () => {
    const named = [...readme.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap((match) =>
      (match[1] as string).split(', ').map(Number),
    )
    expect(named).toEqual([...Object.values(exit), ...Object.values(interruptExit)])
  })
})
