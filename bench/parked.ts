import type { Runtime } from 'aetheris'
import { parked as afterStep, go, waiting } from './agents.ts'
import {
  bytesIn,
  type Figure,
  figure,
  heapBytes,
  inDirectory,
  measure,
  pick,
  pool,
  repeat,
  type Size,
  type Workload,
} from './helpers.ts'
import { openLevel } from './run.ts'

/** Jobs that wait for somebody, which is what most jobs of agents do most of the time. */

const concurrency = 200

type Agent = typeof afterStep | typeof waiting

async function park(runtime: Runtime, agent: Agent, jobs: number): Promise<void> {
  await pool(jobs, concurrency, async (index) => {
    const job = await runtime.spawn(agent, {}, { id: `parked-${index}` })
    await job.waitFor((snapshot) => snapshot.matches('go.waiting'))
  })
}

async function wake(runtime: Runtime, jobs: number): Promise<void> {
  await pool(jobs, concurrency, async (index) => {
    const job = await runtime.job(`parked-${index}`)
    await job.signal(go, { by: 'bench' })
    await job.result()
  })
}

async function once(agent: Agent, jobs: number) {
  return inDirectory(async (directory) => {
    const first = await openLevel(directory)
    const before = heapBytes()
    const parking = await measure(() => park(first, agent, jobs))
    // Handles and promises of the last turn are let go before counting.
    await new Promise((resolve) => setTimeout(resolve, 50))
    // A few jobs weigh less than what is collected meanwhile.
    const heap = Math.max(0, heapBytes() - before) / jobs
    await first.close()
    const disk = (await bytesIn(directory)) / jobs
    let runtime: Runtime | undefined
    const opening = await measure(async () => {
      runtime = await openLevel(directory)
    })
    const second = runtime as Runtime
    const waking = await measure(() => wake(second, jobs))
    await second.close()
    return { heap, disk, parking, opening, waking }
  })
}

export const parked: Workload = {
  name: 'parked',
  about: 'W5: jobs that wait for a signal: heap and disk of each, time to reopen, time to wake all',
  async run(size: Size): Promise<Figure[]> {
    const jobs = pick(size, { tiny: 5, normal: 2_000, large: 100_000 })
    return [
      ...(await figuresOf(size, afterStep, pick(size, { tiny: 5, normal: 2_000 }), 'after a step')),
      ...(await figuresOf(size, waiting, jobs, 'that only wait')),
    ]
  },
}

async function figuresOf(size: Size, agent: Agent, jobs: number, kind: string): Promise<Figure[]> {
  const isLong = jobs > 10_000
  const runs = await repeat(pick(size, { tiny: 1, normal: isLong ? 1 : 3 }), () => once(agent, jobs))
  const what = `${jobs.toLocaleString('en')} ${kind}`
  return [
    figure(`${what}: heap each`, 'bytes', runs, ({ heap }) => heap, '<= 1,024'),
    figure(`${what}: disk each`, 'bytes', runs, ({ disk }) => disk),
    figure(`${what}: reopen`, 'ms', runs, ({ opening }) => opening.wallMs, '<= 1,000 for 100,000'),
    figure(`${what}: CPU to park one`, 'ms', runs, ({ parking }) => parking.cpuMs / jobs),
    figure(`${what}: CPU to wake one`, 'ms', runs, ({ waking }) => waking.cpuMs / jobs),
    figure(`${what}: wake all`, 's', runs, ({ waking }) => waking.wallMs / 1000),
  ]
}
