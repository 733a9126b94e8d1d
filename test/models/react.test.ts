import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ChatCompletionRequest } from '@copilotkit/aimock'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { openRuntime, tool } from '../../src/index.ts'
import { ledgerOf, type Message, priceTable, reactAgent } from '../../src/models/models.ts'
import { replay } from '../../src/replay/replay.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { EagerClock } from '../support/eager-clock.ts'
import { ModelServer, modelAt, secrets } from '../support/model-server.ts'
import { eventsOf } from '../support/scripted.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

/** A model that calls tools over several steps, by fixtures that answer only what the tools really gave. */

const servers: ModelServer[] = []
afterAll(async () => {
  for (const server of servers) await server.stop()
  await removeDirectories()
})

const usage = {
  prompt_tokens: 100,
  completion_tokens: 20,
  prompt_tokens_details: { cached_tokens: 60 },
  completion_tokens_details: { reasoning_tokens: 5 },
}

const call = (id: string, name: string, given: object) => ({ id, name, arguments: JSON.stringify(given) })

/** Strict: a request that is not the next one of the conversation is answered with an error. */
async function climbing(): Promise<ModelServer> {
  const server = await ModelServer.start()
  servers.push(server)
  server.mock
    .on(
      { userMessage: 'higher', systemMessage: 'mountains', hasToolResult: false },
      { toolCalls: [call('c1', 'height', { of: 'Eiger' }), call('c2', 'height', { of: 'Mönch' })], usage },
    )
    .on(
      { toolCallId: 'c2', toolResultContains: '4110' },
      { content: 'The Mönch, then.', toolCalls: [call('c3', 'book', { hut: 'Mönchsjoch' })], usage },
    )
    .on({ toolCallId: 'c3', toolResultContains: 'full' }, { toolCalls: [call('c4', 'book', { hut: 'Guggi' })], usage })
    .on({ toolCallId: 'c4', toolResultContains: 'bed 7' }, { content: 'Bed 7 in the Guggi hut.', usage })
  return server
}

const heights: Record<string, number> = { Eiger: 3_967, Mönch: 4_110 }

/** The tools, and what was really done by them. */
function world() {
  const booked: string[] = []
  let waiting: (() => void)[] = []
  const height = tool({
    name: 'height',
    input: z.object({ of: z.string() }),
    output: z.int(),
    effect: 'read',
    // Each call waits for the other: the two are under way at a time, or neither ends.
    async run({ of }, { attempt }) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
        if (waiting.length < 2 && attempt === 1) return
        for (const wake of waiting) wake()
        waiting = []
      })
      return heights[of] ?? 0
    },
  })
  const book = tool({
    name: 'book',
    description: 'Books a bed in a hut.',
    input: z.object({ hut: z.string() }),
    output: z.string(),
    run({ hut }) {
      booked.push(hut)
      return hut === 'Guggi' ? 'bed 7' : 'full'
    },
  })
  return { booked, tools: [height, book] }
}

const prices = priceTable({
  currency: 'USD',
  models: { 'local/small': { input: 1_000_000, cached: 100_000, output: 10_000_000 } },
})

interface Options {
  stream?: boolean
  prompt?(input: string): Message[]
}

function climber(server: ModelServer, tools: ReturnType<typeof world>['tools'], options: Options = {}) {
  // Only under this path does the server tell of cached tokens, as some providers do.
  const model = modelAt(`${server.mock.url}/api/v1`)
  return reactAgent({ name: 'climber', model, prices, tools, instructions: 'You know mountains.', ...options })
}

const asks = 'Which is higher? Book a bed there.'

