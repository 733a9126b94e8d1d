import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

/** Each example runs as a program of its own, on LevelDB, and prints what its last comment says. */

const examples = fileURLToPath(new URL('../../examples/', import.meta.url))
const names = ['refund', 'trip', 'invoices', 'estimate']

test('no example is left out', () => {
  const own = ['browser', 'external-agent', 'licence-audit', 'notes', 'research', 'review']
  expect([...names, ...own].sort()).toEqual(readdirSync(examples).sort())
})

test.each(names)('%s', (name) => {
  const program = join(examples, name, 'program.ts')
  const scratch = mkdtempSync(join(tmpdir(), 'aetheris-example-'))
  const tsx = createRequire(import.meta.url).resolve('tsx')
  const env = { ...process.env, NO_COLOR: '1', TMPDIR: scratch }
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', tsx, program], {
    cwd: scratch,
    env,
    encoding: 'utf8',
  })
  rmSync(scratch, { recursive: true, force: true })
  const said = /\/\* It prints:\n([\s\S]*)\*\/\n$/.exec(readFileSync(program, 'utf8'))?.[1]
  expect(stderr).toBe('')
  expect(stdout).toBe(said)
})
