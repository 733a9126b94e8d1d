import { expect, test } from 'vitest'
import { z } from 'zod'
import { AetherisError, type ErrorCode } from '../../src/base/error.ts'
import { agent, tool } from '../../src/index.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { JobStore } from '../../src/store/store.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'

const look = tool({ name: 'look', input: z.any(), output: z.any(), effect: 'read', run: () => 'seen' })
const looking = agent({
  name: 'looking',
  input: z.any(),
  output: z.any(),
  tools: [look],
  plan: (graph) => graph.call('look', look, null),
})

/** A store whose commits with a certain event fail `times` times, as on a full disk. */
function failing(
  times: number,
  isMeant: (type: string, jobId: string) => boolean = (type) => type === 'node.completed',
  first: ErrorCode = 'COMMIT_UNKNOWN',
): JobStore {
  const store = memoryStore()
  const { commit } = store
  let left = times
  return Object.assign(store, {
    async commit(...args: Parameters<JobStore['commit']>) {
      const [{ events, lease }] = args
      if (!events.some(({ type }) => isMeant(type, lease.jobId)) || left === 0) return commit.apply(store, args)
      left -= 1
      throw new AetherisError(left === times - 1 ? first : 'STORE_FAILED', 'No space left on device.')
    },
  })
}

test('a job that waits for its store says so once, and goes on when it answers', async () => {
  const problems: unknown[] = []
  const runtime = await testRuntime({
    store: failing(4),
    agents: [looking],
    onProblem: ({ jobId, error }) => problems.push([jobId, (error as AetherisError).code]),
  })
  const job = await runtime.spawn(looking, null, { id: 'job' })
  await runtime.advance(1_000)
  expect(problems).toEqual([['job', 'COMMIT_UNKNOWN']])
  expect(await job.result()).toBe('seen')
  await runtime.close()
})

test('a job that cannot start another one waits for the store, however often it may try', async () => {
  const parent = agent({
    name: 'parent',
    input: z.any(),
    output: z.any(),
    agents: [looking],
    plan: (graph) => graph.spawn('child', looking, null),
  })
  const store = failing(20, (type, jobId) => type === 'job.created' && jobId !== 'parent', 'STORE_FAILED')
  await using runtime = await testRuntime({ agents: [parent, looking], store })
  const job = await runtime.spawn(parent, null, { id: 'parent' })
  await runtime.advance(60_000)
  expect(await job.result()).toBe('seen')
  // Once for the wait, not for each time that it was asked.
  expect(runtime.problems.map(({ jobId }) => jobId)).toEqual(['parent'])
})
