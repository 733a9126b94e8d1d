import type { Runtime } from 'aetheris'
import { chain } from './agents.ts'
import { type Figure, measure, pick, pool, type Reading, type Size, single, type Workload } from './helpers.ts'
import { runMany, withLevel } from './run.ts'

/** How speed and cost change with the number of jobs under way at a time, from one to ten thousand. */

const steps = 10
/** More at once would be refused: see STORE_BUSY. */
const submittedAtOnce = 500

/** Keeps `concurrency` jobs under way until `jobs` have ended. */
function run(runtime: Runtime, jobs: number, concurrency: number): Promise<void> {
  return concurrency <= submittedAtOnce ? runMany(runtime, jobs, concurrency) : runAll(runtime, jobs)
}

/** All of them under way, as soon as they can be submitted. */
async function runAll(runtime: Runtime, jobs: number): Promise<void> {
  const results: Promise<unknown>[] = []
  await pool(jobs, submittedAtOnce, async () => {
    const job = await runtime.spawn(chain, { steps })
    results.push(job.result())
  })
  await Promise.all(results)
}

async function at(jobs: number, concurrency: number): Promise<Reading & { rss: number }> {
  return withLevel(async (runtime) => {
    await runMany(runtime, Math.min(jobs, 500), Math.min(concurrency, submittedAtOnce))
    const reading = await measure(() => run(runtime, jobs, concurrency))
    return { ...reading, rss: process.memoryUsage.rss() }
  })
}

export const curve: Workload = {
  name: 'curve',
  about: 'jobs of 10 steps, 1 to 10,000 at a time: steps a second, CPU a job, memory of the process',
  isExtra: true,
  async run(size: Size): Promise<Figure[]> {
    const points = pick(size, {
      tiny: [[2, 2]],
      normal: [
        [300, 1],
        [1_000, 10],
        [2_000, 100],
        [4_000, 1_000],
        [10_000, 10_000],
      ],
    }) as [jobs: number, concurrency: number][]
    const figures: Figure[] = []
    for (const [jobs, concurrency] of points) {
      const { wallMs, cpuMs, rss } = await at(jobs, concurrency)
      const what = `${concurrency.toLocaleString('en')} at a time`
      figures.push(
        single(`${what}: steps`, '/s', (jobs * steps * 1000) / wallMs),
        single(`${what}: CPU a job`, 'ms', cpuMs / jobs),
        single(`${what}: memory of the process`, 'MB', rss / 1e6),
      )
    }
    return figures
  },
}
