import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JobEvent } from '../../src/index.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { all } from '../../src/testing/job-store-bench.ts'
import { aetheris, agents, Cli, inProcess, wordsOf } from '../support/cli.ts'
import { copyOf, newDirectory, removeDirectories } from '../support/store-data.ts'

afterAll(removeDirectories)

const run = (agent: string, ...words: string[]) => ['run', agents, '--agent', agent, ...words]

describe.concurrent('another process has the data open', () => {
  test('is exit 7 and names it; when it is gone the data is free again', async () => {
    const cwd = await newDirectory()
    const holder = new Cli(run('hanging', '--id', 'held'), { cwd })
    await holder.says('hanging now')
    for (const words of [['jobs'], ['signal', 'held', 'x', '{}'], run('echo')]) {
      const { code, stdout, stderr } = await inProcess(words, { cwd })
      expect(stderr).toContain(`Process ${holder.child.pid} has the data directory`)
      expect(stdout).toBe('')
      expect(code).toBe(7)
    }
    const { code, stdout } = await inProcess(['jobs', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'STORE_LOCKED', pid: holder.child.pid } })
    expect(code).toBe(7)
    holder.child.kill('SIGKILL')
    await holder.ended
    expect((await inProcess(['jobs'], { cwd })).stdout).toMatch(/held +hanging +running/)
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

      const ended = await inProcess(words, { cwd })
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
    const { code, stderr } = await inProcess(run('counting', ...input), { cwd })
    expect(code).toBe(0)
    expect(stderr).toMatch(/Another job of this agent has not ended\. Go on with it by:\n {2}aetheris .* --id job\n/)
    expect(await historyIn(cwd)).toEqual(before)
  })
})

describe('killed in the middle of a call that must not be made twice', () => {
  let killed: string

  /** A directory whose process was killed like this, and the command line on it. */
  async function place() {
    const cwd = await copyOf(killed)
    const log = join(killed, 'log')
    return {
      cwd,
      cli: (...words: string[]) => inProcess(words, { cwd }),
      type: (line: string, given: Record<string, string>) =>
        inProcess(
          wordsOf(line)
            .slice(1)
            .map((word) => given[word] ?? word),
          { cwd },
        ),
      calls: () => readFileSync(log, 'utf8').trimEnd().split('\n').length,
    }
  }

  beforeAll(async () => {
    killed = await newDirectory()
    const input = ['--input', JSON.stringify({ log: join(killed, 'log') })]
    const running = new Cli(run('transferring', '--id', 'job', ...input), { cwd: killed })
    await running.says('transferring now')
    running.child.kill('SIGKILL')
    await running.ended
  })

  test('why says that nobody runs it, and changes nothing', async () => {
    const { cwd, cli } = await place()
    const before = await historyIn(cwd)
    const { code, stdout } = await cli('why', 'job')
    expect(stdout).toMatch(
      /^Nobody runs the job: the process that did has ended\.\n.*\n {2}aetheris run \S+ --id job\ntransfer: attempt 1 was under way when its process ended\.\n {2}owed by whoever runs the job, since /,
    )
    expect(code).toBe(0)
    expect(await historyIn(cwd)).toEqual(before)
  })

  test('a pause takes the job over, and the call is not made again', async () => {
    const { cwd, cli, calls } = await place()
    expect(await cli('pause', 'job', '--by', 'ana')).toMatchObject({ code: 0 })
    const types = (await historyIn(cwd)).map(({ type }) => type)
    expect(types.slice(-4)).toEqual(['node.started', 'job.recovered', 'node.outcome_unknown', 'job.paused'])
    const resumed = await cli('resume', 'job')
    expect(resumed.stdout).toContain('Nobody knows how attempt 1 of transfer ended, and it must not be made twice.\n')
    expect(resumed.code).toBe(4)
    expect(calls()).toBe(1)
  })

  test.each([
    ['--completed', { JSON: '{"receipt":"r7"}' }, 0, '"receipt": "r7"'],
    ['--failed', { MESSAGE: 'the bank knows nothing of it' }, 1, 'Error: the bank knows nothing of it'],
    ['--again', {}, 0, '"receipt": "r1"'],
  ])('the line to type with %s decides it', async (way, given, exitCode, result) => {
    const { cli, type, calls } = await place()
    const shown = await cli('run', agents, '--id', 'job')
    expect(shown.stdout).toMatch(/ {2}transfer was called with:\n {4}log: ".*"\n {2}attempt 1 was lost: crash\n/)
    const line = shown.stdout.split('\n').find((each) => each.includes(way)) as string
    if (way === '--again') writeFileSync(join(killed, 'log.open'), '')
    const decided = await type(line, { ...given, NAME: 'ana', TEXT: 'asked the bank' })
    expect(decided.stdout).toContain(result)
    expect(decided.stderr).toMatch(/^ {2}transfer: \w+ by ana: asked the bank\n/)
    expect(decided.code).toBe(exitCode)
    expect(calls()).toBe(way === '--again' ? 2 : 1)
    const again = await type(line, { ...given, NAME: 'ana', TEXT: 'asked the bank' })
    expect(again.stdout).toMatch(/^transfer of job was said to have [\w ]+ already \(\S+, by ana\)\.\n/)
    expect(again.code).toBe(0)
  })

  test('an output that the tool could not have given is refused, and the question stays open', async () => {
    const { cwd, cli } = await place()
    await cli('run', agents, '--id', 'job')
    const before = await historyIn(cwd)
    const { code, stderr } = await cli('resolve', 'job', 'transfer', '--completed', '{"receipt":7}', ...who)
    expect(stderr).toContain('What tool "transfer" returned does not match its schema')
    expect(stderr).toContain('Nobody knows how attempt 1 of transfer ended')
    expect(code).toBe(2)
    expect(await historyIn(cwd)).toEqual(before)
  })
  const who = ['--by', 'ana', '--reason', 'asked the bank']
})

/** Read in this process, to start one less. */
async function historyIn(cwd: string): Promise<JobEvent[]> {
  const store = levelStore(join(cwd, '.aetheris'))
  await store.open()
  const events = await all(store.read('job'))
  await store.close()
  return events.flat()
}
