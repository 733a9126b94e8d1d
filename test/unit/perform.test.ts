import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { EffectClass, JobEvent } from '../../src/event/event.ts'
import type { RetryPolicy } from '../../src/graph/graph.ts'
import { agent, RetryableError, TerminalError, type ToolContext, tool } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { type TestRuntimeOptions, testRuntime } from '../../src/testing/test-runtime.ts'

/** What tools may do, and what becomes of it. */

interface Behaviour {
  effect?: EffectClass
  retry?: RetryPolicy
  timeoutMs?: number
  input?: unknown
}

/** An agent that calls one tool, which does what `run` says. */
function caller(
  run: (input: unknown, context: ToolContext) => unknown,
  { effect = 'read', retry, timeoutMs, input = null }: Behaviour = {},
) {
  const it = tool({
    name: 'it',
    input: z.any(),
    output: z.any(),
    effect,
    ...(retry === undefined ? {} : { retry }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    run,
  })
  return agent({
    name: 'caller',
    input: z.any(),
    output: z.any(),
    tools: [it],
    plan: (graph) => graph.call('call', it, input as never),
  })
}

type Caller = ReturnType<typeof caller>

async function started(agent: Caller, options: Partial<TestRuntimeOptions> = {}) {
  const runtime = await testRuntime({ agents: [agent], ...options })
  const job = await runtime.spawn(agent, null, { id: 'job' })
  await runtime.settle()
  return { runtime, job }
}

async function eventsOf(job: { events(): AsyncIterable<JobEvent> }): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  for await (const event of job.events()) events.push(event)
  return events
}

async function typesOf(job: { events(): AsyncIterable<JobEvent> }): Promise<string[]> {
  return (await eventsOf(job))
    .map(({ type }) => type)
    .filter((type) => type.startsWith('node.') || type === 'timer.fired' || type === 'job.recovered')
}

function dataOf(events: readonly JobEvent[], type: JobEvent['type']): unknown[] {
  return events.filter((event) => event.type === type).map(({ data }) => data)
}

describe('what a tool throws', () => {
  const thrown: [string, unknown, { name: string; code?: string; message: RegExp }][] = [
    ['a string', 'broken', { name: 'Error', code: 'TOOL_FAILED', message: /broken/ }],
    ['undefined', undefined, { name: 'Error', code: 'TOOL_FAILED', message: /undefined/ }],
    ['null', null, { name: 'Error', code: 'TOOL_FAILED', message: /null/ }],
    [
      'an object without a prototype',
      Object.create(null),
      { name: 'Error', code: 'TOOL_FAILED', message: /cannot be described/ },
    ],
    [
      'an error with a code',
      Object.assign(new Error('gone'), { code: 'ENOENT' }),
      { name: 'Error', code: 'ENOENT', message: /gone/ },
    ],
    [
      'an error whose message cannot be read',
      hostileError(),
      { name: 'Error', code: 'TOOL_FAILED', message: /cannot be described/ },
    ],
  ]
  test.each(thrown)('%s fails the job after its attempts, and the history says why', async (_, value, expected) => {
    let attempts = 0
    const { runtime, job } = await started(
      caller(() => {
        attempts += 1
        throw value
      }),
    )
    await runtime.advance(60_000)
    expect(attempts).toBe(3)
    expect(job.getSnapshot().status).toBe('error')
    const { name, code, message } = expected
    expect(job.getSnapshot().error).toMatchObject({
      name,
      ...(code === undefined ? {} : { code }),
      message: expect.stringMatching(message),
    })
    expect((await replay(job.agent, job.events())).divergence).toBeUndefined()
  })

  test('a TerminalError is not tried again', async () => {
    let attempts = 0
    const { job } = await started(
      caller(() => {
        attempts += 1
        throw new TerminalError('no')
      }),
    )
    expect(attempts).toBe(1)
    expect(job.getSnapshot().error).toMatchObject({ name: 'TerminalError', message: 'no' })
  })

  test('a once call that throws is not tried again, unless its tool says so', async () => {
    for (const [retry, wanted] of [
      [undefined, 1],
      [{ maxAttempts: 3 }, 3],
    ] as const) {
      let attempts = 0
      const { runtime, job } = await started(
        caller(
          () => {
            attempts += 1
            throw new Error('no')
          },
          { effect: 'once', ...(retry === undefined ? {} : { retry }) },
        ),
      )
      await runtime.advance(600_000)
      expect(attempts).toBe(wanted)
      expect(job.getSnapshot().status).toBe('error')
    }
  })
})

function hostileError(): Error {
  return Object.defineProperty(new Error(), 'message', {
    get: () => {
      throw new Error('hostile')
    },
  })
}

