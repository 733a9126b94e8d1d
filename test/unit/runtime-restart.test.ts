import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { agent, type JobStore, openRuntime, tool } from '../../src/index.ts'
import { memoryStore } from '../../src/store/memory-store.ts'

/** What people see of a restart while it is under way. */

const jobs = 200

/** Calls in the order in which they came: `read` of a job's history, `tool` by a job. */
function recorded() {
  const seen: string[] = []
  const held: { open: boolean } = { open: false }
  const call = tool({
    name: 'call',
    input: z.object({}),
    output: z.boolean(),
    effect: 'read',
    run() {
      seen.push('tool')
      return held.open || new Promise<never>(() => {})
    },
  })
  const one = agent({
    name: 'one',
    input: z.object({}),
    output: z.boolean(),
    tools: [call],
    plan: (graph) => graph.call('call', call, {}),
  })
  const store = memoryStore()
  const reading = new Proxy(store, {
    get(target, key) {
      const member = Reflect.get(target, key) as unknown
      if (typeof member !== 'function') return member
      if (key === 'read') seen.push('read')
      // As on a disk, what is written is there only after a turn.
      if (key === 'claim') return (jobId: string) => setImmediate().then(() => target.claim(jobId))
      return member.bind(target)
    },
  })
  return { seen, held, one, store: reading as JobStore }
}

test('after a restart the first job goes on before the last has been read', async () => {
  const { seen, held, one, store } = recorded()
  const first = await openRuntime({ store, agents: [one], maxEffects: jobs })
  for (let index = 0; index < jobs; index += 1) await first.spawn(one, {}, { id: `job-${index}` })
  await expect.poll(() => seen.filter((each) => each === 'tool').length).toBe(jobs)
  await first.close()

  seen.length = 0
  held.open = true
  await using second = await openRuntime({ store, agents: [one], maxEffects: jobs })
  await expect.poll(() => second.idle, { timeout: 30_000 }).toBe(true)
  expect(seen.filter((each) => each === 'tool')).toHaveLength(jobs)
  expect(seen.indexOf('tool')).toBeLessThan(seen.lastIndexOf('read'))
})
