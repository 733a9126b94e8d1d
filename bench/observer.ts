import { figure, measure, pick, repeat, type Size, single, type Workload } from './helpers.ts'
import { runMany, withLevel } from './run.ts'

/** What it costs that somebody watches every step. */
export const observer: Workload = {
  name: 'observer',
  about: 'W8: 500 jobs of 10 steps, 64 at a time, with an `inspect` option over the same without',
  async run(size: Size) {
    const jobs = pick(size, { tiny: 2, normal: 500 })
    let seen = 0
    const runs = await repeat(pick(size, { tiny: 1, normal: 6 }), async () => ({
      without: await withLevel((runtime) => measure(() => runMany(runtime, jobs, 64))),
      watched: await withLevel((runtime) => measure(() => runMany(runtime, jobs, 64)), {
        inspect: () => {
          seen += 1
        },
      }),
    }))
    const warm = runs.length > 1 ? runs.slice(1) : runs
    return [
      figure('CPU with an observer over without', 'x', warm, ({ watched, without }) => watched.cpuMs / without.cpuMs),
      single('inspection events a job', '', seen / (jobs * runs.length)),
    ]
  },
}
