import { openRuntime } from 'aetheris'
import { levelStore } from 'aetheris/level'
import { loopOf } from './agents.ts'
import { type Figure, figure, inDirectory, pick, repeat, type Size, type Workload } from './helpers.ts'

/** Whether a step costs the same however long the history is. */

const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** CPU of the `turns` turns before turn `until`, and the time to go on with the job after opening the store again. */
async function cost(directory: string, until: number, turns: number): Promise<{ turnMs: number; resumeMs: number }> {
  let began = 0
  let reached = (_turnMs: number) => {}
  const end = new Promise<number>((resolve) => {
    reached = resolve
  })
  let resumed = () => {}
  const loop = loopOf((turn) => {
    resumed()
    if (turn === until - turns) began = cpuMs()
    if (turn === until) reached((cpuMs() - began) / turns)
  })
  const first = await openRuntime({ store: levelStore(directory), agents: [loop] })
  await first.spawn(loop, { turns: 1_000_000_000 })
  const turnMs = await end
  await first.close()

  const start = performance.now()
  const again = new Promise<number>((resolve) => {
    resumed = () => resolve(performance.now() - start)
  })
  const second = await openRuntime({ store: levelStore(directory), agents: [loop] })
  const resumeMs = await again
  await second.close()
  return { turnMs, resumeMs }
}

/** Many short jobs against one long one, over as many turns. A turn is two events. */
async function compare(events: number, shortJobs: number) {
  const shorts = await repeat(shortJobs, () => inDirectory((directory) => cost(directory, 15, 10)))
  const mean = (key: 'turnMs' | 'resumeMs') => shorts.reduce((sum, each) => sum + each[key], 0) / shortJobs
  const long = await inDirectory((directory) => cost(directory, events / 2, shortJobs * 10))
  return { short: { turnMs: mean('turnMs'), resumeMs: mean('resumeMs') }, long }
}

export const history: Workload = {
  name: 'history',
  about: 'W6: the cost of a step at a history of 10,000 events over that at 10, and of going on after a restart',
  async run(size: Size): Promise<Figure[]> {
    const lengths = pick(size, { tiny: [100], normal: [10_000], large: [10_000, 100_000] })
    const shortJobs = pick(size, { tiny: 2, normal: 50 })
    const times = pick(size, { tiny: 1, normal: 3 })
    await compare(100, shortJobs) // warms up
    const all = await repeat(lengths.length, async (index) => {
      const events = lengths[index] as number
      const runs = await repeat(times, () => compare(events, shortJobs))
      const what = `${events.toLocaleString('en')} events`
      return [
        figure(`${what} over 10: CPU a step`, 'x', runs, ({ long, short }) => long.turnMs / short.turnMs, '<= 1.2'),
        figure(`${what}: CPU a step`, 'ms', runs, ({ long }) => long.turnMs),
        figure(`${what}: goes on after reopening`, 'ms', runs, ({ long }) => long.resumeMs),
        figure('10 events: goes on after reopening', 'ms', runs, ({ short }) => short.resumeMs),
      ]
    })
    return all.flat()
  },
}
