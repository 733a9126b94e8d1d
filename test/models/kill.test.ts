import { fork } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openRuntime } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import type { StreamPart } from '../../src/runtime/stream.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { type Asking, asked, modelAgents } from '../support/model-agents.ts'
import type { ModelChildOptions } from '../support/model-child.ts'
import { ModelServer, modelAt } from '../support/model-server.ts'
import { eventsOf } from '../support/scripted.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

/** A real process that is killed with SIGKILL in the middle of a reply. The server lives on, and counts. */

afterAll(removeDirectories)

const script = join(import.meta.dirname, '../support/model-child.ts')

/** Lets a process live until it has told of `texts` pieces of text. Gives all that it told of. */
async function killedAfter(texts: number, options: ModelChildOptions): Promise<StreamPart[]> {
  const child = fork(script, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const parts: StreamPart[] = []
  let said = ''
  child.stderr?.on('data', (chunk) => {
    said += chunk
  })
  child.on('message', (part: StreamPart) => {
    parts.push(part)
    if (part.type === 'text' && textsIn(parts).length === texts) child.kill('SIGKILL')
  })
  const ended = new Promise((resolve) => child.once('exit', (_, by) => resolve(by)))
  child.send(options)
  if ((await ended) !== 'SIGKILL') throw new Error(`The process was not killed in the middle. ${said}`)
  return parts
}

function textsIn(parts: readonly StreamPart[]) {
  return parts.flatMap((part) => (part.type === 'text' ? [part] : []))
}

const slowly = { chunkSize: 4, latency: 5 }
/** So long that a process is killed well before its end. */
const padding = ' '.repeat(1_000)
const metres = `5000${padding}metres`

/** A server that answers quickly what is asked first, and takes its time for the rest. */
async function serverFor(asking: Asking): Promise<ModelServer> {
  const server = await ModelServer.start()
  const { mock } = server
  const call = { id: 'c1', name: 'height', arguments: '{"of":"Eiger"}' }
  if (asking === 'reacts') mock.on({ hasToolResult: false }, { toolCalls: [call] })
  if (asking === 'plans') mock.on({}, { content: asked.plans.content + padding }, slowly)
  mock.on({}, { content: metres }, slowly)
  return server
}

const ends = { asks: metres, plans: 5_000, reacts: metres }
/** Requests of which the reply was recorded before the first kill. */
const before = { asks: 0, plans: 0, reacts: 1 }
/** The effect whose reply is cut off. */
const cut = { asks: 'ask', plans: 'job.planner', reacts: 'think#2' }

describe.concurrent('a process that is killed in the middle of a reply', () => {
  test.each([
    { asking: 'asks', kills: [1] },
    { asking: 'asks', kills: [20, 3] },
    { asking: 'plans', kills: [5] },
    { asking: 'reacts', kills: [10] },
  ] as const)('$asking, after $kills pieces', async ({ asking, kills }) => {
    const server = await serverFor(asking)
    const directory = await newDirectory()
    const seen: StreamPart[] = []
    for (const texts of kills) seen.push(...(await killedAfter(texts, { directory, url: server.url, asking })))

    const it = modelAgents({ model: modelAt(server.url) })[asking]
    const runtime = await openRuntime({ store: levelStore(directory), agents: [it] })
    const job = await runtime.job('job')
    const after: StreamPart[] = []
    for await (const part of job.stream({ after: seen.at(-1)?.cursor as string })) after.push(part)
    const events = await eventsOf(job)

    // The reply that counts is the recorded one, which the last attempt gave from its begin.
    expect(job.getSnapshot().output).toBe(ends[asking])
    const last = kills.length + 1
    const text = textsIn(after)
      .map((part) => part.text)
      .join('')
    expect(text.trim()).toBe((asking === 'plans' ? asked.plans.content : metres).trim())
    expect(textsIn(after).every(({ attempt, effect }) => attempt === last && effect === cut[asking])).toBe(true)
    expect(textsIn(after)[0]?.offset).toBe(0)

    // Each attempt that was cut off is told, before the next one begins, and each of them is a request.
    const told = events.filter(({ data }) => 'effect' in data && data.effect === cut[asking])
    expect(told.map(({ type }) => type)).toEqual([
      'node.started',
      ...kills.map(() => 'node.attempted'),
      ...(asking === 'plans' ? [] : ['node.completed']),
    ])
    expect(events.filter(({ type }) => type === 'job.recovered')).toHaveLength(kills.length)
    expect(server.requests).toHaveLength(before[asking] + last)

    expect((await replay(it, events)).divergence).toBeUndefined()
    await runtime.close()
    const again = await openRuntime({ store: levelStore(directory), agents: [it] })
    expect(await eventsOf(await again.job('job'))).toEqual(events)
    await again.close()
    expect(server.requests).toHaveLength(before[asking] + last)
    await server.stop()
  })
})