describe('what a tool returns', () => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  const values: [string, unknown, RegExp][] = [
    ['a Map', new Map(), /Map/],
    ['a Date inside', { a: [new Date(0)] }, /a\[0\].*Date|Date.*a\[0\]/],
    ['NaN', { n: Number.NaN }, /NaN/],
    ['a cycle', cycle, /contains itself/],
    ['a function', () => 1, /function/],
    ['a BigInt', 1n, /bigint/],
    ['a lone surrogate', '\ud800', /surrogate/],
  ]
  test.each(values)('%s is refused, at once and with its place', async (_, value, message) => {
    let attempts = 0
    const { job } = await started(
      caller(() => {
        attempts += 1
        return value
      }),
    )
    expect(attempts).toBe(1)
    expect(job.getSnapshot().error).toMatchObject({ code: 'OUTPUT_INVALID', message: expect.stringMatching(message) })
  })

  test('undefined is kept as null, and what is returned is copied', async () => {
    const kept: unknown[] = []
    const { job } = await started(
      caller(() => {
        const value = { list: [1] }
        kept.push(value)
        return value
      }),
    )
    ;(kept[0] as { list: number[] }).list.push(2)
    expect(await job.result()).toEqual({ list: [1] })
    expect(await (await started(caller(() => undefined))).job.result()).toBeNull()
  })

  test('a tool cannot change its input for the attempts that follow', async () => {
    const seen: string[] = []
    const { runtime, job } = await started(
      caller(
        (input) => {
          const given = input as { list: number[] }
          seen.push(JSON.stringify(given))
          given.list.push(9)
          return 'never'
        },
        { input: { list: [1] } },
      ),
    )
    await runtime.advance(60_000)
    expect(seen).toEqual(['{"list":[1]}', '{"list":[1]}', '{"list":[1]}'])
    expect(job.getSnapshot().error?.name).toBe('TypeError')
  })
})

describe('retries', () => {
  test('wait longer each time, between half and all of the policy, and stop after the last attempt', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const retry = { maxAttempts: 6, initialDelayMs: 1_000, factor: 3, maxDelayMs: 20_000 }
      const { runtime, job } = await started(
        caller(
          () => {
            throw new Error('no')
          },
          { retry },
        ),
        { seed },
      )
      await runtime.advance(10 * 60_000)
      const delays = dataOf(await eventsOf(job), 'node.retried').map((data) => (data as { delayMs: number }).delayMs)
      expect(delays).toHaveLength(5)
      for (const [nth, delay] of delays.entries()) {
        const full = Math.min(20_000, 1_000 * 3 ** nth)
        expect(delay).toBeGreaterThanOrEqual(full / 2)
        expect(delay).toBeLessThanOrEqual(full)
      }
      expect(job.getSnapshot().status).toBe('error')
    }
  })

  test('start not a millisecond before they are due', async () => {
    let attempts = 0
    const { runtime, job } = await started(
      caller(() => {
        attempts += 1
        throw new RetryableError('busy', { retryAfterMs: 5_000 })
      }),
    )
    expect(dataOf(await eventsOf(job), 'node.retried')).toMatchObject([{ attempt: 1, delayMs: 5_000 }])
    await runtime.advance(4_999)
    expect(attempts).toBe(1)
    await runtime.advance(1)
    expect(attempts).toBe(2)
  })

  test('all attempts have one key, and say which one they are', async () => {
    const seen: [string, number][] = []
    const { runtime, job } = await started(
      caller(
        (_, { idempotencyKey, attempt }) => {
          seen.push([idempotencyKey, attempt])
          if (attempt < 3) throw new Error('again')
          return 'done'
        },
        { effect: 'idempotent' },
      ),
    )
    await runtime.advance(60_000)
    expect(seen).toEqual([
      ['job/call', 1],
      ['job/call', 2],
      ['job/call', 3],
    ])
    expect(await job.result()).toBe('done')
  })

  test('wait on through a crash, and attempts that were cut off do not count as failures', async () => {
    let attempts = 0
    const { runtime } = await started(
      caller(
        () => {
          attempts += 1
          if (attempts < 3) throw new Error('again')
          return attempts === 3 ? new Promise(() => {}) : 'done'
        },
        { retry: { maxAttempts: 3, initialDelayMs: 1_000 } },
      ),
    )
    await runtime.advance(10_000)
    expect(attempts).toBe(3)
    await using after = await runtime.reopen()
    await after.settle()
    const job = await after.job('job')
    expect(await job.result()).toBe('done')
    expect(await typesOf(job)).toEqual([
      'node.started',
      'node.retried',
      'timer.fired',
      'node.attempted',
      'node.retried',
      'timer.fired',
      'node.attempted',
      'job.recovered',
      'node.attempted',
      'node.completed',
    ])
  })
})

