import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { agents, inProcess, wordsOf } from '../support/cli.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

afterAll(removeDirectories)

/** The command line on a directory of its own, in this process. */
async function place() {
  const cwd = await newDirectory()
  const log = join(cwd, 'log')
  const cli = (...words: string[]) => inProcess(words, { cwd })
  const json = async (...words: string[]) => {
    const { code, stdout } = await cli(...words, '--json')
    return { code, value: JSON.parse(stdout) }
  }
  return {
    cli,
    json,
    run: (agent: string, input: object = {}) =>
      cli('run', agents, '--agent', agent, '--id', 'job', '--input', JSON.stringify(input)),
    /** Types a line that was shown, with what it leaves open. */
    type: (line: string, given: Record<string, string>) =>
      cli(
        ...wordsOf(line)
          .slice(1)
          .map((word) => given[word] ?? word),
      ),
    events: async () =>
      (await cli('events', 'job')).stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.slice(30, 52).trim()),
    log,
    logged: () => (existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : []),
    /** Lets the tools work that wait for this. */
    open: () => writeFileSync(`${log}.open`, ''),
  }
}

/** The lines to type that an output shows. */
function linesToType(text: string): string[] {
  return [...text.matchAll(/^ +(aetheris .*)$/gm)].map((match) => match[1] as string)
}

describe('an approval', () => {
  test('is shown with what is approved, and the line to type makes the call', async () => {
    const { run, cli, type } = await place()
    const waits = await run('paying')
    expect(waits.stdout).toMatch(
      /^job waits for somebody\.\npay needs somebody to agree to a call of pay, until \S+Z\.\n {2}pay is to get:\n {4}to: "Bo"\n {4}amount: 120\n {2}digest \S+\n {2}options approve, deny\n {2}boss may answer from \S+Z\n {2}without an answer until \S+Z: deny\n/,
    )
    expect(waits.code).toBe(4)
    const lines = ['aetheris approve job pay --by NAME', 'aetheris deny job pay --by NAME']
    expect(linesToType(waits.stdout)).toEqual(lines)
    const why = await cli('why', 'job')
    expect(why.stdout).toMatch(/^pay needs .*\n {2}owed by ana, since \S+Z \([\d.]+ \w+\)\n {2}pay is to get:\n/)
    expect(linesToType(why.stdout)).toEqual(lines)
    expect(linesToType((await cli('show', 'job')).stdout)).toEqual(lines)
    const approved = await type(lines[0] as string, { NAME: 'ana' })
    expect(approved.stdout).toMatch(/"receipt": "paid to Bo"\n\}\njob completed: 10 events, replay: identical\n$/)
    expect(approved.stderr).toBe('  pay: approve by ana\n  pay completed\n')
    expect(approved.code).toBe(0)
    const again = await type(lines[0] as string, { NAME: 'ana' })
    expect(again.stdout).toMatch(/^pay of job was answered "approve" already \(\S+Z, by ana\)\.\njob is completed\.\n$/)
    expect(again.code).toBe(0)
    const other = await type(lines[1] as string, { NAME: 'ana' })
    expect(other.stderr).toMatch(/nothing to deny\. It was decided otherwise, \S+Z: pay: approve by ana\.\n/)
    expect(other.code).toBe(2)
  })

  test('is refused from who may not give it, or gives it to something else; nothing is stored by that', async () => {
    const { run, cli, json, events } = await place()
    await run('paying')
    const before = await events()
    const { digest } = (await json('why', 'job')).value.reasons[0].approval
    const cases: [string[], string][] = [
      [['approve', 'job', 'pay', '--by', 'bob'], '"bob" may not answer "pay"; these may: ana.'],
      [['approve', 'job', 'pay', '--by', 'ana', '--digest', 'somethingelse'], 'has changed since it was shown'],
      [['approve', 'job', 'pay', '--by', 'ana', '--digest', digest.slice(0, 7)], 'has changed since it was shown'],
      [['approve', 'job', 'pay', '--by', 'ana', '--option', 'maybe'], 'it takes: approve, deny.'],
      [['deny', 'job', 'pay', '--by', 'ana', '--option', 'approve'], 'means to approve, not to deny'],
      [['approve', 'job', 'gone', '--by', 'ana'], 'the job has no such node (it has: pay).'],
      [
        ['resolve', 'job', 'pay', '--again', '--data', '.aetheris'],
        "required option '--by NAME' not specified\nType:\n  aetheris resolve job pay --again --data .aetheris --by NAME --reason TEXT\n",
      ],
      [['approve', 'job', 'pay', '--by', ''], 'by: Too small'],
      [['approve', 'nobody', 'pay', '--by', 'ana'], 'There is no job "nobody"'],
    ]
    for (const [words, message] of cases) {
      const { code, stdout, stderr } = await cli(...words)
      expect(stderr).toContain(message)
      expect(stdout).toBe('')
      expect(code).toBe(2)
    }
    expect(await events()).toEqual(before)
    const approved = await cli('approve', 'job', 'pay', '--by', 'ana', '--digest', digest.slice(0, 8), '--no-wait')
    expect(approved).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^pay of job was answered "approve"\.\nGo on with:\n {2}aetheris run .* --id job\n$/,
      ),
    })
    expect((await events()).slice(-1)).toEqual(['approval.decided'])
    const late = await cli('resolve', 'job', 'pay', '--again', '--by', 'ana', '--reason', 'x')
    expect(late.stderr).toContain('The outcome of "pay" is not in doubt: it is about to begin.\n')
    expect(linesToType(late.stderr)).toEqual([`aetheris run ${agents} --id job`])
    expect((await cli('retry', 'job', 'pay')).stderr).toContain('Node "pay" is about to begin; only a node that has')
    // Whoever was killed right after it says the same again, and the job goes on.
    const again = await json('approve', 'job', 'pay', '--by', 'ana')
    expect(again).toMatchObject({
      code: 0,
      value: { status: 'completed', command: { verb: 'approve', isAlready: true }, output: { receipt: 'paid to Bo' } },
    })
  })

  test('that is denied fails the job, and a retry asks anew', async () => {
    const { run, cli } = await place()
    await run('paying')
    const denied = await cli('deny', 'job', 'pay', '--by', 'ana', '--reason', 'too much')
    expect(denied.stdout).toMatch(/was not approved\. ana answered "deny": too much\.\njob failed: 9 events/)
    expect(denied.code).toBe(1)
    const why = await cli('why', 'job')
    expect(why.stdout).toContain('The job is failed: The call of "pay" was not approved.')
    expect(linesToType(why.stdout)).toEqual(['aetheris retry job pay'])
    const retried = await cli('retry', 'job', 'pay', '--by', 'ana')
    expect(linesToType(retried.stdout)[0]).toBe("aetheris approve job 'pay#2' --by NAME")
    expect(retried.code).toBe(4)
    expect((await cli('approve', 'job', 'pay', '--by', 'ana')).stdout).toMatch(
      /completed: \d+ events, replay: identical/,
    )
  })
})

