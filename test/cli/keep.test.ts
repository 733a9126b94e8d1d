import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRuntime } from '../../src/index.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { agents, inProcess } from '../support/cli.ts'
import { expectRefused } from '../support/refused.ts'
import { copyOf, newDirectory, removeDirectories } from '../support/store-data.ts'
import { careful, echo } from './fixtures/agents.ts'

/** The verbs that keep data: verify, repair, backup, restore, prune. */

/** A working directory with a job that is done and one that waits. */
let cwd: string

beforeAll(async () => {
  cwd = await newDirectory()
  await using runtime = await openRuntime({ store: levelStore(join(cwd, '.aetheris')), agents: [careful, echo] })
  await (await runtime.spawn(echo, { text: 'tea' }, { id: 'done', source: agents })).result()
  const waits = await runtime.spawn(careful, { text: 'tea' }, { id: 'waits', source: agents })
  await waits.waitFor((snapshot) => snapshot.matches('review.waiting'))
})
afterAll(removeDirectories)

async function json(at: string, ...words: string[]) {
  const { code, stdout } = await inProcess([...words, '--json'], { cwd: at })
  return { code, value: JSON.parse(stdout) }
}

async function raw(at: string, change: (db: ClassicLevel<string, string>) => Promise<void>): Promise<void> {
  const db = new ClassicLevel<string, string>(join(at, '.aetheris', 'db'))
  await change(db)
  await db.close()
}

describe.concurrent('backup and restore', () => {
  test('bring the jobs to another place, where those under way pause', async () => {
    const at = await copyOf(cwd)
    const backup = await inProcess(['backup', '--to', 'b.jsonl'], { cwd: at })
    expect(backup).toMatchObject({ code: 0, stdout: `2 jobs, 12 events: ${join(at, 'b.jsonl')}\n` })
    const restored = await inProcess(['restore', 'b.jsonl', '--data', 'new'], { cwd: at })
    expect(restored.stdout).toMatch(/^2 jobs, 12 events as of \d{4}-.*Z\n$/)
    expect(restored.stderr).toContain('1 job will pause')
    expect(restored.stderr).toContain('aetheris resume waits --data new')
    expect(restored.code).toBe(0)
    expect(await json(at, 'verify', '--data', 'new')).toMatchObject({ code: 0, value: { whole: true, jobs: 2 } })
    const words = ['waits', '--data', 'new']
    expect(await inProcess(['resume', ...words], { cwd: at })).toMatchObject({ code: 4 })
    const events = await inProcess(['events', ...words], { cwd: at })
    expect(events.stdout).toMatch(/job\.paused .*restore/)
    const approved = await inProcess(['signal', 'waits', 'approval', '{"approved":true,"by":"ana"}', '--data', 'new'], {
      cwd: at,
    })
    expect(approved).toMatchObject({ code: 0, stdout: expect.stringMatching(/waits completed: \d+ events/) })
  })

  test('say what they did as JSON', async () => {
    const at = await copyOf(cwd)
    const { value, code } = await json(at, 'backup', '--to', at)
    expect(value).toEqual({ file: expect.stringMatching(/aetheris-\d+\.jsonl$/), jobs: 2, events: 12, pruned: 0 })
    expect(code).toBe(0)
    expect(await json(at, 'restore', value.file, '--data', 'new')).toEqual({
      code: 0,
      value: { jobs: 2, events: 12, pruned: 0, at: expect.any(Number), paused: ['waits'] },
    })
  })

  test('of data in use is exit 7, and says who can', async () => {
    const at = await copyOf(cwd)
    const store = levelStore(join(at, '.aetheris'))
    await store.open()
    for (const words of [['backup', '--to', 'b'], ['repair', '--to', 'r'], ['prune', '--keep', '0'], ['verify']])
      expect(await inProcess(words, { cwd: at })).toMatchObject({ code: 7, stdout: '' })
    expect((await inProcess(['backup', '--to', 'b'], { cwd: at })).stderr).toContain('backup(store, file)')
    await store.close()
    expect(readdirSync(at)).toEqual(['.aetheris'])
  })

  test('of a damaged archive is exit 6, and nothing is made', async () => {
    const at = await copyOf(cwd)
    await inProcess(['backup', '--to', 'b.jsonl'], { cwd: at })
    writeFileSync(join(at, 'b.jsonl'), readFileSync(join(at, 'b.jsonl'), 'utf8').replace('"tea"', '"ale"'))
    const { code, value } = await json(at, 'restore', 'b.jsonl', '--data', 'new')
    expect(value).toMatchObject({ error: { code: 'STORE_CORRUPT', jobId: 'done', seq: 0 } })
    expect(code).toBe(6)
    expect(existsSync(join(at, 'new'))).toBe(false)
  })

  test('of damaged data is exit 6, and leaves no file', async () => {
    const at = await copyOf(cwd)
    await raw(at, (db) => db.put('e!done!0000000003', 'x'))
    expect(await json(at, 'backup', '--to', 'b')).toMatchObject({
      code: 6,
      value: { error: { jobId: 'done', seq: 3 } },
    })
    expect(readdirSync(at)).toEqual(['.aetheris'])
  })
})

