import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRuntime } from '../../src/index.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { aetheris, agents, inProcess } from '../support/cli.ts'
import { expectRefused } from '../support/refused.ts'
import { copyOf, newDirectory, removeDirectories } from '../support/store-data.ts'
import { careful, echo, hanging, tardy, tardyTool } from './fixtures/agents.ts'

/** A working directory whose data holds a job that is done, one that waits, one that was cancelled, and one that got an answer too late. */
let cwd: string

beforeAll(async () => {
  cwd = await newDirectory()
  const store = levelStore(join(cwd, '.aetheris'))
  let noted = () => {}
  const late = new Promise<void>((resolve) => {
    noted = resolve
  })
  await using runtime = await openRuntime({
    ...{ store, agents: [careful, echo, hanging, tardy] },
    inspect: (told) => told.type === '@xstate.event' && told.event.type === 'node.late_result' && noted(),
  })
  const spawned = { source: agents }
  const done = await runtime.spawn(echo, { text: 'tea' }, { id: 'done', ...spawned })
  const waits = await runtime.spawn(careful, { text: '\u001b]0;owned\u0007' }, { id: 'waits', ...spawned })
  const cancelled = await runtime.spawn(hanging, {}, { id: 'cancelled', ...spawned })
  await done.result()
  await waits.waitFor((snapshot) => snapshot.matches('review.waiting'))
  await cancelled.cancel({ by: 'ana', reason: 'no need' })
  await cancelled.waitFor(({ status }) => status === 'stopped')
  const failed = await runtime.spawn(tardy, {}, { id: 'tardy', ...spawned })
  await failed.waitFor(({ status }) => status === 'error')
  tardyTool.answer()
  await late
})
afterAll(removeDirectories)

/** On a copy, so that tests do not find each other's lock. */
const cli = async (...words: string[]) => inProcess(words, { cwd: await copyOf(cwd) })

async function json(...words: string[]) {
  const { code, stdout } = await cli(...words, '--json')
  return { code, value: JSON.parse(stdout) }
}

describe.concurrent('jobs', () => {
  test('lists all jobs', async () => {
    const { code, stdout } = await cli('jobs')
    expect(stdout).toMatch(
      /^ID +AGENT +STATUS +EVENTS +UPDATED\ncancelled +hanging +cancelled.*\ndone +echo +completed +6 .*\ntardy +tardy +failed .*\nwaits +careful +waiting +6 .*\n$/,
    )
    expect(code).toBe(0)
    const { value } = await json('jobs')
    expect(value).toMatchObject([
      { id: 'cancelled' },
      { id: 'done', agent: 'echo', status: 'completed', events: 6 },
      { id: 'tardy' },
      { id: 'waits' },
    ])
  })
})

describe.concurrent('show', () => {
  test('says what a waiting job waits for, and the line to type', async () => {
    const { code, stdout, stderr } = await cli('show', 'waits')
    expect(stdout).toMatch(/^status +waiting$/m)
    expect(stdout).toContain('review waits for the signal "approval".\n  say gave:\n    "\\u001b]0;owned\\u0007"\n')
    expect(stdout).toMatch(/ {2}aetheris signal waits approval '\{"approved":true,"by":"TEXT"\}'\n$/)
    expect(`${stdout}${stderr}`).not.toContain('\u001b')
    expect(code).toBe(0)
  })

  test('gives all of it as JSON', async () => {
    const waits = await json('show', 'waits', '--data', '.aetheris')
    expect(waits.value).toMatchObject({
      ...{ id: 'waits', agent: 'careful', agentVersion: 1, status: 'waiting', events: 6, source: agents },
      ...{ state: { running: { review: 'waiting' } }, nodes: { say: 'completed', review: 'waiting' } },
      waitsFor: [{ effect: 'review', signal: 'approval', type: [expect.stringMatching(/ --data \.aetheris$/)] }],
    })
    expect(await json('show', 'done')).toMatchObject({
      code: 0,
      value: { status: 'completed', output: { said: 'tea' }, waitsFor: [] },
    })
    expect(await json('show', 'cancelled')).toMatchObject({
      value: { status: 'cancelled', by: 'ana', reason: 'no need' },
    })
    expect(await json('show', 'tardy')).toMatchObject({ value: { status: 'failed', error: { code: 'TOOL_TIMEOUT' } } })
  })
})

describe.concurrent('run', () => {
  test('on a cancelled job is exit 3', async () => {
    const { code, stdout } = await cli('run', agents, '--agent', 'hanging', '--id', 'cancelled')
    expect(stdout).toMatch(/cancelled cancelled: \d+ events, replay: identical\n$/)
    expect(code).toBe(3)
  })
})

describe.concurrent('events', () => {
  test('prints the history, a line each', async () => {
    const { code, stdout } = await cli('events', 'done')
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(6)
    expect(lines[0]).toMatch(
      /^ {5}0 {2}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}job\.created {2,}echo \(version 1\) \{"text":"tea"\}$/,
    )
    expect(lines[5]).toMatch(/ job\.completed +\{"said":"tea"\}$/)
    expect(code).toBe(0)
  })

  test('gives JSON lines of whole events', async () => {
    const { stdout } = await cli('events', 'done', '--json')
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4, 5])
    expect(events[5]).toMatchObject({
      jobId: 'done',
      type: 'job.completed',
      state: 'completed',
      hash: expect.any(String),
    })
  })
})

