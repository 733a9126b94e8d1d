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
  let reached = () => {}
  /** Resolves when every job has called its tool; asked before the last one does. */
  const allCalled = () =>
    new Promise<void>((resolve) => {
      reached = resolve
    })
  const call = tool({
    name: 'call',
    input: z.object({}),
    output: z.boolean(),
    effect: 'read',
    run() {
      seen.push('tool')
      if (seen.filter((each) => each === 'tool').length >= jobs) reached()
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
      // As on a disk, what is asked for is there only after a turn.
      if (key !== 'claim' && key !== 'snapshot') return member.bind(target)
      return (...args: unknown[]) => setImmediate().then(() => member.apply(target, args))
    },
  })
  return { seen, held, one, allCalled, store: reading as JobStore }
}

const ids = Array.from({ length: jobs }, (_, index) => `job-${index}`)

/** A store in which all jobs have called their tool and got no answer, opened again; what is seen from then on. */
async function restarted() {
  const { seen, held, one, allCalled, store } = recorded()
  const before = allCalled()
  const first = await openRuntime({ store, agents: [one], maxEffects: jobs })
  for (const id of ids) await first.spawn(one, {}, { id })
  await before
  await first.close()

  seen.length = 0
  held.open = true
  const after = allCalled()
  return { seen, after, second: await openRuntime({ store, agents: [one], maxEffects: jobs }) }
}

test('after a restart the first job goes on before the last has been read', async () => {
  const { seen, after, second } = await restarted()
  await after
  await second.close()
  expect(seen.filter((each) => each === 'tool')).toHaveLength(jobs)
  expect(seen.indexOf('tool')).toBeLessThan(seen.lastIndexOf('read'))
})

test('whoever asks for all jobs after a restart does not hold them up', async () => {
  const { seen, after, second } = await restarted()
  const handles = await Promise.all(ids.map((id) => second.job(id)))
  await after
  await second.close()
  expect(handles.map(({ id }) => id)).toEqual(ids)
  const readBefore = seen.slice(0, seen.indexOf('tool')).filter((each) => each === 'read')
  expect(readBefore.length).toBeLessThan(jobs)
})
