import { openRuntime, type Runtime } from 'aetheris'
import { memoryStore } from 'aetheris/testing'
import { chain, fan } from './agents.ts'
import { type Figure, figure, measure, median, pick, repeat, type Size, type Workload } from './helpers.ts'

/** What the size of a plan costs: to make it, to start a job on it, and at each step. In memory, so CPU only. */

const shapes = {
  deep: (runtime: Runtime, nodes: number, first: number) => runtime.spawn(chain, { steps: nodes, first }),
  wide: (runtime: Runtime, nodes: number, first: number) => runtime.spawn(fan, { width: nodes, first }),
}

/** Makes each plan another one. */
let plansMade = 0

const open = (options: { maxJobs: number }): Promise<Runtime> =>
  openRuntime({ store: memoryStore(), agents: [chain, fan], maxEffects: 1_000_000, ...options })

async function costs(shape: keyof typeof shapes, nodes: number, jobs: number) {
  const spawn = (runtime: Runtime, first: number) => shapes[shape](runtime, nodes, first)
  // Without room for a job nothing is run, and only the start is measured.
  const still = await open({ maxJobs: 0 })
  const runs = await repeat(jobs, async () => {
    plansMade += 1
    return { fresh: await measure(() => spawn(still, plansMade)), known: await measure(() => spawn(still, plansMade)) }
  })
  await still.close()
  const runtime = await open({ maxJobs: 1_000 })
  const steps = await repeat(jobs, async () => {
    const job = await spawn(runtime, plansMade)
    return measure(() => job.result())
  })
  await runtime.close()
  return {
    freshMs: median(runs.map(({ fresh }) => fresh.cpuMs)),
    knownMs: median(runs.map(({ known }) => known.cpuMs)),
    stepMs: median(steps.map(({ cpuMs }) => cpuMs)) / nodes,
  }
}

export const plans: Workload = {
  name: 'plans',
  about: 'W7: plans of 10, 100 and 1,000 nodes, deep and wide: CPU to start a job, and of a step',
  async run(size: Size): Promise<Figure[]> {
    const sizes = pick(size, { tiny: [2, 3], normal: [10, 100, 1_000], large: [10, 100, 1_000, 5_000] })
    const times = pick(size, { tiny: 1, normal: 3 })
    const jobsOf = (nodes: number) => pick(size, { tiny: 1, normal: Math.max(3, Math.round(2_000 / nodes)) })
    const figures: Figure[] = []
    for (const shape of ['deep', 'wide'] as const) {
      await costs(shape, sizes[0] as number, jobsOf(10))
      let small = 0
      for (const nodes of sizes) {
        const runs = await repeat(times, () => costs(shape, nodes, jobsOf(nodes)))
        const what = `${nodes.toLocaleString('en')} ${shape}`
        figures.push(
          figure(`${what}: start, plan known`, 'ms', runs, ({ knownMs }) => knownMs),
          figure(`${what}: start, plan new`, 'ms', runs, ({ freshMs }) => freshMs),
          figure(`${what}: CPU a step`, 'ms', runs, ({ stepMs }) => stepMs),
        )
        if (nodes === sizes[0]) small = median(runs.map(({ stepMs }) => stepMs))
        else
          figures.push(
            figure(
              `${what}: step over that of ${sizes[0]}`,
              'x',
              runs,
              ({ stepMs }) => stepMs / small,
              nodes === 1_000 ? '<= 5' : undefined,
            ),
          )
      }
    }
    return figures
  },
}