describe('a job that is held up', () => {
  test('is paused, says so, and resumes where it is', async () => {
    const { run, cli, json, events, log, logged } = await place()
    await run('booking', { log })
    const paused = await cli('pause', 'job', '--by', 'ana', '--reason', 'lunch')
    expect(paused).toMatchObject({ code: 0, stdout: 'job is paused.\nGo on with:\n  aetheris resume job\n' })
    const again = await cli('pause', 'job')
    expect(again.stdout).toMatch(/^job is paused already \(\S+Z, by ana\)\.\nGo on with:\n/)
    expect(again.code).toBe(0)
    const why = await cli('why', 'job')
    expect(why.stdout).toMatch(
      /^Paused by ana: lunch\.\n {2}owed by somebody, since .*\n {2}aetheris resume job\nready waits for/,
    )
    const run2 = await json('run', agents, '--id', 'job')
    expect(run2).toMatchObject({
      code: 4,
      value: { status: 'paused', waitsFor: [{ kind: 'paused' }, { kind: 'signal' }] },
    })
    const signalled = await cli('signal', 'job', 'approval', '{"approved":true,"by":"Ana"}')
    expect(signalled).toMatchObject({
      code: 4,
      stdout: expect.stringMatching(/^job waits for somebody\.\nPaused by ana/),
    })
    expect(logged()).toEqual(['hotel'])
    const resumed = await cli('resume', 'job', '--by', 'bob')
    expect(resumed).toMatchObject({ code: 1, stderr: '  resumed by bob\n  car failed: no car\n' })
    expect((await events()).filter((type) => /^job\./.test(type))).toEqual([
      'job.created',
      'job.paused',
      'job.resumed',
      'job.failed',
    ])
  })

  test('over its budget it goes on with a higher limit, and with no less', async () => {
    const { run, cli } = await place()
    const over = await run('costly')
    expect(over.stdout).toContain('Its budget is used up: cost is at 20 of 20.\n')
    expect(over.code).toBe(4)
    expect(linesToType(over.stdout)).toEqual(['aetheris resume job --budget cost=NUMBER', 'aetheris cancel job'])
    for (const words of [[], ['--budget', 'cost=20'], ['--budget', 'steps=99']]) {
      const { code, stderr } = await cli('resume', 'job', ...words)
      expect(stderr).toContain('cost is at 20 of 20. Give a higher limit, with --budget cost=NUMBER.')
      expect(code).toBe(2)
    }
    for (const words of [['cost'], ['money=3'], ['cost=-1'], ['cost=1e9']]) {
      const { code, stderr } = await cli('resume', 'job', '--budget', ...words)
      expect(stderr).toContain(
        'is not LIMIT=NUMBER; the limits are steps, toolCalls, wallMs, cost, tokens, microUnits.',
      )
      expect(code).toBe(2)
    }
    const resumed = await cli('resume', 'job', '--budget', 'cost=100', 'steps=100', '--by', 'ana')
    expect(resumed.stderr).toContain('resumed by ana, budget {"steps":100,"cost":100}')
    expect(resumed).toMatchObject({ code: 0, stdout: expect.stringContaining('job completed') })
  })

  test('by nothing, it goes on all the same', async () => {
    const { run, cli } = await place()
    await run('paying')
    const { code, stderr } = await cli('resume', 'job')
    expect(stderr).toBe('Nothing holds up job.\n')
    expect(code).toBe(4)
  })
})

