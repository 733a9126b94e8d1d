import { type ChildProcess, fork } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { all, codeOf } from '../../src/testing/job-store-bench.ts'
import { commitNumber, contentsOf, copyOf, newDirectory, removeDirectories } from '../support/store-data.ts'

const jobIds = ['job-0', 'job-1', 'job-2', 'job-3', 'job-4']
const commits = 90

/** A directory whose first half is in a table and whose second half is in the log, closed. */
let whole: string
/** What can be read from it, as JSON. */
let expected: string

beforeAll(async () => {
  whole = await newDirectory()
  let store = levelStore(whole)
  await store.open()
  for (let n = 0; n < commits / 2; n += 1) await commitNumber(store, n)
  await store.close()
  store = levelStore(whole)
  await store.open()
  for (let n = commits / 2; n < commits; n += 1) await commitNumber(store, n)
  expected = join(await newDirectory(), 'expected.json')
  writeFileSync(expected, JSON.stringify(await contentsOf(store, jobIds)))
  expect(await all(store.verify())).toEqual([])
  await store.close()
})

afterAll(removeDirectories)

function filesOf(directory: string, pattern: RegExp): string[] {
  return readdirSync(join(directory, 'db')).filter((name) => pattern.test(name))
}

/** Opens directories in a child process, and starts another where LevelDB has aborted one. */
class Judge {
  #child: ChildProcess | undefined

  ask(directory: string): Promise<string> {
    this.#child ??= fork(join(import.meta.dirname, '../support/open-damaged.ts'), {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    const child = this.#child
    return new Promise((resolve) => {
      const onExit = (_code: number | null, signal: string | null) => {
        this.#child = undefined
        resolve(`aborted ${signal}`)
      }
      child.once('exit', onExit)
      child.once('message', (verdict) => {
        child.off('exit', onExit)
        resolve(String(verdict))
      })
      child.send({ directory, expected })
    })
  }

  end(): void {
    this.#child?.kill()
  }
}

describe('S6: a flipped bit is seen or does no harm', () => {
  const judge = new Judge()
  afterAll(() => judge.end())

  test.each([
    ['log', /\.log$/, 80, 11],
    ['table', /\.ldb$/, 120, 12],
    ['manifest', /^(MANIFEST|CURRENT)/, 10, 13],
  ] as const)('%s', async (_kind, pattern, trials, seed) => {
    const random = seededRandom(seed)
    const verdicts: string[] = []
    for (let trial = 0; trial < trials; trial += 1) {
      const copy = await copyOf(whole)
      const names = filesOf(copy, pattern)
      const path = join(copy, 'db', names[Math.floor(random.next() * names.length)] as string)
      const bytes = readFileSync(path)
      const at = Math.floor(random.next() * bytes.length)
      bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random.next() * 8))
      writeFileSync(path, bytes)
      verdicts.push(`${await judge.ask(copy)} (${path.split('/').at(-1)} byte ${at})`)
    }
    expect(verdicts.filter((verdict) => /^(served|threw)/.test(verdict))).toEqual([])
    // The trials must have hit something, or they would prove nothing.
    expect(verdicts.filter((verdict) => !verdict.startsWith('harmless')).length).toBeGreaterThan(trials / 4)
  })
})

describe('S1: after a crash there is a prefix of what was committed, without holes', () => {
  test('the log cut at many places', async () => {
    const directory = await newDirectory()
    const store = levelStore(directory)
    await store.open()
    for (let n = 0; n < commits; n += 1) await commitNumber(store, n)
    const crashed = await copyOf(directory)
    await store.close()
    const [name] = filesOf(crashed, /\.log$/) as [string]
    const bytes = readFileSync(join(crashed, 'db', name))
    const random = seededRandom(14)
    const heads: number[] = []
    for (let trial = 0; trial < 40; trial += 1) {
      const cut = trial === 0 ? bytes.length : Math.floor(random.next() * bytes.length)
      heads.push(await commitsAfterCut(crashed, name, bytes.subarray(0, cut)))
    }
    expect(heads[0]).toBe(commits)
    expect(new Set(heads).size).toBeGreaterThan(5)
  })

  test.each(['zeros', 'noise'] as const)('a tail of %s after the last write does no harm', async (kind) => {
    const copy = await copyOf(whole)
    const [name] = filesOf(copy, /\.log$/) as [string]
    const random = seededRandom(15)
    const tail = Buffer.from(
      Array.from({ length: 5000 }, () => (kind === 'zeros' ? 0 : Math.floor(random.next() * 256))),
    )
    const path = join(copy, 'db', name)
    writeFileSync(path, Buffer.concat([readFileSync(path), tail]))
    const store = levelStore(copy)
    await store.open()
    expect(JSON.parse(JSON.stringify(await contentsOf(store, jobIds)))).toEqual(
      JSON.parse(readFileSync(expected, 'utf8')),
    )
    await store.close()
  })

  /** How many commits are there after the cut; -1 where the store saw that acknowledged ones are missing. */
  async function commitsAfterCut(crashed: string, name: string, log: Buffer): Promise<number> {
    const copy = await copyOf(crashed)
    writeFileSync(join(copy, 'db', name), log)
    const store = levelStore(copy)
    const code = await codeOf(store.open())
    if (code !== 'fulfilled') {
      expect(code).toBe('STORE_CORRUPT')
      return -1
    }
    expect(await all(store.verify())).toEqual([])
    const rows = await all(store.list())
    const count = rows.reduce((sum, row) => sum + row.seq / 2, 0)
    for (const row of rows) {
      const job = Number(row.id.slice('job-'.length))
      expect([row.id, row.seq]).toEqual([row.id, 2 * Math.ceil((count - job) / jobIds.length)])
    }
    await store.close()
    return count
  }
})
