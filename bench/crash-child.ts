import { appendFileSync } from 'node:fs'
import { agent, tool } from 'aetheris'
import { z } from 'zod'
import { pool } from './helpers.ts'
import { openLevel } from './run.ts'

/** The process that crash.ts kills: `node crash-child.ts DIRECTORY LOG JOBS`. Says what it does, line by line. */

process.stdout.write(`loaded ${performance.now()}\n`)
const [directory = '', log = '', jobs = '0'] = process.argv.slice(2)
const payload = z.object({ n: z.int(), text: z.string() })
const text = 'x'.repeat(180)

/** Each step leaves a line in a file, before it answers: a line survives kill -9, so what ran twice is seen. */
const stepOf = (effect: 'read' | 'once') =>
  tool({
    name: effect,
    input: payload,
    output: payload,
    effect,
    run({ n }, { jobId }) {
      appendFileSync(log, `${effect} ${jobId} ${n}\n`)
      return { n: n + 1, text }
    },
  })

const chainOf = (effect: 'read' | 'once') => {
  const step = stepOf(effect)
  return agent({
    name: effect,
    input: z.object({}),
    output: payload,
    tools: [step],
    plan(graph) {
      let last = graph.call('s0', step, { n: 0, text })
      for (let index = 1; index < 10; index += 1) last = graph.call(`s${index}`, step, last)
      return last
    },
  })
}

const [repeated, once] = [chainOf('read'), chainOf('once')]
const runtime = await openLevel(directory, { agents: [repeated, once] })
process.stdout.write(`resumed ${runtime.resumed}\n`)
const inDoubt: string[] = []
// A job that exists already is not started again, so the same call serves before and after the crash.
await pool(Number(jobs), 200, async (index) => {
  const job = await runtime.spawn(index % 2 === 0 ? repeated : once, {}, { id: `job-${index}` })
  const end = await job.waitFor(
    ({ status, pending }) => status !== 'active' || pending.some((effect) => effect.status === 'unknown'),
  )
  if (end.status === 'active') inDoubt.push(job.id)
})
process.stdout.write(`doubt ${inDoubt.join(' ')}\n`)
await runtime.close()
