import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { block, page, root } from '../support/docs.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

/** The README's first steps in a project of one's own, with the package as `npm pack` makes it. */

afterAll(removeDirectories)

/** A project with the package unpacked in it; what that depends on is linked, since npm would have to fetch it. */
async function project(): Promise<string> {
  const cwd = await newDirectory()
  const modules = join(cwd, 'node_modules')
  mkdirSync(modules)
  execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', cwd], { cwd: root, stdio: 'ignore' })
  execFileSync('tar', ['-xzf', `aetheris-${version}.tgz`], { cwd })
  renameSync(join(cwd, 'package'), join(modules, 'aetheris'))
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== 'aetheris') symlinkSync(join(root, 'node_modules', name), join(modules, name))
  }
  writeFileSync(join(cwd, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(cwd, 'agent.ts'), block('README.md', 'examples/review/agent.ts#agent'))
  writeFileSync(join(cwd, 'program.ts'), block('README.md', 'examples/review/program.ts#program'))
  return cwd
}

const { version, exports } = JSON.parse(page('package.json'))

test("the package works in a project of one's own as the README says", async () => {
  const cwd = await project()
  const type = (line: string) => spawnSync('sh', ['-c', `${line} 2>&1`], { cwd, encoding: 'utf8' }).stdout
  const timeless = (text: string) => text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
  const [, ...shown] = block('README.md', 'output of: own project').split(/^\$ npx aetheris /m)
  for (const part of shown) {
    const [line, ...output] = part.split('\n')
    const printed = type(`node node_modules/aetheris/dist/src/cli/main.js ${line}`)
    expect(timeless(printed)).toBe(timeless(output.join('\n')))
  }
  expect(type('npx --no-install tsx program.ts')).toBe(
    "{ page: 'pages.txt' }\n{ running: { review: 'waiting' } } undefined\n",
  )
  expect(page('README.md')).toContain(`aetheris-${version}.tgz zod`)
})

test('the types of all that it exports hold also where they are looked at', async () => {
  const cwd = await project()
  const entries = Object.keys(exports).filter((entry) => entry !== './package.json')
  const lines = entries.map((entry, index) => `export * as e${index} from '${entry.replace('.', 'aetheris')}'`)
  writeFileSync(join(cwd, 'types.ts'), lines.join('\n'))
  const options = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--module', 'nodenext', '--types', 'node']
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const told = spawnSync(process.execPath, [compiler, ...options, 'types.ts'], { cwd, encoding: 'utf8' })
  expect(told.stdout).toBe('')
})
