import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openRuntime } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import type { StreamPart } from '../../src/runtime/stream.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { EagerClock } from '../support/eager-clock.ts'
import { asked, modelAgents, question } from '../support/model-agents.ts'
import { ModelServer, modelAt } from '../support/model-server.ts'
import { dataOf, eventsOf, typesOf } from '../support/scripted.ts'

/** A server that is slow, and replies that come piece by piece. */

let server: ModelServer
beforeAll(async () => {
  server = await ModelServer.start()
})
afterEach(() => server.clear())
afterAll(() => server.stop())

type Case = { asking: keyof typeof asked; stream: boolean }
const cases = (['asks', 'plans', 'reacts'] as const).flatMap((asking) =>
  [true, false].map((stream): Case => ({ asking, stream })),
)

async function started({ asking, stream }: Case) {
  const it = modelAgents({ model: modelAt(server.url), stream })[asking]
  const clock = new EagerClock()
  const store = memoryStore()
  const runtime = await openRuntime({ store, agents: [it], clock })
  const job = await runtime.spawn(it, question, { id: 'job' })
  const check = async () => expect((await replay(it, job.events())).divergence).toBeUndefined()
  return { it, clock, store, runtime, job, check }
}

describe.each(cases)('a job that $asking, streamed: $stream', (given) => {
  const { effect, content } = asked[given.asking]

  test('asks again where no answer comes in time, and takes none that comes later', async () => {
    let arrived = () => {}
    let answer = (_: { content: string }) => {}
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve
    })
    let requests = 0
    server.mock.on({}, () => {
      requests += 1
      if (requests > 1) return { content }
      arrived()
      return new Promise((resolve) => {
        answer = resolve
      })
    })
    const { clock, job, check, runtime } = await started(given)
    await arrival
    clock.expire()
    const end = await job.waitFor(({ status }) => status !== 'active')
    answer({ content: 'too late' })
    expect(String(end.output)).toBe('5000')
    expect(requests).toBe(2)
    expect(await dataOf(job, 'node.retried')).toMatchObject([{ effect, attempt: 1, error: { code: 'TOOL_TIMEOUT' } }])
    await check()
    await runtime.close()
  })

  test('waits for an answer that is late but in time', async () => {
    server.mock.on({}, { content }, { chaos: { latencyMs: 30 } })
    const { job, check, runtime } = await started(given)
    await job.waitFor(({ status }) => status !== 'active')
    expect(server.requests).toHaveLength(1)
    expect(await dataOf(job, 'node.retried')).toEqual([])
    await check()
    await runtime.close()
  })
})

const text = 'It was a dark and stormy night, and the Eiger was five thousand metres high. '.repeat(4)
const slowly = { chunkSize: 4, latency: 3 }

const of = (parts: readonly StreamPart[], attempt: number) =>
  parts.flatMap((part) => (part.type === 'text' && part.attempt === attempt ? [part] : []))

const joined = (parts: readonly StreamPart[], attempt: number) =>
  of(parts, attempt)
    .map((part) => part.text)
    .join('')

describe('a reply that comes piece by piece', () => {
  test('is seen as it comes, and by whoever comes again from where they were', async () => {
    server.mock.on({}, { content: text }, slowly)
    const { job, runtime } = await started({ asking: 'reacts', stream: true })
    const before: StreamPart[] = []
    for await (const part of job.stream()) {
      before.push(part)
      if (of(before, 1).length === 3) break
    }
    expect(job.getSnapshot().status).toBe('active')
    const after: StreamPart[] = []
    for await (const part of job.stream({ after: before.at(-1)?.cursor as string })) after.push(part)
    const all = [...before, ...after]
    expect(joined(all, 1)).toBe(text)
    expect(of(all, 1).length).toBeGreaterThan(10)
    let offset = 0
    for (const part of of(all, 1)) {
      expect(part.offset).toBe(offset)
      offset += part.text.length
    }
    const events = all.flatMap((part) => (part.type === 'event' ? [part.event] : []))
    expect(events).toEqual(await eventsOf(job))
    expect(await job.result()).toBe(text)
    await runtime.close()
  })

  test('is asked for again where its time is over in the middle, and begins anew', async () => {
    server.mock.on({}, { content: text }, slowly)
    const { clock, job, check, runtime } = await started({ asking: 'reacts', stream: true })
    const parts: StreamPart[] = []
    for await (const part of job.stream()) {
      parts.push(part)
      if (part.type === 'text' && of(parts, 1).length === 3 && part.attempt === 1) clock.expire()
    }
    expect(joined(parts, 1)).not.toBe(text)
    expect(text.startsWith(joined(parts, 1))).toBe(true)
    expect(joined(parts, 2)).toBe(text)
    expect(await job.result()).toBe(text)
    expect(await dataOf(job, 'node.retried')).toMatchObject([{ effect: 'think', error: { code: 'TOOL_TIMEOUT' } }])
    expect(server.requests).toHaveLength(2)
    await check()
    await runtime.close()
  })

  test('is asked for again after its process ended in the middle', async () => {
    server.mock.on({}, { content: text }, slowly)
    const { it, job, store, runtime } = await started({ asking: 'reacts', stream: true })
    const before: StreamPart[] = []
    for await (const part of job.stream()) {
      before.push(part)
      if (of(before, 1).length === 3) break
    }
    await runtime.close()

    const second = await openRuntime({ store, agents: [it], clock: new EagerClock() })
    const again = await second.job('job')
    const after: StreamPart[] = []
    for await (const part of again.stream({ after: before.at(-1)?.cursor as string })) after.push(part)
    expect(joined([...before, ...after], 1)).not.toBe(text)
    expect(joined(after, 2)).toBe(text)
    expect(await again.result()).toBe(text)
    expect((await typesOf(again)).slice(-5)).toEqual([
      ...['node.started', 'job.recovered', 'node.attempted', 'node.completed', 'job.completed'],
    ])
    expect(server.requests).toHaveLength(2)
    await second.close()
  })
})
