import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { JobEvent } from '../../src/index.ts'
import { aetheris, agents, Cli } from '../support/cli.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

let cwd: string
beforeEach(async () => {
  cwd = await newDirectory()
})
afterAll(removeDirectories)

const run = (agent: string, ...words: string[]) => ['run', agents, '--agent', agent, ...words]

describe('another process has the data open', () => {
  test('is exit 7 and names it; when it is gone the data is free again', async () => {
    const holder = new Cli(run('hanging', '--id', 'held'), { cwd })
    await holder.says('hanging now')
    for (const words of [['jobs'], ['signal', 'held', 'x', '{}'], run('echo')]) {
      const { code, stdout, stderr } = await aetheris(words, { cwd })
      expect(stderr).toContain(`Process ${holder.child.pid} has the data directory`)
      expect(stdout).toBe('')
      expect(code).toBe(7)
    }
    const { code, stdout } = await aetheris(['jobs', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'STORE_LOCKED', pid: holder.child.pid } })
    expect(code).toBe(7)
    holder.child.kill('SIGKILL')
    await holder.ended
    expect((await aetheris(['jobs'], { cwd })).stdout).toMatch(/held +hanging +running/)
  })
})

describe('asked to stop', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s stops cleanly and says how to go on', async (signal, exitCode) => {
    const running = new Cli(run('hanging', '--id', 'held', '--data', 'here'), { cwd })
    await running.says('hanging now')
    running.child.kill(signal)
    const { code, stdout, stderr } = await running.ended
    expect(stderr).toMatch(
      /Stopped after 4 events, all of them kept\. Go on with:\n {2}node .* --agent hanging --id held --data here\n$/,
    )
    expect(stdout).toBe('')
    expect(code).toBe(exitCode)
    expect(existsSync(join(cwd, 'here', 'OWNER'))).toBe(false)
  })

  test('with --json says so on stdout', async () => {
    const running = new Cli(run('hanging', '--id', 'held', '--json'), { cwd })
    await running.says('hanging now')
    running.child.kill('SIGINT')
    const { stdout } = await running.ended
    expect(JSON.parse(stdout)).toMatchObject({ id: 'held', status: 'running', interrupted: 'SIGINT', events: 4 })
  })
})

describe('killed', () => {
  const input = () => ['--input', JSON.stringify({ log: join(cwd, 'log'), items: [1, 2, 3, 4, 5] })]
  const output = { squares: [1, 4, 9, 16, 25], last: 81 }

  async function history(): Promise<JobEvent[]> {
    const { stdout } = await aetheris(['events', 'job', '--json'], { cwd })
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
  }

  /** How often each effect really ran. */
  function runs(): Record<string, number> {
    const lines = existsSync(join(cwd, 'log')) ? readFileSync(join(cwd, 'log'), 'utf8').trimEnd().split('\n') : []
    return Object.fromEntries(lines.map((line) => [line, lines.filter((each) => each === line).length]))
  }

  test.each([0, 2, 4, 7, 11, 14])(
    'at event %d: the same command ends in the same result, and nothing is done twice',
    async (seq) => {
      const words = run('counting', '--id', 'job', '--json', ...input())
      const killed = await aetheris([...words, '--kill-at', String(seq)], { cwd })
      expect(killed).toMatchObject({ signal: 'SIGKILL', stdout: '' })
      const before = await history()
      expect(before.length).toBeGreaterThan(seq)
      const ended = await aetheris(words, { cwd })
      expect(JSON.parse(ended.stdout)).toMatchObject({
        status: 'completed',
        output,
        replay: 'identical',
        recoveries: { repeated: 0 },
      })
      expect(ended.code).toBe(0)
      for (const { type, data } of before)
        if (type === 'node.completed') expect(runs()).toHaveProperty([data.effect], 1)
      expect(Object.keys(runs()).sort()).toEqual(['last', 'square/0', 'square/1', 'square/2', 'square/3', 'square/4'])
      expect((await history()).slice(0, before.length)).toEqual(before)
    },
  )

  test('from outside: what was under way is started again', async () => {
    const running = new Cli(run('hanging', '--id', 'job'), { cwd })
    await running.says('hanging now')
    running.child.kill('SIGKILL')
    expect(await running.ended).toMatchObject({ code: null, signal: 'SIGKILL' })
    const again = new Cli(run('hanging', '--id', 'job'), { cwd })
    await again.says('taken up again')
    await again.says('hanging now')
    again.child.kill('SIGKILL')
    await again.ended
    expect((await history()).map(({ type }) => type)).toEqual([
      'job.created',
      'plan.requested',
      'plan.adopted',
      'node.started',
      'job.recovered',
      'node.attempted',
    ])
  })
})
