import { beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { onlyJob } from '../../src/cli/only-job.ts'
import { agent, openRuntime } from '../../src/index.ts'
import { childIdOf } from '../../src/runtime/family.ts'
import type { JobStore } from '../../src/store/store.ts'
import { all } from '../../src/testing/job-store-bench.ts'
import { memoryStore } from '../../src/testing/testing.ts'
import { turns } from '../support/scripted.ts'

/** A store seen as if it held one job alone, with the jobs that it has started. */

const sleeper = agent({ name: 'sleeper', input: z.any(), output: z.any(), plan: (graph) => graph.sleep('nap', 1_000) })
const parent = agent({
  name: 'parent',
  input: z.any(),
  output: z.any(),
  agents: [sleeper],
  plan: (graph) => graph.spawn('kid', sleeper, null),
})

/** So long that the id of its child is a hash. */
const long = 'x'.repeat(200)
const hashed = childIdOf(long, 'kid')

let store: JobStore

beforeEach(async () => {
  store = memoryStore()
  const runtime = await openRuntime({ store, agents: [parent, sleeper] })
  for (const id of ['one', 'one-more', long]) await runtime.spawn(parent, null, { id })
  await turns()
  await runtime.close()
  await store.open()
})

test.each([
  ['one', ['one', 'one/kid']],
  ['one/kid', ['one/kid']],
  ['one-more', ['one-more', 'one-more/kid']],
  [long, [hashed, long]],
  [hashed, [hashed]],
])('%s has these jobs in it', async (jobId, meant) => {
  const view = onlyJob(store, jobId)
  const everyone = (await all(store.list())).map(({ id }) => id)
  expect(everyone).toHaveLength(6)
  expect((await all(view.list({ unfinished: true }))).map(({ id }) => id).sort()).toEqual([...meant].sort())
  for (const id of everyone) expect((await view.get(id))?.id).toBe(meant.includes(id) ? id : undefined)
  const timers = (await view.dueTimers(Number.MAX_SAFE_INTEGER)).map((timer) => timer.jobId)
  expect(timers).toEqual(meant.filter((id) => id === hashed || id.endsWith('/kid')))
  expect(await view.nextTimer()).toBeGreaterThan(0)
  expect((await all(view.read(jobId))).flat().length).toBeGreaterThan(0)
})
