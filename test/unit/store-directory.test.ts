import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, describe, expect, test } from 'vitest'
import { seal } from '../../src/store/chain.ts'
import { levelStore } from '../../src/store/level-store.ts'
import type { JobStore } from '../../src/store/store.ts'
import { all, codeOf } from '../../src/testing/job-store-bench.ts'
import { commitNumber, copyOf, newDirectory, removeDirectories } from '../support/store-data.ts'

afterEach(removeDirectories)

/** A closed data directory with a history of `commits` commits. */
async function filled(commits = 20): Promise<string> {
  const directory = await newDirectory()
  const store = levelStore(directory)
  await store.open()
  for (let n = 0; n < commits; n += 1) await commitNumber(store, n)
  await store.close()
  return directory
}

async function refusal(directory: string): Promise<{ code: string; message: string; pid?: number }> {
  return levelStore(directory)
    .open()
    .then(
      () => expect.fail('The store has opened.'),
      (error) => error,
    )
}

async function reopened(directory: string): Promise<JobStore> {
  const store = levelStore(directory)
  await store.open()
  return store
}

describe('a directory that is not ours is left alone', () => {
  test('one that holds other things', async () => {
    const directory = await newDirectory()
    writeFileSync(join(directory, 'thesis.tex'), 'mine')
    expect(await refusal(directory)).toMatchObject({
      code: 'STORE_FORMAT',
      message: expect.stringContaining('thesis.tex'),
    })
    expect(readdirSync(directory)).toEqual(['thesis.tex'])
  })

  test('a file', async () => {
    const file = join(await newDirectory(), 'file')
    writeFileSync(file, 'mine')
    expect(await refusal(file)).toMatchObject({ code: 'STORE_FORMAT' })
    expect(await refusal(join(file, 'below'))).toMatchObject({ code: 'STORE_IO' })
  })

  test('a LevelDB that something else has written', async () => {
    const location = join(await newDirectory(), 'db')
    const other = new ClassicLevel(location)
    await other.put('key', 'value')
    expect(await codeOf(levelStore(other).open())).toBe('STORE_FORMAT')
    await other.open()
    expect(await other.keys().all()).toEqual(['key'])
    await other.close()
  })

  test('a database with other encodings', async () => {
    const other = new ClassicLevel<string, unknown>(join(await newDirectory(), 'db'), { valueEncoding: 'json' })
    expect(await codeOf(levelStore(other as unknown as ClassicLevel).open())).toBe('STORE_FORMAT')
    await other.close()
  })
})

describe('formats', () => {
  test('one of a newer major version, or of one that is no number, is refused, and nothing is written', async () => {
    const directory = await filled()
    const format = readFileSync(join(directory, 'FORMAT'), 'utf8')
    for (const major of ['3', '0', '"2"', 'null']) {
      writeFileSync(join(directory, 'FORMAT'), `{"aetheris":{"major":${major},"minor":0}}`)
      const before = filesIn(directory)
      expect(await refusal(directory)).toMatchObject({
        code: 'STORE_FORMAT',
        message: expect.stringContaining('knows the formats 1 to 2'),
      })
      expect(filesIn(directory)).toEqual(before)
    }
    writeFileSync(join(directory, 'FORMAT'), format)
    const level = new ClassicLevel(join(directory, 'db'))
    await level.put('m!format', seal('m!format', '{"major":3,"minor":0}'))
    await level.close()
    expect(await refusal(directory)).toMatchObject({
      code: 'STORE_FORMAT',
      message: expect.stringContaining('format 3'),
    })
  })

  test('a newer minor version is fine', async () => {
    const directory = await filled()
    writeFileSync(join(directory, 'FORMAT'), '{"aetheris":{"major":2,"minor":7}}')
    await (await reopened(directory)).close()
    expect(readFileSync(join(directory, 'FORMAT'), 'utf8')).toContain('"minor":7')
  })

  test.each([
    ['as it was written', true],
    ['where the upgrade was cut off before the file', false],
  ])('an older version is brought up to this one, %s', async (_case, alsoInside) => {
    const directory = await filled()
    writeFileSync(join(directory, 'FORMAT'), '{"aetheris":{"major":1,"minor":0}}')
    if (alsoInside) {
      const level = new ClassicLevel(join(directory, 'db'))
      await level.put('m!format', seal('m!format', '{"major":1,"minor":0}'))
      await level.close()
    }
    const store = await reopened(directory)
    expect((await all(store.read('job-0'))).flat()).not.toEqual([])
    expect(await all(store.verify())).toEqual([])
    await store.close()
    expect(readFileSync(join(directory, 'FORMAT'), 'utf8')).toContain('"major":2')
    const level = new ClassicLevel(join(directory, 'db'))
    expect(await level.get('m!format')).toContain('"major":2')
    await level.close()
  })
})

