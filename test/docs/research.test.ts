import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { startOffline } from '../../examples/research/offline.ts'
import { aetheris } from '../support/cli.ts'
import { block, root } from '../support/docs.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

/** The example that asks models, as it is typed. */

afterAll(removeDirectories)

const tsx = createRequire(import.meta.url).resolve('tsx')
const program = join(root, 'examples/research/program.ts')

interface Ran {
  code: string | number | null | undefined
  stdout: string
  stderr: string
}

function research(cwd: string, words: readonly string[] = [], env: Record<string, string> = {}): Promise<Ran> {
  const options = { cwd, env: { ...process.env, ...env } }
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', tsx, program, ...words], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    )
  })
}

/** Without what depends on the text of the documents. */
function shape(output: string): string {
  return output
    .replaceAll(/"answer": ".*"/g, '"answer"')
    .replaceAll(/ {8}"docs\/.*"/g, '"source"')
    .replaceAll(/\d+/g, 'N')
}

describe.concurrent('the example research', () => {
  test('runs without a network, and prints what the README shows', async () => {
    const cwd = await newDirectory()
    const { code, stdout, stderr } = await research(cwd)
    expect(shape(stderr + stdout)).toBe(shape(block('README.md', 'output of: research')))
    const report = readFileSync(join(cwd, 'research-report.md'), 'utf8')
    for (const { answer, sources } of JSON.parse(/\{[\s\S]*\n\}/.exec(stdout)?.[0] ?? '').findings) {
      expect(report).toContain(answer)
      for (const source of sources) expect(report).toContain(source)
    }
    expect(code).toBe(0)
    const shown = await aetheris(['show', 'research/part1'], { cwd })
    const words = (text: string) => shape(text).replaceAll(/ +/g, ' ')
    expect(words(shown.stdout)).toContain(words(block('docs/models.md', 'output of: show')))
  })

  test('goes on after kill -9, to the same end', async () => {
    const cwd = await newDirectory()
    expect((await research(cwd, ['--kill-at', '6'])).code).toBe(128 + 9)
    const { code, stdout, stderr } = await research(cwd)
    expect(stderr).toMatch(/^Job research, going on after \d+ events\n/)
    expect(stdout).toMatch(/\nresearch completed: \d+ events, replay: identical\n$/)
    expect(code).toBe(0)
  })

  test('asks the server and the model that are named', async () => {
    const server = await startOffline()
    const cwd = await newDirectory()
    const env = { MODEL_URL: `${server.url}/v1`, MODEL_KEY: 'a-key', MODEL: 'their-model' }
    const { code } = await research(cwd, ['What is a lease?'], env)
    const asked = server.getRequests()
    expect(asked).toHaveLength(4)
    for (const { body } of asked) expect(body).toMatchObject({ model: 'their-model' })
    await server.stop()
    expect(code).toBe(0)
  })

  test('says what is wrong where no server answers', async () => {
    const cwd = await newDirectory()
    const server = await startOffline()
    const env = { MODEL_URL: `${server.url}/v1` }
    await server.stop()
    const { code, stdout } = await research(cwd, [], env)
    expect(stdout).toContain('research/offline did not answer')
    expect(code).toBe(1)
  })
})
