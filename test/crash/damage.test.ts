import type { ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { all, codeOf } from '../../src/testing/job-store-bench.ts'
import { forked } from '../support/child.ts'
import { recordEnds } from '../support/level-log.ts'
import { commitNumber, contentsOf, copyOf, fastFolder, newDirectory, removeDirectories } from '../support/store-data.ts'
import { isThorough, some } from '../support/thorough.ts'

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
  readonly #script: 'open-damaged' | 'open-blind'

  constructor(script: 'open-damaged' | 'open-blind') {
    this.#script = script
  }

  ask(directory: string): Promise<string> {
    this.#child ??= forked(this.#script)
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

/** What becomes of copies in which one bit of a file is flipped, each another one. */
async function verdictsOf(judge: Judge, pattern: RegExp, trials: number, seed: number): Promise<string[]> {
  const random = seededRandom(seed)
  const verdicts: string[] = []
  for (let trial = 0; trial < trials; trial += 1) {
    const copy = await copyOf(whole, fastFolder)
    const names = filesOf(copy, pattern)
    const path = join(copy, 'db', names[Math.floor(random.next() * names.length)] as string)
    const bytes = readFileSync(path)
    const at = Math.floor(random.next() * bytes.length)
    bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random.next() * 8))
    writeFileSync(path, bytes)
    verdicts.push(`${await judge.ask(copy)} (${path.split('/').at(-1)} byte ${at})`)
    rmSync(copy, { recursive: true })
  }
  return verdicts
}

describe('S6: a flipped bit is seen or does no harm', () => {
  const judge = new Judge('open-damaged')
  const blind = new Judge('open-blind')
  afterAll(() => {
    judge.end()
    blind.end()
  })

  test.each([
    ['log', /\.log$/, 300, 11],
    ['table', /\.ldb$/, 700, 12],
    ['manifest', /^(MANIFEST|CURRENT)/, 100, 13],
  ] as const)('%s', async (kind, pattern, few, seed) => {
    const trials = isThorough ? 10 * few : few
    const verdicts = await verdictsOf(judge, pattern, trials, seed)
    console.info(`${kind}: ${tally(verdicts)}`)
    expect(verdicts.filter((verdict) => /^(served|threw)/.test(verdict))).toEqual([])
    // The trials must have hit something, or they would prove nothing.
    expect(verdicts.filter((verdict) => !verdict.startsWith('harmless')).length).toBeGreaterThan(trials / 4)
  })

  test('with the checks of hashes and checksums switched off, damage is served', async () => {
    const verdicts = await verdictsOf(blind, /\.ldb$/, 150, 12)
    expect(verdicts.filter((verdict) => verdict.startsWith('served')).length).toBeGreaterThan(3)
  })
})

/** How often each verdict came. */
function tally(verdicts: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const [kind = ''] of verdicts.map((verdict) => verdict.split(' '))) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')
}

describe('S1: after a crash there is a prefix of what was committed, without holes', () => {
  const few = 12

  test('the log cut at any byte', async () => {
    const directory = await newDirectory(fastFolder)
    const store = levelStore(directory)
    await store.open()
    // The first line: with later ones the store would see that acknowledged commits are missing, and refuse.
    const watermark = readFileSync(join(directory, 'WATERMARK'))
    for (let n = 0; n < few; n += 1) await commitNumber(store, n)
    const crashed = await copyOf(directory, fastFolder)
    await store.close()
    writeFileSync(join(crashed, 'WATERMARK'), watermark)
    const [name] = filesOf(crashed, /\.log$/) as [string]
    const log = readFileSync(join(crashed, 'db', name))
    const ends = recordEnds(log)
    const around = new Set(ends.flatMap((end) => [end - 1, end, end + 1]).filter((at) => at <= log.length))
    const elsewhere = Array.from({ length: log.length }, (_, at) => at).filter((at) => !around.has(at))
    const found = new Map<number, number>()
    for (const cut of [...around, ...some(elsewhere, 40)].sort((a, b) => a - b)) {
      const records = ends.filter((end) => end <= cut).length
      const commits = await commitsAfterCut(crashed, name, log.subarray(0, cut))
      // Whatever is there of a record that was cut, it counts for nothing; and no whole one before it is lost.
      expect([cut, commits]).toEqual([cut, found.get(records) ?? commits])
      found.set(records, commits)
    }
    const counts = [...found.values()]
    expect(counts).toEqual(counts.toSorted((a, b) => a - b))
    expect(new Set(counts)).toEqual(new Set(Array.from({ length: few + 1 }, (_, count) => count)))
  })

  test('what was witnessed and is cut off is missed', async () => {
    const copy = await copyOf(whole, fastFolder)
    const [name] = filesOf(copy, /\.log$/) as [string]
    const path = join(copy, 'db', name)
    const log = readFileSync(path)
    writeFileSync(path, log.subarray(0, recordEnds(log).at(-2)))
    expect(await codeOf(levelStore(copy).open())).toBe('STORE_CORRUPT')
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

  /** How many commits are there when the log is cut. */
  async function commitsAfterCut(crashed: string, name: string, log: Buffer): Promise<number> {
    const copy = await copyOf(crashed, fastFolder)
    writeFileSync(join(copy, 'db', name), log)
    const store = levelStore(copy)
    await store.open()
    expect(await all(store.verify())).toEqual([])
    const rows = await all(store.list())
    const count = rows.reduce((sum, row) => sum + row.seq / 2, 0)
    for (const row of rows) {
      const job = Number(row.id.slice('job-'.length))
      expect([row.id, row.seq]).toEqual([row.id, 2 * Math.ceil((count - job) / jobIds.length)])
    }
    await store.close()
    rmSync(copy, { recursive: true })
    return count
  }
})