describe('a job that is to end', () => {
  test('is cancelled with what it has done undone; twice is as good as once', async () => {
    const { run, cli, json, log, logged } = await place()
    await run('booking', { log })
    const cancelled = await cli('cancel', 'job', '--by', 'ana', '--reason', 'no trip')
    expect(cancelled.stderr).toBe('  asked to end by ana: no trip\n  undoing 1 step\n  job.undo/hotel completed\n')
    expect(cancelled.stdout).toMatch(/^job cancelled: \d+ events, replay: identical\n$/)
    expect(cancelled.code).toBe(0)
    expect(logged()).toEqual(['hotel', 'no hotel'])
    expect(await json('cancel', 'job')).toMatchObject({
      code: 0,
      value: { id: 'job', command: { verb: 'cancel', isAlready: true }, status: 'cancelled' },
    })
    // What it is not: that it was run and ended like this.
    expect((await cli('run', agents, '--id', 'job')).code).toBe(3)
  })

  test('with --no-wait is only asked to, and whoever goes on undoes it', async () => {
    const { run, cli, json, log, logged } = await place()
    await run('booking', { log })
    expect((await cli('cancel', 'job', '--no-wait')).stdout).toMatch(/^job is asked to end\.\nGo on with:\n/)
    expect(logged()).toEqual(['hotel'])
    expect((await cli('why', 'job')).stdout).toContain('What it has done is being undone.')
    expect(await json('cancel', 'job')).toMatchObject({
      code: 0,
      value: { command: { isAlready: true }, status: 'cancelled' },
    })
    expect(logged()).toEqual(['hotel', 'no hotel'])
  })

  test('is terminated where it is', async () => {
    const { run, cli, log, logged } = await place()
    await run('booking', { log })
    expect(await cli('terminate', 'job', '--reason', 'enough')).toMatchObject({
      code: 0,
      stdout: 'job is terminated.\n',
    })
    expect(logged()).toEqual(['hotel'])
    const again = await cli('terminate', 'job')
    expect(again.stdout).toMatch(/^job is terminated already \(\S+Z\)\.\njob is terminated\.\n$/)
    expect(again.code).toBe(0)
    expect(await cli('run', agents, '--id', 'job')).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(/^job terminated: /),
    })
  })

  test('takes with it the jobs that it has started, or names them', async () => {
    const { run, cli } = await place()
    await run('delegating')
    const { code, stdout, stderr } = await cli('terminate', 'job')
    expect(stdout).toBe('job is terminated.\n')
    expect(code).toBe(0)
    expect(stderr).toBe('  terminated\n')
    expect((await cli('why', 'job/part')).stdout).toContain('The job is cancelled.')
  })
})

