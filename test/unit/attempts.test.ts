import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { EffectClass } from '../../src/event/event.ts'
import type { RetryPolicy } from '../../src/graph/graph.ts'
import { agent, type ToolContext, type ToolOptions, tool } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { type TestRuntimeOptions, testRuntime } from '../../src/testing/test-runtime.ts'
import { dataOf, turns } from '../support/scripted.ts'

/** Signs of life, progress, deadlines, cost: what a tool and its attempts tell about themselves. */

type Options = Partial<ToolOptions<z.ZodAny, z.ZodAny>>

async function started(
  run: (context: ToolContext) => unknown,
  options: Options = {},
  { deadlineMs, ...rest }: Partial<TestRuntimeOptions> & { deadlineMs?: number } = {},
) {
  const it = tool({
    name: 'it',
    input: z.any(),
    output: z.any(),
    effect: 'read',
    run: (_, context) => run(context),
    ...options,
  })
  const caller = agent({
    name: 'caller',
    input: z.any(),
    output: z.any(),
    tools: [it],
    plan: (graph) => graph.call('call', it, null, deadlineMs === undefined ? {} : { deadlineMs }),
  })
  const runtime = await testRuntime({ agents: [caller], ...rest })
  const job = await runtime.spawn(caller, null, { id: 'job' })
  await runtime.settle()
  const check = async (same = job) => expect((await replay(caller, same.events())).divergence).toBeUndefined()
  return { runtime, job, check, caller }
}

const never = () => new Promise(() => {})

describe('heartbeatMs', () => {
  test.each<[EffectClass, string]>([
    ['read', 'node.retried'],
    ['once', 'node.outcome_unknown'],
  ])('a silent attempt is given up: %s', async (effect, type) => {
    const { runtime, job, check } = await started(never, { effect, heartbeatMs: 1_000 })
    await runtime.advance(999)
    expect(await dataOf(job, type as 'node.retried')).toEqual([])
    await runtime.advance(1)
    expect(await dataOf(job, type as 'node.retried')).toHaveLength(1)
    await check()
  })

  test('one that shows signs of life may go on as long as it likes', async () => {
    const contexts: ToolContext[] = []
    const { runtime, job, check } = await started(
      (context) => {
        contexts.push(context)
        return never()
      },
      { heartbeatMs: 1_000 },
    )
    for (let beat = 0; beat < 10; beat += 1) {
      await runtime.advance(900)
      contexts[0]?.progress({ beat })
    }
    expect(contexts[0]?.abortSignal.aborted).toBe(false)
    await runtime.advance(1_000)
    expect(contexts[0]?.abortSignal.aborted).toBe(true)
    expect(contexts).toHaveLength(1)
    await runtime.advance(1_000)
    expect(contexts[1]?.lastProgress).toEqual({ beat: 9 })
    expect(job.getSnapshot().status).toBe('active')
    await check()
  })
})

describe('progress', () => {
  test('is told at once, kept once a second, and given to the next attempt, also of the next process', async () => {
    const contexts: ToolContext[] = []
    const { runtime, job, check } = await started((context) => {
      contexts.push(context)
      return never()
    })
    const heard: unknown[] = []
    job.subscribe({ progress: (progress) => heard.push(progress) })
    for (let page = 1; page <= 5; page += 1) contexts[0]?.progress({ page })
    await turns()
    expect(heard).toHaveLength(5)
    expect(await dataOf(job, 'node.progressed')).toEqual([{ effect: 'call', attempt: 1, progress: { page: 1 } }])
    await runtime.advance(1_000)
    contexts[0]?.progress({ page: 6 })
    await turns()
    expect(job.getSnapshot().pending[0]?.progress).toEqual({ page: 6 })
    await using after = await runtime.reopen()
    await after.settle()
    expect(contexts[1]?.lastProgress).toEqual({ page: 6 })
    contexts[0]?.progress({ page: 7 })
    await turns()
    await check((await after.job('job')) as never)
  })

  test('that is no JSON is refused where it is given', async () => {
    let thrown: unknown
    await started((context) => {
      try {
        context.progress(new Map() as never)
      } catch (error) {
        thrown = error
      }
      return 'done'
    })
    expect(thrown).toMatchObject({ code: 'INPUT_INVALID' })
  })
})

