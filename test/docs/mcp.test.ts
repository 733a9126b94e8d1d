import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

afterAll(removeDirectories)

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = readFileSync(`${root}examples/notes/program.ts`, 'utf8')

test('docs/mcp.md shows the program as it is', () => {
  const page = readFileSync(`${root}docs/mcp.md`, 'utf8')
  expect(/```ts\n([\s\S]*?)```/.exec(page)?.[1]).toBe(program)
})

test('the program does what it says', async () => {
  const said = [...program.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map((match) => match[1])
  const script = ['--import', 'tsx', 'examples/notes/program.ts']
  // Here npx finds the server among the packages that are installed, and asks no registry.
  const env = { ...process.env, TMPDIR: await newDirectory() }
  const { stdout, stderr } = spawnSync(process.execPath, script, { cwd: root, env, encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(stdout.trimEnd().split('\n')).toEqual(said)
})