/** Every file with its content, but for LOCK: reading that would drop LevelDB's lock. */
function filesIn(directory: string): [string, string][] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => !name.endsWith('LOCK'))
  const files = names.filter((name) => statSync(join(directory, name)).isFile())
  return files.map((name) => [name, readFileSync(join(directory, name), 'base64')])
}

describe('lost data is noticed', () => {
  const damages: Record<string, (directory: string) => void> = {
    'CURRENT is missing': (directory) => rmSync(join(directory, 'db/CURRENT')),
    'the database is emptied': (directory) => {
      for (const name of readdirSync(join(directory, 'db'))) rmSync(join(directory, 'db', name))
    },
    'the database is missing': (directory) => rmSync(join(directory, 'db'), { recursive: true }),
    'the manifest is missing': (directory) => removeLast(directory, /^MANIFEST/),
    'the newest log is missing': (directory) => removeLast(directory, /\.log$/),
    'a table is missing': (directory) => removeLast(directory, /\.ldb$/),
    'the newest log is empty': (directory) => {
      const name = readdirSync(join(directory, 'db')).findLast((each) => each.endsWith('.log')) as string
      writeFileSync(join(directory, 'db', name), '')
    },
  }

  test.each(Object.keys(damages))('%s', async (name) => {
    const directory = await filled()
    const store = await reopened(directory)
    for (let n = 20; n < 30; n += 1) await commitNumber(store, n)
    await store.close()
    damages[name]?.(directory)
    expect(await refusal(directory)).toMatchObject({ code: 'STORE_CORRUPT' })
    // Nothing is made anew, so it is the same the next time.
    expect(await refusal(directory)).toMatchObject({ code: 'STORE_CORRUPT' })
  })

  test('an older copy was put back', async () => {
    const directory = await filled()
    const old = await copyOf(directory)
    const store = await reopened(directory)
    await commitNumber(store, 20)
    await store.close()
    rmSync(join(directory, 'db'), { recursive: true })
    cpSync(join(old, 'db'), join(directory, 'db'), { recursive: true })
    expect(await refusal(directory)).toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining('acknowledged'),
    })
  })

  test('another history of the same length was put in its place', async () => {
    const [directory, other] = [await filled(20), await filled(20)]
    const store = await reopened(other)
    await commitNumber(store, 21, 7)
    await store.close()
    const again = await reopened(directory)
    await commitNumber(again, 20)
    await again.close()
    rmSync(join(directory, 'db'), { recursive: true })
    cpSync(join(other, 'db'), join(directory, 'db'), { recursive: true })
    expect(await refusal(directory)).toMatchObject({ code: 'STORE_CORRUPT' })
  })

  test('a hole in the log is remembered, though LevelDB reports it only once', async () => {
    const directory = await newDirectory()
    const store = await reopened(directory)
    for (let n = 0; n < 200; n += 1) await commitNumber(store, n)
    await store.close()
    const name = readdirSync(join(directory, 'db')).find((each) => each.endsWith('.log')) as string
    const bytes = readFileSync(join(directory, 'db', name))
    bytes[40_000] = (bytes[40_000] as number) ^ 1
    writeFileSync(join(directory, 'db', name), bytes)
    expect(await refusal(directory)).toMatchObject({ code: 'STORE_CORRUPT' })
    expect(await refusal(directory)).toMatchObject({ code: 'STORE_CORRUPT' })
    expect(existsSync(join(directory, 'db/DAMAGED'))).toBe(true)
  })

  function removeLast(directory: string, pattern: RegExp): void {
    const name = readdirSync(join(directory, 'db')).findLast((each) => pattern.test(each)) as string
    rmSync(join(directory, 'db', name))
  }
})