describe.concurrent('verify and repair', () => {
  test('a snapshot that is not the fold of its events is found, though its hash fits', async () => {
    const at = await copyOf(cwd)
    const { chainHash } = await import('../../src/store/chain.ts')
    let seq = 0
    await raw(at, async (db) => {
      const [entry] = await db.iterator({ gte: 's!waits!', lt: 's!waits"', reverse: true, limit: 1 }).all()
      const [key, value] = entry as [string, string]
      seq = Number(key.split('!')[2])
      const text = value.slice(43).replace('"steps":', '"steps":1')
      await db.put(key, chainHash('', key, text) + text)
    })
    const { code, value } = await json(at, 'verify')
    expect(value.findings).toEqual([
      {
        kind: 'snapshot',
        jobId: 'waits',
        seq,
        message: expect.stringContaining('not the fold of its events: snapshot.usage.steps'),
      },
    ])
    expect(code).toBe(6)
    const repaired = await inProcess(['repair', '--to', 'new'], { cwd: at })
    expect(repaired).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^2 jobs, 12 events kept in .*new; nothing is lost\n$/),
    })
    expect(await json(at, 'verify', '--data', 'new')).toMatchObject({ code: 0 })
  })

  test('all damage is listed also of data that does not open', async () => {
    const at = await copyOf(cwd)
    await raw(at, async (db) => {
      await db.del('j!done')
      await db.put('e!waits!0000000001', 'x')
    })
    const { code, value } = await json(at, 'verify')
    expect(value.findings).toMatchObject([
      { kind: 'hash', jobId: 'waits', seq: 1 },
      { kind: 'hash', jobId: 'waits', seq: 2 },
      { kind: 'head', jobId: 'done', seq: 6 },
    ])
    expect(code).toBe(6)
  })

  test('repair says what is lost, exit 6, and what is left can be worked with', async () => {
    const at = await copyOf(cwd)
    await raw(at, (db) => db.put('e!waits!0000000005', 'x'))
    const { code, stdout, stderr } = await inProcess(['repair', '--to', 'new'], { cwd: at })
    expect(stdout).toMatch(/^waits: events? \d.* lost\n/)
    expect(stderr).toContain('aetheris resume waits --data new')
    expect(code).toBe(6)
    expect(await json(at, 'verify', '--data', 'new')).toMatchObject({ code: 0, value: { jobs: 2 } })
    const { code: moved } = await inProcess(['resume', 'waits', '--data', 'new'], { cwd: at })
    expect(moved).toBe(4)
    rmSync(join(at, 'new'), { recursive: true })
    expect(await json(at, 'repair', '--to', 'new')).toMatchObject({
      code: 6,
      value: { jobs: 2, damaged: [{ jobId: 'waits', known: 6 }], doubts: [], paused: ['waits'] },
    })
  })
})

describe.concurrent('prune', () => {
  test('deletes what is old enough, archives it first, and can only say so', async () => {
    const at = await copyOf(cwd)
    const prune = (...words: string[]) => inProcess(['prune', ...words], { cwd: at })
    expect(await prune('--settled-before', '30d')).toMatchObject({ code: 0, stdout: '0 jobs, 0 events deleted\n' })
    expect(await prune('--keep', '0', '--dry-run', '--archive', 'kept')).toMatchObject({
      code: 0,
      stdout: 'done\n1 job, 6 events would be deleted\n',
    })
    expect(readdirSync(at)).toEqual(['.aetheris'])
    const { code, value } = await json(at, 'prune', '--settled-before', '0s', '--archive', 'kept')
    expect(value).toEqual({ pruned: ['done'], events: 6, file: expect.stringContaining('kept'), dryRun: false })
    expect(code).toBe(0)
    expect(await inProcess(['run', agents, '--agent', 'echo', '--id', 'done'], { cwd: at })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('There was a job "done" once'),
    })
    expect(await json(at, 'restore', value.file, '--data', 'old')).toMatchObject({ code: 0, value: { jobs: 1 } })
    expect(await json(at, 'verify')).toMatchObject({ code: 0, value: { jobs: 1 } })
  })
})

describe.concurrent('wrong usage is exit 2', () => {
  test.each([
    [['backup'], "required option '--to FILE' not specified"],
    [['backup', '--to', '.aetheris/FORMAT'], 'exists already'],
    [['backup', '--to', 'b', '--data', 'gone'], 'There is no data directory at'],
    [['restore'], "missing required argument 'FILE'"],
    [['restore', '.aetheris/FORMAT', '--data', 'new'], 'This is no archive of Aetheris'],
    [['restore', '.aetheris/FORMAT'], 'is not empty'],
    [['restore', 'x', '--data', ''], '--data is empty'],
    [['repair'], "required option '--to DIR' not specified"],
    [['repair', '--to', '.aetheris/new'], 'must not be in the damaged one'],
    [['repair', '--to', 'new', '--data', 'gone'], 'There is no data directory at'],
    [['prune'], '--settled-before AGE'],
    [['prune', '--agent', 'echo'], '--settled-before AGE'],
    [['prune', '--settled-before', '30'], 'It has to be an age'],
    [['prune', '--settled-before', '-1d'], 'It has to be an age'],
    [['prune', '--keep', 'x'], 'whole number'],
  ])('%j', (words, message) => expectRefused(cwd, words, message))
})
