import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { JobEvent } from '../../src/index.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { all } from '../../src/testing/job-store-bench.ts'
import { aetheris, agents, Cli } from '../support/cli.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

afterAll(removeDirectories)

const run = (agent: string, ...words: string[]) => ['run', agents, '--agent', agent, ...words]

describe.concurrent('another process has the data open', () => {
  test('is exit 7 and names it; when it is gone the data is free again', async () => {
    const cwd = await newDirectory()
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

describe.concurrent('asked to stop', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s stops cleanly and says how to go on', async (signal, exitCode) => {
    const cwd = await newDirectory()
    const running = new Cli(run('hanging', '--id', 'held', '--data', 'here'), { cwd })
    await running.says('hanging now')
    running.child.kill(signal)
    const { code, stdout, stderr } = await running.ended
    expect(stderr).toMatch(
      /Stopped after 4 events, all of them kept\. Go on with:\n {2}node .*agents\.ts --id held --data here\n$/,
    )
    expect(stdout).toBe('')
    expect(code).toBe(exitCode)
    expect(existsSync(join(cwd, 'here', 'OWNER'))).toBe(false)
  })

  test('with --json says so on stdout', async () => {
    const cwd = await newDirectory()
    const running = new Cli(run('hanging', '--id', 'held', '--json'), { cwd })
    await running.says('hanging now')
    running.child.kill('SIGINT')
    const { stdout } = await running.ended
    expect(JSON.parse(stdout)).toMatchObject({ id: 'held', status: 'running', interrupted: 'SIGINT', events: 4 })
  })
})

describe.concurrent('killed', () => {
  const output = { squares: [1, 4, 9, 16, 25], last: 81 }

  /** Read in this process, to start one less. */
  async function historyIn(cwd: string): Promise<JobEvent[]> {
    const store = levelStore(join(cwd, '.aetheris'))
    await store.open()
    const events = await all(store.read('job'))
    await store.close()
    return events.flat()
  }

  test.each([0, 4, 9, 14])(
    'at event %d: the same command ends in the same result, and nothing is done twice',
    async (seq) => {
      const cwd = await newDirectory()
      const log = join(cwd, 'log')
      const input = JSON.stringify({ log, items: [1, 2, 3, 4, 5] })
      const words = run('counting', '--id', 'job', '--json', '--input', input, '--kill-at', String(seq))
      const killed = await aetheris(words, { cwd })
      expect(killed).toMatchObject({ signal: 'SIGKILL', stdout: '' })
      const before = await historyIn(cwd)
      expect(before.length).toBeGreaterThan(seq)

      const ended = await aetheris(words, { cwd })
      const result = { status: 'completed', output, replay: 'identical', recoveries: { repeated: 0 } }
      expect(JSON.parse(ended.stdout)).toMatchObject(result)
      expect(ended.code).toBe(0)
      expect((await historyIn(cwd)).slice(0, before.length)).toEqual(before)

      // What really ran is counted outside: all of it, and nothing again that was completed before the kill.
      const ran = readFileSync(log, 'utf8').trimEnd().split('\n')
      expect([...new Set(ran)].sort()).toEqual(['last', 'square/0', 'square/1', 'square/2', 'square/3', 'square/4'])
      const completed = before.flatMap(({ type, data }) => (type === 'node.completed' ? [data.effect] : []))
      for (const effect of completed) expect(ran.filter((each) => each === effect)).toHaveLength(1)
    },
  )

  test('from outside: what was under way is started again', async () => {
    const cwd = await newDirectory()
    const running = new Cli(run('hanging', '--id', 'job'), { cwd })
    await running.says('hanging now')
    running.child.kill('SIGKILL')
    expect(await running.ended).toMatchObject({ code: null, signal: 'SIGKILL' })
    const again = new Cli(run('hanging', '--id', 'job'), { cwd })
    await again.says('taken up again')
    await again.says('hanging now')
    again.child.kill('SIGKILL')
    await again.ended
    expect((await historyIn(cwd)).map(({ type }) => type)).toEqual([
      'job.created',
      'plan.requested',
      'plan.adopted',
      'node.started',
      'job.recovered',
      'node.attempted',
    ])
  })

  test('leaves other jobs as they are when they are not meant, and names one of the same agent', async () => {
    const cwd = await newDirectory()
    const input = ['--input', JSON.stringify({ log: join(cwd, 'log'), items: [] })]
    await aetheris(run('counting', '--id', 'job', '--kill-at', '2', ...input), { cwd })
    const before = await historyIn(cwd)
    const { code, stderr } = await aetheris(run('counting', ...input), { cwd })
    expect(code).toBe(0)
    expect(stderr).toMatch(/Another job of this agent has not ended\. Go on with it by:\n {2}node .* --id job\n/)
    expect(await historyIn(cwd)).toEqual(before)
  })
})
