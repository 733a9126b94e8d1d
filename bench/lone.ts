import type { Runtime } from 'aetheris'
import {
  type Figure,
  figure,
  inDirectory,
  measure,
  median,
  pick,
  quantile,
  repeat,
  type Size,
  single,
  type Workload,
} from './helpers.ts'
import { type Batch, RawLevel } from './raw.ts'
import { recordBatches, runChain, runFan, withLevel } from './run.ts'

/** One job at a time: what matters is how long it takes, and the least is the syncs of its commits. */

/** The batches that one job writes. */
async function batchesOf(run: (runtime: Runtime) => Promise<void>): Promise<Batch[]> {
  return recordBatches(async (runtime, take) => {
    await run(runtime)
    take()
    await run(runtime)
  })
}

async function alone(
  what: string,
  run: (runtime: Runtime) => Promise<void>,
  jobs: number,
  times: number,
  aim?: string,
): Promise<Figure[]> {
  const batches = await batchesOf(run)
  const runs = await withLevel(async (runtime) => {
    await repeat(Math.ceil(jobs / 2), () => run(runtime))
    return repeat(times, () =>
      inDirectory(async (directory) => {
        const raw = new RawLevel(directory)
        await raw.open()
        // One by one in turn, so that both meet the same machine.
        const pairs = await repeat(jobs, async () => ({
          ours: await measure(() => run(runtime)),
          raw: await measure(() => raw.writeAll(batches)),
        }))
        await raw.close()
        return { ours: pairs.map(({ ours }) => ours), raw: pairs.map(({ raw }) => raw.wallMs) }
      }),
    )
  })
  const wall = (run: (typeof runs)[number]) => run.ours.map(({ wallMs }) => wallMs)
  return [
    figure(`${what}: p50 over raw syncs`, 'x', runs, (run) => median(wall(run)) / median(run.raw), aim),
    figure(`${what}: p50`, 'ms', runs, (run) => median(wall(run))),
    figure(`${what}: p99`, 'ms', runs, (run) => quantile(wall(run), 0.99)),
    figure(`${what}: raw p50`, 'ms', runs, (run) => median(run.raw)),
    figure(`${what}: CPU a job`, 'ms', runs, ({ ours }) => median(ours.map(({ cpuMs }) => cpuMs))),
    single(`${what}: syncs a job`, '', batches.length),
  ]
}

export const lone: Workload = {
  name: 'lone',
  about: 'W1: one job of 10 steps in a row at a time, over the raw syncs of its commits',
  run: (size: Size) =>
    alone(
      '10 steps',
      (runtime) => runChain(runtime),
      pick(size, { tiny: 2, normal: 150 }),
      pick(size, { tiny: 1, normal: 3 }),
      '<= 1.5',
    ),
}

export const fanned: Workload = {
  name: 'fan',
  about: 'W3: one job of 100 steps at once, joined, over the raw syncs of its commits',
  run: (size: Size) =>
    alone(
      '100 at once',
      (runtime) => runFan(runtime, pick(size, { tiny: 3, normal: 100 })),
      pick(size, { tiny: 2, normal: 30 }),
      pick(size, { tiny: 1, normal: 3 }),
    ),
}