describe('a call that was cut off by a crash', () => {
  test.each(['read', 'idempotent'] as const)('is made again with the same key: %s', async (effect) => {
    const keys: string[] = []
    const hang = caller(
      (_, { idempotencyKey, attempt }) => {
        keys.push(`${idempotencyKey} ${attempt}`)
        return keys.length === 1 ? new Promise(() => {}) : 'done'
      },
      { effect },
    )
    const { runtime } = await started(hang)
    await using after = await runtime.reopen()
    await after.settle()
    expect(keys).toEqual(['job/call 1', 'job/call 2'])
    expect(await (await after.job('job')).result()).toBe('done')
  })

  test('is never made again where it is once: the job waits and says for what', async () => {
    let attempts = 0
    const { runtime } = await started(
      caller(
        () => {
          attempts += 1
          return new Promise(() => {})
        },
        { effect: 'once' },
      ),
    )
    await using after = await runtime.reopen()
    await after.settle()
    const job = await after.job('job')
    expect(dataOf(await eventsOf(job), 'node.outcome_unknown')).toEqual([
      { effect: 'call', attempt: 1, reason: 'crash' },
    ])
    expect(job.getSnapshot().pending).toMatchObject([{ effect: 'call', kind: 'call', status: 'unknown', attempt: 1 }])
    expect(job.getSnapshot().nodes).toEqual({ call: 'unknown' })
    expect((await after.store.get('job'))?.status).toBe('waiting')
    await using later = await after.reopen({ afterMs: 1e9 })
    await later.settle()
    expect(attempts).toBe(1)
    expect(await typesOf(await later.job('job'))).toEqual(['node.started', 'job.recovered', 'node.outcome_unknown'])
  })
})

describe('a call that takes too long', () => {
  test('is tried again where that is safe, with its AbortSignal set', async () => {
    const signals: AbortSignal[] = []
    const { runtime, job } = await started(
      caller(
        (_, { abortSignal, attempt }) => {
          signals.push(abortSignal)
          return attempt === 1 ? new Promise(() => {}) : 'done'
        },
        { timeoutMs: 1_000 },
      ),
    )
    await runtime.advance(999)
    expect(signals[0]?.aborted).toBe(false)
    await runtime.advance(1)
    expect(signals[0]?.aborted).toBe(true)
    await runtime.advance(60_000)
    expect(await job.result()).toBe('done')
    expect(dataOf(await eventsOf(job), 'node.retried')).toMatchObject([{ error: { code: 'TOOL_TIMEOUT' } }])
  })

  test('has an unknown outcome where it is once', async () => {
    const { runtime, job } = await started(caller(() => new Promise(() => {}), { timeoutMs: 1_000, effect: 'once' }))
    await runtime.advance(600_000)
    expect(dataOf(await eventsOf(job), 'node.outcome_unknown')).toEqual([
      { effect: 'call', attempt: 1, reason: 'timeout' },
    ])
    expect(job.getSnapshot().nodes).toEqual({ call: 'unknown' })
  })

  test.each(['read', 'once'] as const)(
    'and then returns after all has its result noted, which changes nothing: %s',
    async (effect) => {
      let answer = (_: unknown) => {}
      const { runtime, job } = await started(
        caller(
          (_, { attempt }) =>
            new Promise((resolve) => {
              if (attempt === 1) answer = resolve
            }),
          { timeoutMs: 1_000, effect },
        ),
      )
      await runtime.advance(30_000)
      const before = job.getSnapshot()
      answer({ paid: true })
      await runtime.settle()
      expect(dataOf(await eventsOf(job), 'node.late_result')).toEqual([
        { effect: 'call', attempt: 1, ok: true, value: { paid: true } },
      ])
      const { pending, value } = job.getSnapshot()
      expect({ pending, value }).toEqual({ pending: before.pending, value: before.value })
      expect((await replay(job.agent, job.events())).divergence).toBeUndefined()
    },
  )
})

describe('a call that nobody wants any more', () => {
  test('gets its AbortSignal when the job is cancelled, and its slot is free for others', async () => {
    const signals: AbortSignal[] = []
    const hang = caller((_, { abortSignal }) => {
      signals.push(abortSignal)
      return new Promise((_, reject) => abortSignal.addEventListener('abort', () => reject(abortSignal.reason)))
    })
    const { runtime, job } = await started(hang, { maxEffects: 1 })
    const other = await runtime.spawn(hang, null, { id: 'other' })
    await runtime.settle()
    expect(signals).toHaveLength(1)
    await job.cancel()
    await runtime.settle()
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    expect(other.getSnapshot().status).toBe('active')
    await other.cancel()
  })

  test('does not touch the next owner of its job', async () => {
    const answers: ((value: string) => void)[] = []
    const both = caller(() => new Promise<string>((resolve) => answers.push(resolve)))
    const { runtime } = await started(both)
    await using after = await runtime.reopen()
    await after.settle()
    expect(answers).toHaveLength(2)
    answers[0]?.('of the dead')
    await after.settle()
    expect((await after.job('job')).getSnapshot().status).toBe('active')
    answers[1]?.('of the living')
    expect(await (await after.job('job')).result()).toBe('of the living')
  })
})

test('an owner that was overtaken cannot commit, and lets go', async () => {
  let answer = (_: unknown) => {}
  const { runtime, job } = await started(caller(() => new Promise((resolve) => (answer = resolve))))
  await runtime.store.claim('job')
  answer('late')
  for (let turn = 0; turn < 50; turn += 1) await setImmediate()
  expect(runtime.problems).toMatchObject([{ jobId: 'job', error: { code: 'LEASE_FENCED' } }])
  expect((await runtime.store.get('job'))?.seq).toBe(job.getSnapshot().seq)
  expect(await typesOf(job)).toEqual(['node.started'])
})
