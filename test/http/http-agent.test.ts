import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { EffectClass } from '../../src/event/event.ts'
import { httpAgent } from '../../src/http/http.ts'
import { replay } from '../../src/replay/replay.ts'
import { agentThat, endAll, rest, started, until } from '../support/away.ts'
import type { Received, Reply } from '../support/other-agent.ts'
import { dataOf, eventsOf } from '../support/scripted.ts'

/** Somebody's agent as a tool, over real HTTP: what each answer, and each fault, means for the call. */

afterEach(endAll)

/** Ports nobody listens at: of a server that was closed again. */
async function deadUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}/agent`
}

describe('a call', () => {
  test('is a POST that says for which attempt of which call of which job it is', async () => {
    const other = await agentThat(() => ({ json: { output: { a: 2 } } }))
    const { job, clock, it } = await started(other.url, 'once', { headers: { Authorization: 'Bearer hunter22' } })
    expect(await rest(job, clock)).toEqual({ output: { a: 2 } })
    const [{ method, path, headers, body } = {} as Received] = other.received
    expect([method, path]).toEqual(['POST', '/agent'])
    expect(body).toEqual({
      input: { q: 1 },
      jobId: 'job',
      effect: 'ask',
      attempt: 1,
      idempotencyKey: 'job/ask',
    })
    expect(headers).toMatchObject({
      authorization: 'Bearer hunter22',
      'content-type': 'application/json',
      'idempotency-key': 'job/ask',
      'aetheris-job': 'job',
      'aetheris-effect': 'ask',
      'aetheris-attempt': '1',
    })
    expect((await replay(it, job.events())).divergence).toBeUndefined()
  })

  test('is sent again under the same key, with the headers of the day', async () => {
    let made = 0
    const headers = async () => {
      made += 1
      return { 'X-Key': `key ${made}` }
    }
    const other = await agentThat((_, nth) => (nth === 1 ? { status: 500 } : { json: { output: 'yes' } }))
    const { job, clock } = await started(other.url, 'idempotent', { headers })
    const again = (await rest(job, clock)) as { againInMs: number }
    clock.goTo(clock.now() + again.againInMs)
    expect(await job.result()).toBe('yes')
    const told = other.received.map(({ headers: sent, body }) => [
      sent['idempotency-key'],
      sent['aetheris-attempt'],
      sent['x-key'],
      body.attempt,
    ])
    expect(told).toEqual([
      ['job/ask', '1', 'key 1', 1],
      ['job/ask', '2', 'key 2', 2],
    ])
  })
})

const json = { 'Content-Type': 'application/json' }
const again = { againInMs: expect.any(Number) }

/** Answers, and what they mean for a call of each class. */
const faults: [string, Reply, { once: unknown; idempotent: unknown }][] = [
  ['200 of another shape', { json: { result: 1 } }, { once: 'unknown', idempotent: again }],
  ['200 that is no JSON', { headers: json, text: '{"output":' }, { once: 'unknown', idempotent: again }],
  [
    '200 with a page',
    { headers: { 'Content-Type': 'text/html' }, text: '<p>' },
    { once: 'unknown', idempotent: again },
  ],
  [
    '200 with a poisoned key',
    { headers: json, text: '{"output":{"__proto__":1}}' },
    { once: 'unknown', idempotent: again },
  ],
  [
    '200 and too deep',
    { headers: json, text: `{"output":${'['.repeat(99)}${']'.repeat(99)}}` },
    { once: 'unknown', idempotent: again },
  ],
  ['200 without end', endless, { once: 'unknown', idempotent: again }],
  ['200 with little that unpacks to much', bomb, { once: 'unknown', idempotent: again }],
  ['200 that breaks off', brokenOff, { once: 'unknown', idempotent: again }],
  ['no answer but a reset', (response) => response.destroy(), { once: 'unknown', idempotent: again }],
  ['no HTTP', (response) => response.socket?.end('SSH-2.0\r\n\r\n'), { once: 'unknown', idempotent: again }],
  ['204', { status: 204 }, { once: 'unknown', idempotent: again }],
  ['301', { status: 301, headers: { Location: '/there' } }, failing('status 301')],
  ['303', { status: 303, headers: { Location: '/there' } }, { once: 'unknown', idempotent: again }],
  ['307', { status: 307, headers: { Location: '/there' } }, failing('status 307')],
  ['400', { status: 400, json: { title: 'No', detail: 'q is missing' } }, failing('status 400: q is missing')],
  ['401', { status: 401 }, failing('status 401')],
  ['408', { status: 408 }, { once: again, idempotent: again }],
  ['409 to the first attempt', { status: 409 }, failing('status 409')],
  ['422', { status: 422, json: { error: { message: 'q is odd' } } }, failing('status 422: q is odd')],
  ['425', { status: 425 }, { once: again, idempotent: again }],
  ['429', { status: 429, headers: { 'Retry-After': '7' } }, same({ againInMs: 7_000 })],
  [
    '429 for a very long time',
    { status: 429, headers: { 'Retry-After': '99999999999' } },
    same({ againInMs: 3_600_000 }),
  ],
  ['429 with a date', { status: 429, headers: { 'Retry-After': 'Wed, 21 Oct 2026 07:28:00 GMT' } }, same(again)],
  ['500', { status: 500 }, { once: 'unknown', idempotent: again }],
  ['501', { status: 501 }, failing('status 501')],
  ['502', { status: 502, headers: { 'Retry-After': '9' } }, { once: 'unknown', idempotent: { againInMs: 9_000 } }],
  ['503', { status: 503 }, { once: 'unknown', idempotent: again }],
  ['503 with Retry-After', { status: 503, headers: { 'Retry-After': '5' } }, same({ againInMs: 5_000 })],
  ['504', { status: 504 }, { once: 'unknown', idempotent: again }],
  ['599', { status: 599 }, { once: 'unknown', idempotent: again }],
  ['a failure', { json: { error: { message: 'no such town' } } }, failing('Agent "away" failed: no such town')],
  [
    '202 with a task of endless name',
    { status: 202, json: { task: 'a'.repeat(1_025) } },
    { once: 'unknown', idempotent: again },
  ],
  ['202 without a task', { status: 202, json: {} }, { once: 'unknown', idempotent: again }],
  [
    '202 elsewhere',
    { status: 202, headers: { Location: 'http://localhost:9/x' } },
    { once: 'unknown', idempotent: again },
  ],
]

function same(result: unknown) {
  return { once: result, idempotent: result }
}

function failing(message: string) {
  return same({ failed: expect.stringContaining(message) })
}

function endless(response: ServerResponse): void {
  response.writeHead(200, json).write('{"output":"')
  const more = () => {
    if (response.destroyed) return
    response.write('a'.repeat(1 << 20))
    setImmediate(more)
  }
  more()
}

function bomb(response: ServerResponse): void {
  response.writeHead(200, { ...json, 'Content-Encoding': 'gzip' }).end(gzipSync(Buffer.alloc(64 << 20, ' ')))
}

function brokenOff(response: ServerResponse): void {
  response.writeHead(200, { ...json, 'Content-Length': '100' }).write('{"output":1', () => response.destroy())
}

describe.each<EffectClass>(['once', 'idempotent'])('of class %s, the answer', (effect) => {
  test.each(faults)('%s', async (_, reply, expected) => {
    const other = await agentThat(() => reply)
    const { job, clock, it } = await started(other.url, effect)
    expect(await rest(job, clock)).toEqual(expected[effect as 'once'])
    expect(other.received).toHaveLength(1)
    expect((await replay(it, job.events())).divergence).toBeUndefined()
  })

  test.each<[string, Reply]>([
    ['never comes', () => {}],
    ['never ends', (response) => void response.writeHead(200, json).write('{"output":')],
  ])('that %s', async (_, reply) => {
    const other = await agentThat(() => reply)
    const { job, clock } = await started(other.url, effect, { timeoutMs: 60_000 })
    await other.until(1)
    clock.goTo(clock.now() + 60_000)
    expect(await rest(job, clock)).toEqual(effect === 'once' ? 'unknown' : again)
  })

  test('of nobody: the request was surely not sent', async () => {
    for (const url of [await deadUrl(), 'http://nobody.invalid/agent']) {
      const { job, clock } = await started(url, effect)
      expect(await rest(job, clock)).toEqual(again)
      expect((await dataOf(job, 'node.retried'))[0]?.error.message).toContain('so nothing was sent')
    }
  })

  test('that is not sent, as its headers could not be made', async () => {
    const other = await agentThat(() => ({ json: { output: 1 } }))
    const headers = () => Promise.reject(new Error('no token today'))
    const { job, clock } = await started(other.url, effect, { headers })
    expect(await rest(job, clock)).toEqual(again)
    expect((await dataOf(job, 'node.retried'))[0]?.error.message).toContain('no token today')
    expect(other.received).toEqual([])
  })

  test('409 to a later attempt says that the one before is at work', async () => {
    const other = await agentThat((_, nth) => ({ status: nth === 1 ? 429 : 409, headers: { 'Retry-After': '1' } }))
    const { job, clock } = await started(other.url, effect, { retry: { maxAttempts: 3 } })
    await rest(job, clock)
    clock.goTo(clock.now() + 1_000)
    await other.until(2)
    await job.waitFor(({ pending }) => pending[0]?.attempt === 2 && pending[0].status !== 'started')
    expect(await rest(job, clock)).toEqual(effect === 'once' ? 'unknown' : { againInMs: 1_000 })
  })
})

describe('what is secret', () => {
  const key = 'hunter22-of-the-day'

  test.each<[string, Reply]>([
    ['said back', { status: 400, json: { detail: `"Bearer ${key}" is not allowed; ${key}!` } }],
    ['said back as a failure', { json: { error: { message: `bad key ${key}` } } }],
  ])('is in no event, also where it is %s', async (_, reply) => {
    const other = await agentThat(() => reply)
    const url = `${other.url}?key=${key}`
    const { job, clock } = await started(url, 'once', { headers: { Authorization: `Bearer ${key}` } })
    expect(await rest(job, clock)).toEqual({ failed: expect.stringContaining('[secret]') })
    expect(JSON.stringify(await eventsOf(job))).not.toContain(key)
    expect(other.received[0]?.path).toBe(`/agent?key=${key}`)
  })

  test.each([301, 302, 303, 307, 308])('goes nowhere else by a redirect (%i)', async (status) => {
    const elsewhere = await agentThat(() => ({ json: { output: 'got it' } }))
    const other = await agentThat(() => ({ status, headers: { Location: elsewhere.url } }))
    const { job, clock } = await started(other.url, 'idempotent', { headers: { Authorization: `Bearer ${key}` } })
    await rest(job, clock)
    expect([other.received.length, elsewhere.received]).toEqual([1, []])
  })

  test('is in no event where it is no legal header', async () => {
    const other = await agentThat(() => ({ json: { output: 1 } }))
    const { job, clock } = await started(other.url, 'once', { headers: () => ({ Authorization: `${key}\nx: y` }) })
    await rest(job, clock)
    expect(other.received).toEqual([])
    expect(JSON.stringify(await eventsOf(job))).not.toContain(key)
  })

  test.each<[string, object]>([
    ['a header', { url: 'http://127.0.0.1/', headers: { Authorization: `${key}\nx` } }],
    ['a URL', { url: `http://ana:${key}@127.0.0.1/` }],
    ['no URL', { url: key }],
    ['another protocol', { url: `file:///${key}` }],
  ])('is not shown where a definition is refused: %s', (_, options) => {
    let refused: unknown
    try {
      httpAgent({ name: 'away', url: '', input: z.any(), output: z.any(), ...options })
    } catch (error) {
      refused = error
    }
    expect(refused).toMatchObject({ code: 'AGENT_INVALID' })
    expect(String(refused)).not.toContain(key)
  })
})

describe('a call that is called off', () => {
  test('aborts its request, and nobody knows what it did', async () => {
    let isClosed = false
    const other = await agentThat(() => (response) => {
      response.once('close', () => {
        isClosed = true
      })
    })
    const { job } = await started(other.url, 'once')
    await other.until(1)
    await job.cancel()
    await job.waitFor(({ pending }) => pending[0]?.status === 'unknown')
    await until(() => isClosed)
    expect((await dataOf(job, 'node.outcome_unknown'))[0]).toMatchObject({ reason: 'lost' })
  })

  test('has done nothing where it only reads', async () => {
    const other = await agentThat(() => () => {})
    const { job } = await started(other.url, 'read')
    await other.until(1)
    await job.cancel()
    await job.waitFor(({ status }) => status === 'stopped')
    expect(await dataOf(job, 'node.cancelled')).toHaveLength(1)
  })
})