describe('the watermark', () => {
  test('a torn last line does not count', async () => {
    const directory = await filled()
    appendFileSync(join(directory, 'WATERMARK'), '12ab 99 tor')
    const store = await reopened(directory)
    expect(await all(store.verify())).toEqual([])
    await store.close()
  })

  test('without it the store opens and says so; then it is there again', async () => {
    const directory = await filled()
    rmSync(join(directory, 'WATERMARK'))
    const store = levelStore(directory)
    expect((await store.open()).problems).toMatchObject([{ kind: 'watermark' }])
    await store.close()
    expect((await store.open()).problems).toEqual([])
    await store.close()
  })

  test('it names the last commit after closing, and grows while open', async () => {
    const directory = await newDirectory()
    const store = await reopened(directory)
    const lines = () => readFileSync(join(directory, 'WATERMARK'), 'utf8').trim().split('\n')
    const before = lines().length
    for (let n = 0; n < 200; n += 1) await commitNumber(store, n)
    await store.close()
    expect(lines().length).toBeGreaterThan(before + 2)
  })
})

describe('the first opening', () => {
  test('a directory of its own, for its owner only', async () => {
    const directory = join(await newDirectory(), 'a/b')
    const store = await reopened(directory)
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    expect(readFileSync(join(directory, 'OWNER'), 'utf8')).toBe(`${process.pid}\n`)
    await store.close()
    expect(readdirSync(directory).sort()).toEqual(['FORMAT', 'WATERMARK', 'db'])
  })

  test('cut off while the database was made, it begins again', async () => {
    const directory = await newDirectory()
    mkdirSync(join(directory, 'new'))
    writeFileSync(join(directory, 'new/CURRENT'), 'MANIFEST-000001\n')
    const store = await reopened(directory)
    await commitNumber(store, 0)
    await store.close()
    expect(existsSync(join(directory, 'new'))).toBe(false)
  })

  test('cut off before the marker was written, it goes on with the database', async () => {
    const directory = await filled(0)
    rmSync(join(directory, 'FORMAT'))
    rmSync(join(directory, 'WATERMARK'))
    const store = levelStore(directory)
    expect((await store.open()).problems).toEqual([])
    await commitNumber(store, 0)
    await store.close()
    expect(existsSync(join(directory, 'FORMAT'))).toBe(true)
  })
})

describe('one process at a time', () => {
  test('a second store in the same process is refused', async () => {
    const directory = await newDirectory()
    const store = await reopened(directory)
    expect(await refusal(directory)).toMatchObject({ code: 'STORE_LOCKED', pid: process.pid })
    await store.close()
    await (await reopened(directory)).close()
  })

  test('a second process is refused with the pid of the first, also when LevelDB has lost its lock', async () => {
    const directory = await newDirectory()
    const holder = await holderOf(directory)
    expect(await refusal(directory)).toMatchObject({ code: 'STORE_LOCKED', pid: holder.pid })
    // Removing LOCK lets LevelDB alone open the directory a second time.
    renameSync(join(directory, 'db/LOCK'), join(directory, 'LOCK.gone'))
    if (process.platform === 'linux')
      expect(await refusal(directory)).toMatchObject({ code: 'STORE_LOCKED', pid: holder.pid })
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const store = await reopened(directory)
    expect((await store.get('job-0'))?.seq).toBe(2)
    await store.close()
  })

  test('LevelDB alone holds the lock where the second one cannot see the other', async () => {
    const directory = await filled()
    const level = new ClassicLevel(join(directory, 'db'))
    await level.open()
    expect(await refusal(directory)).toMatchObject({ code: 'STORE_LOCKED' })
    await level.close()
    await (await reopened(directory)).close()
  })
})

/** A process that has the directory open and one commit in it. */
async function holderOf(directory: string) {
  const script = `
    const { levelStore } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/store/level-store.ts'))})
    const { commitNumber } = await import(${JSON.stringify(join(import.meta.dirname, '../support/store-data.ts'))})
    const store = levelStore(process.argv[1])
    await store.open()
    await commitNumber(store, 0)
    console.log('open')
    process.stdin.resume()
  `
  const holder = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  return holder
}
