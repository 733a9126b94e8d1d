import type { Agent, JobEvent, JobHandle } from 'aetheris'
import { replay } from 'aetheris/replay'
import { memoryStore } from 'aetheris/testing'
import { chain, fan, loopOf } from './agents.ts'
import { type Figure, figure, measure, pick, repeat, type Size, type Workload } from './helpers.ts'
import { openLevel } from './run.ts'

/** How fast a history becomes a state again; what recovery and replay are made of. */

async function historyOf(job: JobHandle): Promise<JobEvent[]> {
  await job.result()
  const events: JobEvent[] = []
  for await (const event of job.events()) events.push(event)
  return events
}

async function compare(
  what: string,
  agent: Agent,
  history: JobEvent[],
  events: number,
  times: number,
): Promise<Figure[]> {
  const rounds = Math.max(1, Math.round(events / history.length))
  const text = JSON.stringify(history)
  const runs = await repeat(times + 1, async () => ({
    ours: await measure(() => repeat(rounds, () => replay(agent, history))),
    parse: await measure(() => repeat(rounds, async () => JSON.parse(text))),
  }))
  const warm = runs.slice(1)
  return [
    figure(`${what}: events`, '/s', warm, ({ ours }) => (rounds * history.length * 1000) / ours.cpuMs),
    figure(`${what}: CPU over JSON.parse`, 'x', warm, ({ ours, parse }) => ours.cpuMs / parse.cpuMs),
  ]
}

export const fold: Workload = {
  name: 'fold',
  about: 'replays histories: a plan of 10 steps, one of 100 at once, a machine that goes round',
  async run(size: Size) {
    const events = pick(size, { tiny: 10, normal: 20_000 })
    const times = pick(size, { tiny: 1, normal: 5 })
    const loop = loopOf(() => {})
    const runtime = await openLevel('', { store: memoryStore(), agents: [chain, fan, loop] })
    const figures = [
      ...(await compare('10 steps', chain, await historyOf(await runtime.spawn(chain, { steps: 10 })), events, times)),
      ...(await compare('100 at once', fan, await historyOf(await runtime.spawn(fan, { width: 100 })), events, times)),
      ...(await compare(
        '1,000 turns',
        loop,
        await historyOf(await runtime.spawn(loop, { turns: pick(size, { tiny: 5, normal: 1_000 }) })),
        events,
        times,
      )),
    ]
    await runtime.close()
    return figures
  },
}
