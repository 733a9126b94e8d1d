import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { Cli } from '../support/cli.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

/** What `npm start` runs, on data and with a report of its own. */
const script = fileURLToPath(new URL('../../scripts/start.mjs', import.meta.url))

afterAll(removeDirectories)

async function place() {
  const cwd = await newDirectory()
  const path = join(cwd, 'report.md')
  return {
    npmStart: (...words: string[]) => new Cli([...words, '--data', join(cwd, 'data')], { cwd, script }),
    input: (more: object = {}) => ['--input', JSON.stringify({ report: path, ...more })],
    report: () => readFileSync(path, 'utf8'),
  }
}

describe.concurrent('npm start', () => {
  test('audits what is installed here; a second time it shows the same result', async () => {
    const { npmStart, input, report } = await place()
    const first = await npmStart(...input()).ended
    expect(first.stderr).toMatch(/ {2}find completed\n {2}read completed, \d+ items\n {2}judge completed\n/)
    expect(first.stdout).toMatch(/licence-audit-[\da-f]{8} completed: \d+ events, replay: identical\n$/)
    expect(first.code).toBe(0)
    const written = report()
    expect(written).toMatch(
      /^# Licences of `.*node_modules`\n\n\| {2}\| Count \|\n\| --- \| --- \|\n\| Packages \| \d{2,} \|\n/,
    )
    const second = await npmStart(...input()).ended
    expect(second).toMatchObject({ code: 0, stdout: first.stdout, stderr: expect.stringContaining('had ended before') })
    expect(report()).toBe(written)
  })

  test('-- --help shows every verb, as it is typed here', async () => {
    const { code, stdout } = await new Cli(['--help'], { cwd: await newDirectory(), script }).ended
    expect(stdout).toMatch(/^Usage: npm start -- \[options\] \[command\]\n/)
    expect(stdout).toContain('\n  signal [options] ID NAME JSON')
    expect(code).toBe(0)
  })

  test('-- --crash is killed in the middle, and nothing that was done is done again', async () => {
    const { npmStart, input } = await place()
    const { code, stdout, stderr } = await npmStart('--crash', ...input()).ended
    expect(stderr).toContain('Killed by SIGKILL at event 150. The same command again:')
    const [, kept, again] =
      /Taken up again 1 time: (\d+) completed steps kept, 0 of them done again; (\d+) steps under way/.exec(stdout) ??
      []
    expect(Number(kept)).toBeGreaterThan(50)
    expect(Number(again)).toBeGreaterThan(0)
    expect(stdout).toMatch(/completed: \d+ events, replay: identical\n$/)
    expect(code).toBe(0)
  })

  test('killed from outside while its child works on, the same command ends in the same report', async () => {
    const { npmStart, input, report } = await place()
    const killed = npmStart(...input())
    await killed.says('find completed')
    killed.child.kill('SIGKILL')
    const again = await npmStart(...input()).ended
    expect(again.stdout).toMatch(/completed: \d+ events, replay: identical\n$/)
    expect(again.code).toBe(0)
    expect(report()).toContain('Nothing: every package is within the policy.')
  })

  test('what lies outside the policy waits for a person, and the line to type ends in the report', async () => {
    const { npmStart, input, report } = await place()
    const waits = await npmStart(...input({ allow: ['MIT', 'ISC'] })).ended
    expect(waits.code).toBe(4)
    expect(report()).toContain('| not decided |')
    const [, id, payload] = /^ {2}npm start -- signal (\S+) approval '(.*)' --data \S+\n$/m.exec(waits.stdout) ?? []
    expect(payload).toBe('{"approved":true,"by":"TEXT"}')
    const answered = await npmStart('signal', String(id), 'approval', '{"approved":true,"by":"Ana","note":"known"}')
      .ended
    expect(answered.stdout).toContain('completed:')
    expect(answered.code).toBe(0)
    expect(report()).not.toContain('| not decided |')
    expect(report()).toContain('approved by Ana')
  })
})
