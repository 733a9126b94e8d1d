import type { FixtureFileResponse, FixtureOpts } from '@copilotkit/aimock'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { JobEvent } from '../../src/event/event.ts'
import { openRuntime } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { EagerClock } from '../support/eager-clock.ts'
import { type Asking, asked, modelAgents, question } from '../support/model-agents.ts'
import { ModelServer, modelAt, secrets } from '../support/model-server.ts'
import { eventsOf } from '../support/scripted.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

/**
 * Every fault of a model server, in every way in which a job asks a model, streamed or not: each request is an event
 * and each event a request, the job ends as it should, and neither replay nor recovery asks again.
 */

interface Fault {
  response?: FixtureFileResponse
  options?: FixtureOpts
  /** What the history says of it. */
  says: RegExp
  /** As the server put it down; 0 where it gave none. */
  status: number
  /** How long the server asks to wait. */
  delayMs?: number
  /** Another attempt makes no sense. */
  isFinal?: true
  /** There is no such thing where the reply comes in one piece. */
  ofStreams?: true
}

const refusal = (status: number, retryAfter?: number): Pick<Fault, 'response' | 'status'> => ({
  status,
  response: { error: { message: 'not now' }, status, ...(retryAfter === undefined ? {} : { retryAfter }) },
})

const faults: Record<string, Fault> = {
  '429 with Retry-After': { ...refusal(429, 7), says: /answered with status 429: not now/, delayMs: 7_000 },
  '500': { ...refusal(500), says: /answered with status 500: not now/ },
  '503': { ...refusal(503), says: /answered with status 503: not now/ },
  '400': { ...refusal(400), says: /answered with status 400: not now/, isFinal: true },
  '401': { ...refusal(401), says: /answered with status 401: not now/, isFinal: true },
  'a request that is dropped': { options: { chaos: { dropRate: 1 } }, says: /status 500/, status: 500 },
  'a limit of rates': { options: { chaos: { rateLimitRate: 1 } }, says: /status 429/, status: 429, delayMs: 1_000 },
  'a reply that is no JSON': {
    options: { chaos: { malformedRate: 1 } },
    says: /Invalid JSON response|ended without a finish reason/,
    status: 200,
  },
  'a connection that closes': { options: { chaos: { disconnectRate: 1 } }, says: /did not answer/, status: 0 },
  'a connection that closes after the begin': {
    options: { truncateAfterChunks: 3, latency: 2, chunkSize: 1 },
    says: /did not answer|status 200: Failed to process/,
    status: 200,
    ofStreams: true,
  },
}

const stores = {
  'in memory': async () => memoryStore(),
  'on LevelDB': async () => levelStore(await newDirectory()),
}

let server: ModelServer
beforeAll(async () => {
  server = await ModelServer.start()
})
afterEach(() => server.clear())
afterAll(async () => {
  await server.stop()
  await removeDirectories()
})

/** Lets the server answer so for the first requests, and well from then on. */
function answersBadly(asking: Asking, { response, options }: Fault, times: number): void {
  const good = { content: asked[asking].content }
  server.mock.on({ predicate: () => server.requests.length < times }, response ?? good, options)
  server.mock.on({}, good)
}

/** What the events say of the attempts to reach the model. */
function attemptsIn(events: readonly JobEvent[], effect: string) {
  const of = events.filter(({ data }) => 'effect' in data && data.effect === effect)
  return {
    begun: of.filter(({ type }) => type === 'node.started' || type === 'node.attempted').length,
    failures: of.flatMap(({ type, data }) =>
      type === 'node.retried' || type === 'node.failed'
        ? [data as { error: { message: string }; delayMs?: number }]
        : [],
    ),
  }
}

interface Case {
  asking: Asking
  stream: boolean
  store: keyof typeof stores
}

/** Runs one job to its end, then looks at it again without its process: by replay and by recovery. */
async function runs({ asking, stream, store: kind }: Case) {
  const it = modelAgents({ model: modelAt(server.url), stream })[asking]
  const store = await stores[kind]()
  const runtime = await openRuntime({ store, agents: [it], clock: new EagerClock() })
  const job = await runtime.spawn(it, question, { id: 'job' })
  const end = await job.waitFor(({ status }) => status !== 'active')
  const events = await eventsOf(job)
  const asks = server.requests.length
  expect((await replay(it, events)).divergence).toBeUndefined()
  await runtime.close()

  const after = await openRuntime({ store, agents: [it], clock: new EagerClock() })
  const again = await after.job('job')
  expect(again.getSnapshot().output).toEqual(end.output)
  expect(await eventsOf(again)).toEqual(events)
  await after.close()
  expect(server.requests).toHaveLength(asks)

  const text = JSON.stringify(events)
  for (const secret of [...Object.values(secrets), 'authorization', 'x-team', 'x-ratelimit', 'stream_options'])
    expect(text).not.toContain(secret)
  return { end, events, ...attemptsIn(events, asked[asking].effect) }
}

const cases = (['asks', 'plans', 'reacts'] as const).flatMap((asking) =>
  [true, false].flatMap((stream) =>
    (['in memory', 'on LevelDB'] as const).map((store): Case => ({ asking, stream, store })),
  ),
)

describe.each(cases)('a job that $asking, streamed: $stream, $store', (given) => {
  const possible = Object.entries(faults).filter(([, { ofStreams }]) => given.stream || !ofStreams)

  test('asks once where nothing is wrong', async () => {
    server.mock.on({}, { content: asked[given.asking].content })
    const { end, begun, failures } = await runs(given)
    expect(String(end.output)).toBe('5000')
    expect({ begun, failures }).toEqual({ begun: 1, failures: [] })
    expect(server.requests).toHaveLength(1)
  })

  test.each(possible)('%s, once', async (_, fault) => {
    answersBadly(given.asking, fault, 1)
    const { end, begun, failures } = await runs(given)
    expect(failures).toMatchObject([{ error: { message: expect.stringMatching(fault.says) } }])
    expect(begun).toBe(fault.isFinal ? 1 : 2)
    expect(server.requests.map(({ response }) => response.status)).toEqual(
      fault.isFinal ? [fault.status] : [fault.status, 200],
    )
    if (fault.isFinal) expect(end).toMatchObject({ status: 'error', error: { name: 'TerminalError' } })
    else expect(String(end.output)).toBe('5000')
    if (fault.delayMs !== undefined) expect(failures[0]?.delayMs).toBe(fault.delayMs)
  })

  test.each(possible.filter(([, { isFinal }]) => !isFinal))('%s, always', async (_, fault) => {
    answersBadly(given.asking, fault, Number.POSITIVE_INFINITY)
    const { end, begun, failures } = await runs(given)
    expect(end).toMatchObject({ status: 'error', error: { name: 'RetryableError' } })
    expect(end.error?.message).toMatch(fault.says)
    expect(failures).toHaveLength(3)
    expect(begun).toBe(3)
    expect(server.requests.map(({ response }) => response.status)).toEqual(Array(3).fill(fault.status))
  })
})
