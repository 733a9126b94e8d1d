import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, describe, expect, test } from 'vitest'
import { levelStore } from '../../src/store/level-store.ts'
import { all } from '../../src/testing/job-store-bench.ts'
import { childFile, forked } from '../support/child.ts'
import { checkAfter } from '../support/crash-check.ts'
import { inDirectory } from '../support/crash-run.ts'
import { canRecord } from '../support/disk-record.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

/** Disks that really are full, or fail: nothing acknowledged is lost, it is said, and work goes on when there is room. */

afterAll(removeDirectories)

const has = (command: string, ...words: string[]) => spawnSync(command, words).status === 0
const commits = 150

/** What a child says on stdout, as it comes. */
class Said {
  readonly acked = new Set<number>()
  readonly refused: string[] = []
  private onLine = () => {}
  readonly end: Promise<unknown>

  constructor(child: ChildProcess) {
    this.end = once(child, 'close')
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const [kind, what = ''] = line.split(' ')
      if (kind === 'acked') this.acked.add(Number(what))
      else this.refused.push(what)
      this.onLine()
    })
  }

  /** Resolves when `test` holds. @throws where the child ends before. */
  async until(test: () => boolean): Promise<void> {
    const holds = new Promise<true>((resolve) => {
      this.onLine = () => test() && resolve(true)
      this.onLine()
    })
    if ((await Promise.race([holds, this.end])) !== true) throw new Error('The child has ended too early.')
  }
}

/** Lets a child work in `directory`, takes its disk away three times for a while, and kills it. */
async function struck(script: 'full-child' | 'full-careless', directory: string): Promise<Said> {
  const child = spawn(process.execPath, [childFile(script), directory, '1000000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = new Said(child)
  try {
    const limit = (bytes: string) => execFileSync('prlimit', ['--pid', String(child.pid), `--fsize=${bytes}:unlimited`])
    for (const until of [20, 60, 100]) {
      await said.until(() => said.acked.size > until)
      limit('1')
      const before = said.refused.length
      await said.until(() => said.refused.length > before + 20)
      limit('unlimited')
    }
    await said.until(() => said.acked.size > commits)
    return said
  } finally {
    child.kill('SIGKILL')
    await said.end
  }
}

async function expectAll(directory: string, { acked }: Said): Promise<void> {
  const store = levelStore(directory)
  await store.open()
  try {
    expect(await all(store.verify())).toEqual([])
    for (const n of acked)
      expect((await store.get(`job-${n % 5}`))?.seq).toBeGreaterThanOrEqual(2 * Math.floor(n / 5) + 2)
  } finally {
    await store.close()
  }
}

describe.runIf(has('prlimit', '--version'))('no file may grow, then they may again, then the process is killed', () => {
  test('nothing acknowledged is lost', async () => {
    const directory = await newDirectory()
    const said = await struck('full-child', directory)
    expect(new Set(said.refused)).toEqual(new Set(['COMMIT_UNKNOWN', 'STORE_FAILED']))
    await expectAll(directory, said)
  })

  test('that this bites: a store that goes on with its database loses what it acknowledges', async () => {
    const directory = await newDirectory()
    const said = await struck('full-careless', directory)
    await expect(expectAll(directory, said)).rejects.toThrow()
  })
})

test.runIf(canRecord)('a sync that fails', async () => {
  const directory = await newDirectory()
  const failing = ['-f', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', 'inject=fdatasync:error=EIO:when=7+9']
  const child = spawn('strace', [...failing, process.execPath, childFile('full-child'), directory, String(commits)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = new Said(child)
  expect(await once(child, 'close')).toEqual([0, null])
  expect(said.acked.size).toBe(commits)
  expect(said.refused.filter((code) => code === 'COMMIT_UNKNOWN').length).toBeGreaterThan(2)
  await expectAll(directory, said)
})

const canMount = process.getuid?.() === 0 && has('unshare', '--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt')

test.runIf(canMount)('a small file system fills up under jobs of every kind, and is made larger', async () => {
  await inDirectory(async (directory) => {
    const disk = join(directory, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk])
    const child = forked('full-life-child')
    try {
      mkdirSync(join(disk, 'data'))
      symlinkSync(join(disk, 'data'), join(directory, 'data'))
      const problems: string[] = []
      child.send({ directory })
      child.on('message', (code: string) => {
        problems.push(code)
        if (problems.length === 3) execFileSync('mount', ['-o', 'remount,size=8m', disk])
      })
      expect(await once(child, 'exit')).toEqual([0, null])
      expect(new Set(problems)).toEqual(new Set(['COMMIT_UNKNOWN', 'STORE_FAILED']))
      expect(await checkAfter({ directory })).toEqual([])
    } finally {
      child.kill('SIGKILL')
      execFileSync('umount', [disk])
    }
  })
})
