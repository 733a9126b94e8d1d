import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, test } from 'vitest'
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
  readonly refused = new Map<string, number>()
  private onLine = () => {}

  constructor(child: ChildProcess) {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const [kind, what = ''] = line.split(' ')
      if (kind === 'acked') this.acked.add(Number(what))
      else this.refused.set(what, (this.refused.get(what) ?? 0) + 1)
      this.onLine()
    })
  }

  /** Resolves when `test` holds; rejects where the child ends before. */
  until(test: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.onLine = () => test() && resolve()
      this.onLine()
    })
  }
}

async function expectAll(directory: string, { acked }: Said): Promise<void> {
  const store = levelStore(directory)
  await store.open()
  expect(await all(store.verify())).toEqual([])
  for (const n of acked)
    expect((await store.get(`job-${n % 5}`))?.seq).toBeGreaterThanOrEqual(2 * Math.floor(n / 5) + 2)
  await store.close()
}

test.runIf(has('prlimit', '--version'))(
  'no file may grow, then they may again, then the process is killed',
  async () => {
    const directory = await newDirectory()
    const child = spawn(process.execPath, [childFile('full-child'), directory, '1000000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const said = new Said(child)
    const limit = (bytes: string) => execFileSync('prlimit', ['--pid', String(child.pid), `--fsize=${bytes}:unlimited`])
    for (const until of [20, 60, 100]) {
      await said.until(() => said.acked.size > until)
      limit('1')
      const before = said.refused.get('STORE_FAILED') ?? 0
      await said.until(() => (said.refused.get('STORE_FAILED') ?? 0) > before + 10)
      limit('unlimited')
    }
    await said.until(() => said.acked.size > commits)
    child.kill('SIGKILL')
    await once(child, 'close')
    expect([...said.refused.keys()].sort()).toEqual(['COMMIT_UNKNOWN', 'STORE_FAILED'])
    await expectAll(directory, said)
  },
)

test.runIf(canRecord)('a sync that fails', async () => {
  const directory = await newDirectory()
  const failing = ['-f', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', 'inject=fdatasync:error=EIO:when=7+9']
  const child = spawn('strace', [...failing, process.execPath, childFile('full-child'), directory, String(commits)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = new Said(child)
  expect(await once(child, 'close')).toEqual([0, null])
  expect(said.acked.size).toBe(commits)
  expect(said.refused.get('COMMIT_UNKNOWN')).toBeGreaterThan(2)
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