describe('deadlineMs', () => {
  test('ends a node between its attempts', async () => {
    const { runtime, job, check } = await started(
      () => {
        throw new Error('broken')
      },
      { retry: { maxAttempts: 100, initialDelayMs: 10_000, factor: 1 } },
      { deadlineMs: 15_000 },
    )
    await runtime.advance(14_999)
    expect(job.getSnapshot().status).toBe('active')
    await runtime.advance(1)
    expect(job.getSnapshot().error).toMatchObject({ code: 'TOOL_TIMEOUT' })
    await check()
  })

  test.each<[EffectClass, string]>([
    ['idempotent', 'failed'],
    ['once', 'unknown'],
  ])('ends a node in the middle of an attempt, across a restart: %s', async (effect, end) => {
    const { runtime, check } = await started(never, { effect }, { deadlineMs: 15_000 })
    await runtime.advance(10_000)
    await using after = await runtime.reopen({ afterMs: 100_000 })
    await after.settle()
    const job = await after.job('job')
    expect(job.getSnapshot().nodes).toEqual({ call: end })
    await check(job as never)
  })
})

describe('nonRetryable', () => {
  const run = () => {
    throw Object.assign(new RangeError('out of range'), { code: 'ERANGE' })
  }
  test.each<[RetryPolicy, number]>([
    [{ nonRetryable: ['RangeError'] }, 1],
    [{ nonRetryable: ['ERANGE'] }, 1],
    [{ nonRetryable: ['TypeError'] }, 3],
  ])('%o', async (retry, attempts) => {
    let calls = 0
    const { runtime, job } = await started(
      () => {
        calls += 1
        return run()
      },
      { retry },
    )
    await runtime.advance(100_000)
    expect(calls).toBe(attempts)
    expect(job.getSnapshot().status).toBe('error')
  })
})

describe('charge', () => {
  test('counts what every attempt has cost, whatever became of it', async () => {
    const { runtime, job, check } = await started(({ charge, attempt }) => {
      charge(5)
      charge(attempt)
      if (attempt === 1) throw new Error('broken')
      return 'done'
    })
    await runtime.advance(10_000)
    expect(job.getSnapshot().usage).toMatchObject({ toolCalls: 2, cost: 13 })
    expect(await dataOf(job, 'node.retried')).toMatchObject([{ cost: 6 }])
    expect(await dataOf(job, 'node.completed')).toMatchObject([{ cost: 7 }])
    await check()
  })

  test.each([-1, 0.5, Number.NaN, '3'])('of %s is refused where it is given', async (units) => {
    const { job } = await started(({ charge }) => charge(units as number))
    expect(job.getSnapshot().error).toMatchObject({ code: 'INPUT_INVALID' })
  })
})

describe('hostile tools', () => {
  test('a tool that returns megabytes is refused with a limit, and the job says so', async () => {
    const { job, check } = await started(() => 'x'.repeat(9 * 1024 * 1024))
    expect(job.getSnapshot().error).toMatchObject({ code: 'LIMIT_EXCEEDED' })
    await check()
  })

  test('what a tool does to its output after it returned changes nothing', async () => {
    const output = { list: [1] }
    const { job, check } = await started(() => output)
    output.list.push(2)
    expect(await job.result()).toEqual({ list: [1] })
    await check()
  })
})

test('what is pending says since when it stands there, and word of how far it is changes nothing of that', async () => {
  const contexts: ToolContext[] = []
  const { runtime, job } = await started(
    (context) => {
      contexts.push(context)
      return never()
    },
    { timeoutMs: 5_000, retry: { initialDelayMs: 1_000 } },
  )
  const begin = job.getSnapshot().pending[0]?.since ?? 0
  const stands = () => job.getSnapshot().pending.map(({ status, since }) => [status, since - begin])
  expect(stands()).toEqual([['started', 0]])
  await runtime.advance(2_000)
  contexts[0]?.progress('half')
  await runtime.settle()
  expect(job.getSnapshot().pending[0]?.progress).toBe('half')
  expect(stands()).toEqual([['started', 0]])
  await runtime.advance(3_000)
  expect(stands()).toEqual([['backoff', 5_000]])
})

test('what a tool throws is told as it is, and a listener that throws itself harms nothing', async () => {
  const error = new TypeError('no such page')
  const thrown: unknown[] = []
  const { runtime, job } = await started(
    () => {
      throw error
    },
    { retry: { maxAttempts: 1 } },
    {
      onThrown: (each) => {
        thrown.push(each)
        throw new Error('a listener that is broken')
      },
    },
  )
  expect(thrown).toEqual([{ jobId: 'job', effect: 'call', attempt: 1, error }])
  expect((thrown[0] as { error: unknown }).error).toBe(error)
  expect(job.getSnapshot().phase).toBe('failed')
  expect(runtime.problems).toMatchObject([{ jobId: 'job', error: { message: 'a listener that is broken' } }])
})