test.each([true, false])('tools are called in parallel and one after another, streamed: %s', async (stream) => {
  const server = await climbing()
  const { booked, tools } = world()
  const it = climber(server, tools, { stream })
  const directory = await newDirectory()
  const runtime = await openRuntime({ store: levelStore(directory), agents: [it], clock: new EagerClock() })
  const job = await runtime.spawn(it, asks, { id: 'job' })
  expect(await job.result()).toBe('Bed 7 in the Guggi hut.')
  expect(booked).toEqual(['Mönchsjoch', 'Guggi'])
  const events = await eventsOf(job)
  const effects = events.flatMap(({ type, data }) =>
    type === 'node.completed' ? [(data as { effect: string }).effect] : [],
  )
  expect(effects).toEqual(['think', 'act/0', 'act/1', 'think#2', 'act/0#2', 'think#3', 'act/0#3', 'think#4'])
  expect(server.requests).toHaveLength(4)
  const last = server.requests[3]?.body as ChatCompletionRequest | undefined
  expect(last?.messages.map(({ role }) => role)).toEqual([
    ...['system', 'user', 'assistant', 'tool', 'tool', 'assistant', 'tool', 'assistant', 'tool'],
  ])
  expect((await replay(it, events)).divergence).toBeUndefined()

  const { jobs, nodes } = await ledgerOf(events)
  expect(jobs['job']).toMatchObject({
    ...{ calls: 4, inputTokens: 400, cachedTokens: 240, outputTokens: 80, reasoningTokens: 20, partial: 0 },
    microUnits: { USD: 4 * (40 + 6 + 200) },
  })
  expect(nodes['job']).toMatchObject({ think: { calls: 4 } })

  await runtime.close()
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const bytes = readFileSync(join(entry.parentPath, entry.name)).toString('latin1')
    for (const secret of Object.values(secrets)) expect(bytes).not.toContain(secret)
  }
})

test('an end of the process at any event leads to the same, with no more asked and booked than is told', async () => {
  const server = await climbing()
  let seq = 1
  for (let isOver = false; !isOver; seq += 1) {
    server.mock.clearRequests()
    const { booked, tools } = world()
    const it = climber(server, tools)
    const store = memoryStore()
    const first = await openRuntime({ store, agents: [it], clock: new EagerClock() })
    const job = await first.spawn(it, asks, { id: 'job' })
    const { status } = await job.waitFor((snapshot) => snapshot.seq >= seq || snapshot.status !== 'active')
    isOver = status !== 'active'
    await first.close()
    const second = await openRuntime({ store, agents: [it], clock: new EagerClock() })
    const again = await second.job('job')
    const isOpen = ({ status }: { status: string }) => status === 'unknown'
    await again.waitFor(({ status, pending }) => status !== 'active' || pending.some(isOpen))
    // Whether a bed was booked when the process ended, only somebody who looks can say.
    if (again.getSnapshot().status === 'active') {
      const effect = again.getSnapshot().pending[0]?.effect as string
      const [hut, answer] = effect.endsWith('#2') ? ['Mönchsjoch', 'full'] : ['Guggi', 'bed 7']
      const as = booked.includes(hut as string) ? { completed: answer } : 'again'
      await again.resolve(effect, as, { by: 'ana', reason: 'looked' })
    }
    expect(await again.result()).toBe('Bed 7 in the Guggi hut.')
    expect(booked).toEqual(['Mönchsjoch', 'Guggi'])
    const events = await eventsOf(again)
    const thoughts = events.filter(({ data }) => 'effect' in data && data.effect?.startsWith('think'))
    const count = (...types: string[]) => thoughts.filter(({ type }) => types.includes(type)).length
    expect(count('node.completed')).toBe(4)
    expect(server.requests.length).toBeGreaterThanOrEqual(4)
    expect(server.requests.length).toBeLessThanOrEqual(count('node.started', 'node.attempted'))
    expect((await replay(it, events)).divergence).toBeUndefined()
    await second.close()
  }
  expect(seq).toBeGreaterThan(15)
})

test('a request that is not the recorded one is found by its digest, and nothing is asked', async () => {
  const server = await climbing()
  const { tools } = world()
  const beginning = (hello: string) => ({
    prompt: (input: string): Message[] => [hello, input].map((content) => ({ role: 'user', content })),
  })
  const it = climber(server, tools, beginning('Hello.'))
  const store = memoryStore()
  const first = await openRuntime({ store, agents: [it], clock: new EagerClock() })
  const job = await first.spawn(it, asks, { id: 'job' })
  await job.waitFor(({ seq }) => seq >= 3)
  const events = await eventsOf(job)
  await first.close()
  const asked = server.requests.length

  const changed = climber(server, tools, beginning('Good day.'))
  const { divergence } = await replay(changed, events)
  expect(divergence).toMatchObject({ path: 'data.input.digest', recorded: expect.any(String) })
  const second = await openRuntime({ store, agents: [changed], clock: new EagerClock(), onProblem: () => {} })
  await expect(second.job('job')).rejects.toMatchObject({ code: 'REPLAY_DIVERGED' })
  await second.close()
  expect(server.requests).toHaveLength(asked)
})
