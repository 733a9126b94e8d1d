import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Graph } from '../../src/graph/builder.ts'
import { agent, signal, TerminalError } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { dataOf, Script } from '../support/scripted.ts'

/** What was said to a job is not lost, whatever becomes of whoever should have heard it. */

const go = signal('go', z.int())

async function started(plan: (graph: Graph, work: ReturnType<Script['tool']>) => unknown) {
  const script = new Script()
  const work = script.tool('work', 'idempotent')
  const it = agent({
    name: 'it',
    input: z.any(),
    output: z.any(),
    tools: [work],
    signals: [go],
    plan: (graph) => plan(graph, work) as never,
  })
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, null, { id: 'job' })
  await runtime.settle()
  const check = async () => expect((await replay(it, job.events())).divergence).toBeUndefined()
  return { script, runtime, job, check }
}

test('a signal that nobody has taken when the job fails is there when it goes on', async () => {
  const { script, runtime, job, check } = await started((graph, work) =>
    graph.wait('wait', go, { after: [graph.call('first', work, 1)] }),
  )
  await job.signal(go, 1)
  await job.signal(go, 2)
  script.fail('first', new TerminalError('no'))
  await runtime.settle()
  expect(job.getSnapshot().value).toBe('failed')
  await expect(job.signal(go, 3)).rejects.toMatchObject({ code: 'JOB_SETTLED' })
  await job.retry('first')
  await runtime.settle()
  script.answer('first#2')
  await runtime.settle()
  expect(job.getSnapshot().output).toBe(1)
  await check()
})

test('and so it is in the next process', async () => {
  const { script, runtime, job, check } = await started((graph, work) =>
    graph.wait('wait', go, { after: [graph.call('first', work, 1)] }),
  )
  await job.signal(go, 1)
  script.fail('first', new TerminalError('no'))
  await runtime.settle()
  await using after = await runtime.reopen()
  const same = await after.job('job')
  await same.retry('first')
  await after.settle()
  script.answer('first#2')
  await after.settle()
  expect(same.getSnapshot().output).toBe(1)
  await check()
})

test('waits take what came in order, each signal once, whichever of them is there first', async () => {
  const { script, runtime, job, check } = await started((graph, work) => {
    const early = graph.wait('early', go)
    const late = graph.wait('late', go, { after: [graph.call('first', work, 1)] })
    const last = graph.wait('last', go, { after: [late], timeoutMs: 1_000 })
    return { early, late, last }
  })
  for (const [id, payload] of [
    ['a', 1],
    ['b', 2],
    ['a', 3],
  ] as const) {
    await job.signal(go, payload, { id })
  }
  await runtime.settle()
  script.answer('first')
  await runtime.advance(1_000)
  expect(job.getSnapshot().output).toEqual({ early: 1, late: 2 })
  expect(await dataOf(job, 'signal.received')).toMatchObject([
    { payload: 1, message: 'a' },
    { payload: 2, message: 'b' },
  ])
  await check()
})