describe.concurrent('replay', () => {
  test('shows a job as it was, and that the history replays', async () => {
    const { code, stdout } = await cli('replay', 'done', '--until', '3')
    expect(stdout).toBe(
      'done after 4 events of 6: {"running":{"say":"running"}}\n  say  call  started  attempt 1\nreplay: identical\n',
    )
    expect(code).toBe(0)
    expect(await json('replay', 'waits')).toMatchObject({
      code: 0,
      value: { id: 'waits', events: 6, replay: 'identical', pending: [{ effect: 'review', signal: 'approval' }] },
    })
  })

  /** Version 2 goes another way than version 1 did. */
  const machine = (target: string) => `import { fromMachine } from 'aetheris'
    import { createMachine } from 'xstate'
    export const door = fromMachine('door', createMachine({
      initial: 'closed',
      states: { closed: { on: { open: '${target}' } }, opened: {}, jammed: { on: { open: 'opened' } } },
    }))`

  test('of a machine that has changed says where it parts, exit 5; going on with it is refused', async () => {
    const folder = await newDirectory()
    const door = (...words: string[]) => aetheris(words, { cwd: folder })
    writeFileSync(join(folder, 'door.ts'), machine('jammed'))
    const waits = await door('run', 'door.ts', '--id', 'door')
    expect(waits).toMatchObject({
      code: 4,
      stdout: expect.stringMatching(/^door waits.*\nThe job takes the signal "open"\.\n.* signal door open JSON\n$/),
    })
    expect((await door('signal', 'door', 'open', '{}')).code).toBe(4)
    expect((await door('replay', 'door')).code).toBe(0)

    writeFileSync(join(folder, 'door.ts'), machine('opened'))
    const { code, stdout } = await door('replay', 'door')
    expect(stdout).toContain('replay: diverged at seq 1, state.running: recorded "jammed", now "opened"')
    expect(code).toBe(5)
    const asJson = await door('replay', 'door', '--json')
    expect(JSON.parse(asJson.stdout)).toMatchObject({ replay: { seq: 1, path: 'state.running' } })
    const resumed = await door('run', 'door.ts', '--id', 'door', '--json')
    expect(JSON.parse(resumed.stdout)).toMatchObject({ error: { code: 'REPLAY_DIVERGED', jobId: 'door', seq: 1 } })
    expect(resumed.code).toBe(5)
    // What is recorded can still be looked at, without its module too.
    expect(await door('show', 'door')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('{"running":"jammed"}'),
    })
    rmSync(join(folder, 'door.ts'))
    expect(await door('show', 'door')).toMatchObject({ code: 0, stderr: expect.stringContaining('--module PATH') })
    expect(await door('replay', 'door')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('definition of agent "door"'),
    })
  })
})

describe.concurrent('verify', () => {
  test('says that the data is whole', async () => {
    expect(await cli('verify')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^4 jobs, \d+ events: whole\n$/),
    })
    expect(await json('verify', 'done')).toEqual({
      code: 0,
      value: { whole: true, jobs: 1, events: 6, findings: [], notFolded: [] },
    })
  })

  test('lists what is damaged, exit 6; a damaged event is not shown', async () => {
    const copy = await copyOf(cwd)
    const db = new ClassicLevel<string, string>(join(copy, '.aetheris', 'db'))
    const key = 'e!done!0000000003'
    await db.put(key, ((await db.get(key)) as string).replace('tea', 'ale'))
    await db.close()
    const damaged = (...words: string[]) => inProcess(words, { cwd: copy })
    const verified = await damaged('verify', '--json')
    expect(JSON.parse(verified.stdout)).toMatchObject({
      whole: false,
      findings: [{ kind: 'hash', jobId: 'done', seq: 3 }],
    })
    expect(verified.code).toBe(6)
    expect(await damaged('verify', 'waits')).toMatchObject({ code: 0 })
    const shown = await damaged('events', 'done')
    expect(shown).toMatchObject({ code: 6, stderr: expect.stringContaining('Event 3 of job "done"') })
    expect(shown.stdout).not.toContain('ale')
    expect(await damaged('replay', 'done')).toMatchObject({ code: 6 })
    expect(await damaged('run', agents, '--agent', 'echo', '--id', 'done')).toMatchObject({ code: 6 })
  })

  test('of data that cannot be opened any more is exit 6', async () => {
    const copy = await copyOf(cwd)
    const db = join(copy, '.aetheris', 'db')
    renameSync(join(db, 'CURRENT'), join(copy, 'CURRENT'))
    const { code, stdout } = await inProcess(['verify', '--json'], { cwd: copy })
    expect(JSON.parse(stdout)).toMatchObject({
      whole: false,
      findings: [{ message: expect.stringContaining('CURRENT') }],
    })
    expect(code).toBe(6)
    expect(await inProcess(['jobs'], { cwd: copy })).toMatchObject({ code: 6, stdout: '' })
  })
})

describe.concurrent('wrong usage is exit 2', () => {
  test.each([
    [
      ['show', 'nobody'],
      '/.aetheris". `aetheris jobs` lists those that are there; --data DIR names another directory.',
    ],
    [['events', 'no/body!'], 'There is no job'],
    [['replay', 'nobody'], 'There is no job "nobody"'],
    [['verify', 'nobody'], 'There is no job "nobody"'],
    [['replay', 'done', '--until', '6'], '--until goes from 0 to 5'],
    [['replay', 'done', '--until', '-1'], "argument '-1' is invalid"],
    [['events'], "missing required argument 'ID'"],
    [['jobs', '--data', 'gone'], 'There is no data directory at'],
  ])('%j', (words, message) => expectRefused(cwd, words, message))
})
