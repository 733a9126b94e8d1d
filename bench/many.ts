import {
  bytesIn,
  type Figure,
  figure,
  inDirectory,
  measure,
  pick,
  repeat,
  type Size,
  single,
  type Workload,
} from './helpers.ts'
import { RawLevel } from './raw.ts'
import { recordBatches, runMany, withLevel } from './run.ts'

/** Many jobs at a time: what matters is how many steps a second, and what one costs. */

const steps = 10

/** What we aim at, for the busiest of them. */
const aims = { share: '>= 0.33', rate: '>= 10,000', cpu: '<= 1.2' }

async function sideBySide(jobs: number, concurrency: number, times: number): Promise<Figure[]> {
  const batches = await recordBatches((runtime) => runMany(runtime, jobs, concurrency))
  const runs = await repeat(times, async () => ({
    ours: await withLevel(async (runtime, directory) => {
      const reading = await measure(() => runMany(runtime, jobs, concurrency))
      await runtime.close()
      return { ...reading, bytes: await bytesIn(directory) }
    }),
    rawMs: await inDirectory(async (directory) => {
      const raw = new RawLevel(directory)
      await raw.open()
      const { wallMs } = await measure(() => raw.writeAll(batches))
      await raw.close()
      return wallMs
    }),
  }))
  const what = `${concurrency} at a time`
  const { share, rate, cpu } = concurrency === 200 ? aims : ({} as Partial<typeof aims>)
  return [
    figure(`${what}: share of raw LevelDB`, 'x', runs, ({ ours, rawMs }) => rawMs / ours.wallMs, share),
    figure(`${what}: steps`, '/s', runs, ({ ours }) => (jobs * steps * 1000) / ours.wallMs, rate),
    figure(`${what}: CPU a job`, 'ms', runs, ({ ours }) => ours.cpuMs / jobs, cpu),
    figure(`${what}: bytes on disk a job`, 'bytes', runs, ({ ours }) => ours.bytes / jobs),
    single(`${what}: steps a sync`, '', (jobs * steps) / batches.length),
  ]
}

export const many: Workload = {
  name: 'many',
  about: 'W2: jobs of 10 steps, 1, 64 and 200 at a time, over raw LevelDB',
  async run(size: Size) {
    const times = pick(size, { tiny: 1, normal: 3 })
    const plans = pick(size, {
      tiny: [[4, 2]],
      normal: [
        [100, 1],
        [500, 64],
        [2_000, 200],
      ],
      large: [
        [100, 1],
        [500, 64],
        [2_000, 200],
        [10_000, 10_000],
      ],
    }) as [jobs: number, concurrency: number][]
    const all = await repeat(plans.length, (index) => sideBySide(...(plans[index] as [number, number]), times))
    return all.flat()
  },
}
