import { expect, test } from 'vitest'
import { z } from 'zod'
import { agent, signal } from '../../src/index.ts'
import { verifyFold } from '../../src/replay/verify-fold.ts'
import type { JobCopy } from '../../src/store/store.ts'
import { testRuntime } from '../../src/testing/testing.ts'

/** What a store keeps beside a history has to be what the history gives. */

const go = signal('go', z.any())
const waiter = agent({
  name: 'waiter',
  input: z.any(),
  output: z.any(),
  signals: [go],
  plan: (graph) => graph.wait('second', go, { after: [graph.wait('first', go)], timeoutMs: 60_000 }),
})

async function copyOf(isDone: boolean): Promise<JobCopy> {
  const runtime = await testRuntime({ agents: [waiter] })
  const job = await runtime.spawn(waiter, null, { id: 'job' })
  await job.signal(go, 1)
  await runtime.settle()
  if (isDone) await job.signal(go, 1)
  await runtime.settle()
  for await (const copy of runtime.store.copies()) if ('row' in copy) return copy
  return expect.fail('There is no job.')
}

const damages: Record<string, [isDone: boolean, change: (copy: JobCopy) => Partial<JobCopy>, finding: object]> = {
  'a timer that is missing': [false, () => ({ timers: [] }), { kind: 'index', message: /timers/ }],
  'a timer at another time': [
    false,
    ({ timers }) => ({ timers: timers.map((timer) => ({ ...timer, dueAt: timer.dueAt + 1 })) }),
    { kind: 'index' },
  ],
  'a timer of a job that has ended': [true, () => ({ timers: [{ id: 't', dueAt: 1 }] }), { kind: 'index' }],
  'an end that is none': [
    false,
    ({ row }) => ({ row: { ...row, status: 'completed' } }),
    { kind: 'index', message: /under way/ },
  ],
  'another end': [true, ({ row }) => ({ row: { ...row, status: 'failed' } }), { kind: 'index', message: /completed/ }],
  'a job that goes on after its end': [true, ({ row }) => ({ row: { ...row, status: 'waiting' } }), { kind: 'index' }],
  'a snapshot of another state': [
    false,
    ({ snapshots }) => ({
      snapshots: snapshots.map((each) => ({ ...each, state: { ...(each.state as object), seq: 9 } })),
    }),
    { kind: 'snapshot', message: /snapshot\.seq/ },
  ],
}

test.each(Object.keys(damages))('%s', async (name) => {
  const [isDone, change, finding] = damages[name] as (typeof damages)[string]
  const copy = await copyOf(isDone)
  const { message = /./, ...rest } = finding as { message?: RegExp }
  const { findings } = await verifyFold({ ...copy, ...change(copy) })
  expect(findings).toMatchObject([{ jobId: 'job', ...rest, message: expect.stringMatching(message) }])
})

test.each([false, true])('nothing, where all fits (done: %s)', async (isDone) => {
  const copy = await copyOf(isDone)
  expect(copy.snapshots).toHaveLength(isDone ? 0 : 1)
  expect(await verifyFold(copy)).toEqual({ findings: [] })
})
