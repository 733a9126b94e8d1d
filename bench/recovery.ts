import { agent, type Runtime, tool } from 'aetheris'
import { z } from 'zod'
import { type Figure, figure, inDirectory, measure, pick, pool, repeat, type Size, type Workload } from './helpers.ts'
import { openLevel } from './run.ts'

/** A store full of jobs that were in the middle of something when their runtime went away. */

const payload = z.object({ n: z.int(), text: z.string() })
const text = 'x'.repeat(180)

/** Ten steps, of which the fifth does not return before the gate is opened. */
function heldChain() {
  const gate = { open: false, calls: 0, onCall: () => {} }
  const hold = tool({
    name: 'hold',
    input: payload,
    output: payload,
    effect: 'read',
    run({ n }) {
      gate.calls += 1
      gate.onCall()
      return n === 4 && !gate.open ? new Promise<never>(() => {}) : { n: n + 1, text }
    },
  })
  const held = agent({
    name: 'held',
    input: z.object({}),
    output: payload,
    tools: [hold],
    plan(graph) {
      let last = graph.call('s0', hold, { n: 0, text })
      for (let index = 1; index < 10; index += 1) last = graph.call(`s${index}`, hold, last)
      return last
    },
  })
  return { gate, held }
}

async function once(jobs: number) {
  const { gate, held } = heldChain()
  return inDirectory(async (directory) => {
    const first = await openLevel(directory, { agents: [held] })
    const allHeld = new Promise<void>((resolve) => {
      gate.onCall = () => gate.calls === jobs * 5 && resolve()
    })
    await pool(jobs, 200, (index) => first.spawn(held, {}, { id: `held-${index}` }))
    await allHeld
    await first.close()

    gate.open = true
    const start = performance.now()
    const called = new Promise<number>((resolve) => {
      gate.onCall = () => resolve(performance.now() - start)
    })
    let second: Runtime | undefined
    const all = await measure(async () => {
      second = await openLevel(directory, { agents: [held] })
      await pool(jobs, 200, async (index) => (await (second as Runtime).job(`held-${index}`)).result())
    })
    await second?.close()
    return { firstMs: await called, all }
  })
}

export const recovery: Workload = {
  name: 'recovery',
  about: 'reopens a store in which 1,000 jobs are in the middle of a step',
  async run(size: Size): Promise<Figure[]> {
    const jobs = pick(size, { tiny: 4, normal: 1_000 })
    const runs = await repeat(pick(size, { tiny: 1, normal: 3 }), () => once(jobs))
    const what = `${jobs.toLocaleString('en')} jobs`
    return [
      figure(`${what}: first step after opening`, 'ms', runs, ({ firstMs }) => firstMs, '<= 1,000'),
      figure(`${what}: all at their end`, 'ms', runs, ({ all }) => all.wallMs),
      figure(`${what}: CPU a job`, 'ms', runs, ({ all }) => all.cpuMs / jobs),
    ]
  },
}
