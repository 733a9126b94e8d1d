import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Figure, figure, inDirectory, pick, type Reading, repeat, type Size, type Workload } from './helpers.ts'

/** Jobs split over processes, each with a store of its own: how more cores are used, as one process has one thread. */

const child = join(import.meta.dirname, 'shards-child.ts')

/** Runs `jobs` jobs in each of `count` processes, at the same time. */
function together(count: number, jobs: number): Promise<Reading[]> {
  return inDirectory(async (directory) => {
    const shards = await Promise.all(
      Array.from({ length: count }, (_, index) => start(join(directory, `${index}`), jobs)),
    )
    return Promise.all(shards.map(({ go }) => go()))
  })
}

/** A process that is warm and waits. */
async function start(directory: string, jobs: number): Promise<{ go(): Promise<Reading> }> {
  const args = ['--import', 'tsx', child, directory, String(jobs)]
  const shard = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(shard.stdout)[Symbol.asyncIterator]()
  await lineOf(shard, lines)
  return {
    async go() {
      const ended = once(shard, 'close')
      shard.stdin.write('go\n')
      const reading = JSON.parse(await lineOf(shard, lines)) as Reading
      await ended
      return reading
    },
  }
}

async function lineOf({ exitCode }: ChildProcess, lines: AsyncIterator<string>): Promise<string> {
  const { value, done } = await lines.next()
  if (done) throw new Error(`A process of the benchmark failed (exit ${exitCode}); see above.`)
  return value
}

export const shards: Workload = {
  name: 'shards',
  about: 'jobs of 10 steps, 200 at a time in each process, in one process and in one for each core',
  async run(size: Size): Promise<Figure[]> {
    const jobs = pick(size, { tiny: 4, normal: 2_000 })
    const count = Math.max(2, availableParallelism())
    const runs = await repeat(pick(size, { tiny: 1, normal: 3 }), async () => ({
      one: await together(1, jobs),
      all: await together(count, jobs),
    }))
    const rate = (readings: Reading[]) =>
      (readings.length * jobs * 10 * 1000) / Math.max(...readings.map(({ wallMs }) => wallMs))
    const cpu = (readings: Reading[]) => readings.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / (readings.length * jobs)
    return [
      figure('1 process: steps', '/s', runs, ({ one }) => rate(one)),
      figure(`${count} processes: steps`, '/s', runs, ({ all }) => rate(all)),
      figure(`${count} processes: over one`, 'x', runs, ({ one, all }) => rate(all) / rate(one)),
      figure(`${count} processes: CPU a job`, 'ms', runs, ({ all }) => cpu(all)),
    ]
  },
}