describe('a node', () => {
  test('that has failed is tried again, once', async () => {
    const { run, cli, log, logged, open } = await place()
    await run('booking', { log })
    const failed = await cli('signal', 'job', 'approval', '{"approved":true,"by":"Ana"}')
    expect(failed.code).toBe(1)
    expect(await cli('retry', 'job', 'hotel')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/Node "hotel" is completed; only a node that has failed.*\njob has ended:\n/),
    })
    open()
    const retried = await cli('retry', 'job', 'car', '--by', 'ana', '--reason', 'one is back')
    expect(retried.stderr).toBe('  begun again from car by ana: one is back\n  car#2 completed\n')
    expect(retried.code).toBe(0)
    expect(logged()).toEqual(['hotel', 'car'])
    const again = await cli('retry', 'job', 'car')
    expect(again.stdout).toMatch(/^car of job was begun again already \(\S+Z, by ana\)\.\njob is completed\.\n$/)
    expect(again.code).toBe(0)
    expect(logged()).toEqual(['hotel', 'car'])
  })

  test('of a running job runs again, with what comes after it', async () => {
    const { run, cli, log, logged } = await place()
    await run('booking', { log })
    const restarted = await cli('restart', 'job', 'hotel')
    expect(restarted.stderr).toBe('  begun again from hotel\n  hotel#2 completed\n')
    expect(restarted.code).toBe(4)
    expect(logged()).toEqual(['hotel', 'hotel'])
    expect(await cli('restart', 'job', 'car')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('not settled yet'),
    })
  })
})

describe('another plan', () => {
  test('is asked for', async () => {
    const { run, cli } = await place()
    await run('planning')
    const revised = await cli('revise', 'job', '--by', 'ana')
    expect(revised.stderr).toMatch(/^ {2}asked for another plan by ana\n {2}plan revised: 1 node, hash \w+\n$/)
    expect(revised.code).toBe(4)
    const done = await cli('signal', 'job', 'approval', '{"approved":true,"by":"Ana"}')
    expect(done.stdout).toMatch(/^2\njob completed/)
  })

  test('is not, of who plans in code', async () => {
    const { run, cli, events } = await place()
    await run('paying')
    const before = await events()
    const { code, stderr } = await cli('revise', 'job')
    expect(stderr).toContain('makes its plans in code; there is no planner')
    expect(code).toBe(2)
    expect(await events()).toEqual(before)
  })
})

describe('a command that makes no sense', () => {
  test.each([
    ['pause', []],
    ['resume', []],
    ['cancel', []],
    ['terminate', []],
    ['revise', []],
    ['approve', ['say', '--by', 'ana']],
    ['resolve', ['say', '--again', '--by', 'ana', '--reason', 'why not']],
  ])('%s, to a job that has completed', async (verb, words) => {
    const { run, cli, json } = await place()
    await run('echo')
    const { code, stdout, stderr } = await cli(verb, 'job', ...words)
    expect(stderr).toBe(
      `aetheris: Job "job" is completed, so there is nothing to ${verb}.\nSee how it ended:\n  aetheris show job\n`,
    )
    expect([code, stdout]).toEqual([2, ''])
    expect((await json(verb, 'job', ...words)).value).toMatchObject({ error: { code: 'JOB_SETTLED', jobId: 'job' } })
  })

  test.each([
    ['retry', ['review'], 'only a node that has failed is tried again'],
    ['restart', ['review'], 'it has not settled yet'],
    ['restart', ['gone'], 'has no node "gone" (it has: say, review).'],
    ['approve', ['say', '--by', 'ana'], '"say" asks for no approval: it is completed.'],
    [
      'resolve',
      ['say', '--again', '--by', 'ana', '--reason', 'x'],
      'The outcome of "say" is not in doubt: it is completed.',
    ],
  ])('%s %j, to one that waits for a signal, says what would move it', async (verb, words, message) => {
    const { run, cli, json } = await place()
    await run('careful')
    const { code, stdout, stderr } = await cli(verb, 'job', ...words)
    expect(stderr).toContain(message)
    expect(stderr).toContain('\njob is in this state:\n  review waits for the signal "approval".\n')
    expect(linesToType(stderr)).toEqual([`aetheris signal job approval '{"approved":true,"by":"TEXT"}'`])
    expect([code, stdout]).toEqual([2, ''])
    expect((await json(verb, 'job', ...words)).value).toMatchObject({ error: { code: 'COMMAND_REFUSED' } })
  })

  test('resolve without exactly one way is a wrong line', async () => {
    const { cli } = await place()
    for (const ways of [[], ['--again', '--failed', 'x'], ['--completed', 'null', '--again']]) {
      const { code, stderr } = await cli('resolve', 'job', 'pay', ...ways, '--by', 'ana', '--reason', 'x')
      expect(stderr).toContain('Give one of --completed JSON, --failed MESSAGE and --again.')
      expect(code).toBe(2)
    }
    expect(await cli('resolve', 'job', 'pay', '--again', '--by', 'ana')).toMatchObject({ code: 2 })
  })
})
