import { Agent, request } from 'node:http'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { errorCodes } from '../../src/base/error.ts'
import { exposeTools } from '../../src/http/http.ts'
import { Tokens } from '../../src/http/tokens.ts'
import { replay } from '../../src/replay/replay.ts'
import { until } from '../support/away.ts'
import { type Outside, outside } from '../support/outside.ts'
import { check } from '../support/property.ts'
import { dataOf, typesOf } from '../support/scripted.ts'

/** Calls of tools that come in over HTTP, from an external agent that works for a job. */

let it: Outside
beforeEach(async () => {
  it = await outside()
})
afterEach(async () => {
  expect(it.problems).toEqual([])
  await it.close()
})

const oslo = { key: 'hotel', tool: 'book', input: { town: 'Oslo' } }

/** Waits for the tool to be called by the job of a key. */
const begun = (count: number) => until(() => it.script.begun.length === count)

describe('a call', () => {
  test('is a job of its own, and is answered with its outcome', async () => {
    const answer = it.call(oslo, { wait: 20 })
    await begun(1)
    it.script.answer('call', { room: 7 })
    const response = await answer
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      ...{ key: 'hotel', job: 'job/trip/hotel', status: 'completed', output: { room: 7 } },
    })
    const job = await it.runtime.job('job/trip/hotel')
    expect(await dataOf(job, 'job.created')).toMatchObject([
      { agent: 'calls', input: { for: { jobId: 'job', effect: 'trip' }, ...oslo } },
    ])
    expect(await dataOf(job, 'node.started')).toMatchObject([{ tool: 'book', class: 'once', input: { town: 'Oslo' } }])
    expect((await replay(job.agent, job.events())).divergence).toBeUndefined()
  })

  test('that takes long is answered with where to ask, and asked about', async () => {
    const response = await it.call(oslo)
    expect([response.status, response.headers.get('location')]).toEqual([202, `${it.url}/hotel`])
    expect(await response.json()).toMatchObject({
      ...{ key: 'hotel', status: 'pending' },
      reasons: [{ kind: 'call', what: expect.stringContaining('call: '), owes: expect.any(String) }],
    })
    await begun(1)
    const end = fetch(`${response.headers.get('location')}?wait=20`, {
      headers: { Authorization: `Bearer ${it.token}` },
    })
    it.script.answer('call', 'done')
    expect(await (await end).json()).toMatchObject({ status: 'completed', output: 'done' })
  })

  test('is made once, however often and at once it is delivered', async () => {
    const all = Array.from({ length: 50 }, () => it.call(oslo, { wait: 20 }))
    await begun(1)
    it.script.answer('call', 'done')
    const bodies = await Promise.all((await Promise.all(all)).map((response) => response.json()))
    expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1)
    expect(bodies[0]).toMatchObject({ status: 'completed', output: 'done' })
    expect(await (await it.call(oslo)).json()).toEqual(bodies[0])
    expect(it.script.begun).toEqual(['book call'])
  })

  test('with another input or tool under the same key is refused, also where both come at once', async () => {
    const bergen = { ...oslo, input: { town: 'Bergen' } }
    const look = { ...oslo, tool: 'look' }
    const answers = await Promise.all([oslo, bergen, look, oslo, bergen, look].map((call) => it.call(call)))
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 202, 409, 409, 409, 409])
    const refused = answers.find(({ status }) => status === 409)
    expect(refused?.headers.get('content-type')).toBe('application/problem+json')
    expect(await refused?.json()).toMatchObject({ status: 409, code: 'CALL_CONFLICT', title: expect.any(String) })
    await begun(1)
  })

  test('may have anything as its input that the tool takes', async () => {
    const input = { $ref: ['call'], $input: [], $literal: { deep: [null, { $case: 1 }] }, constructor: 'x' }
    await it.call({ key: 'any', tool: 'look', input })
    await begun(1)
    expect(it.script.call('call').input).toEqual(input)
  })

  test('that fails is answered with its failure, and stays so', async () => {
    const answer = it.call(oslo, { wait: 20 })
    await begun(1)
    it.script.fail('call', new Error('sold out'))
    expect(await (await answer).json()).toMatchObject({
      ...{ status: 'failed', error: { name: 'Error', message: 'sold out' } },
    })
    expect(await (await it.call(oslo)).json()).toMatchObject({ status: 'failed' })
    expect(it.script.begun).toHaveLength(1)
  })

  test('that somebody has to agree to says so, until somebody does', async () => {
    const parked = await it.call({ key: 'big', tool: 'ask', input: 1 })
    expect(parked.status).toBe(202)
    const job = await it.runtime.job('job/trip/big')
    await job.waitFor(({ pending }) => pending[0]?.status === 'approving')
    expect(await (await it.ask('big')).json()).toMatchObject({
      ...{
        status: 'pending',
        reasons: [{ kind: 'approval', what: 'call needs somebody to agree to a call of ask.', owes: 'somebody' }],
      },
    })
    const answer = it.ask('big', { wait: 20 })
    await job.approve('call', { by: 'ana' })
    await begun(1)
    it.script.answer('call', 'agreed')
    expect(await (await answer).json()).toMatchObject({ status: 'completed', output: 'agreed' })
  })

  test('whose outcome was lost says so, and is not made again by asking again', async () => {
    await it.call(oslo)
    await begun(1)
    await it.reopen()
    const again = await it.call(oslo)
    expect(again.status).toBe(202)
    expect(await again.json()).toMatchObject({
      reasons: [{ kind: 'outcome', what: 'Nobody knows how attempt 1 of call ended, and it must not be made twice.' }],
    })
    const decider = { by: 'ana', reason: 'saw the booking' }
    await (await it.runtime.job('job/trip/hotel')).resolve('call', { completed: { room: 7 } }, decider)
    expect(await (await it.ask('hotel', { wait: 20 })).json()).toMatchObject({ output: { room: 7 } })
    expect(it.script.begun).toEqual(['book call'])
  })
})

describe('what is refused', () => {
  async function refusal(response: Response) {
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    const { status, code, issues } = await response.json()
    expect(status).toBe(response.status)
    return [
      status,
      code,
      ...(issues === undefined ? [] : [issues.map(({ path }: { path: string[] }) => path.join('.'))]),
    ]
  }

  test.each<[string, unknown, unknown[]]>([
    ['an unknown tool', { ...oslo, tool: 'fly' }, [404, 'TOOL_UNKNOWN']],
    ['a tool of every object', { ...oslo, tool: 'constructor' }, [404, 'TOOL_UNKNOWN']],
    ['an input that does not fit', { ...oslo, input: { town: 7 } }, [422, 'INPUT_INVALID', ['town']]],
    ['no input', { key: 'a', tool: 'book' }, [422, 'INPUT_INVALID', ['input']]],
    ['a key that is none', { ...oslo, key: '../other' }, [422, 'INPUT_INVALID', ['key']]],
    ['a long key', { ...oslo, key: 'a'.repeat(129) }, [422, 'INPUT_INVALID', ['key']]],
    ['what nobody asked for', { ...oslo, job: 'other' }, [422, 'INPUT_INVALID', ['']]],
    ['no object', [], [422, 'INPUT_INVALID', ['']]],
    ['no JSON', '{"key":', [400, 'REQUEST_INVALID']],
    ['a poisoned key', '{"__proto__":{}}', [400, 'REQUEST_INVALID']],
    ['depth', `{"input":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, [413, 'LIMIT_EXCEEDED']],
    ['size', { ...oslo, input: { town: 'a'.repeat(1 << 20) } }, [413, 'LIMIT_EXCEEDED']],
  ])('%s', async (_, body, expected) => {
    expect(await refusal(await it.call(body))).toEqual(expected)
    expect(it.script.begun).toEqual([])
  })

  test.each<[string, Record<string, string>, unknown[]]>([
    ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }, [415, 'REQUEST_INVALID']],
    ['a page of another origin', { Origin: 'https://evil.example' }, [403, 'ACCESS_REFUSED']],
    ['no token', { Authorization: '' }, [401, 'ACCESS_REFUSED']],
    ['another scheme', { Authorization: 'Basic YTpi' }, [401, 'ACCESS_REFUSED']],
  ])('%s', async (_, headers, expected) => {
    expect(await refusal(await it.call(oslo, { headers }))).toEqual(expected)
  })

  test('a name that was made to lead here', async () => {
    const { port } = new URL(it.url)
    const status = await new Promise((resolve) => {
      const sent = request({
        port,
        path: '/calls',
        headers: { Host: 'evil.example', Authorization: `Bearer ${it.token}` },
      })
      sent.on('response', (response) => resolve(response.resume().statusCode)).end()
    })
    expect(status).toBe(403)
  })

  test('a large body that nobody wants, and the connection is not held up by it', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const statusOf = (method: string, body = '') =>
      new Promise((resolve, reject) => {
        const headers = { Authorization: `Bearer ${it.token}`, 'Content-Type': 'application/json' }
        const sent = request(it.url, { agent, method, headers }, (response) => {
          resolve(response.resume().statusCode)
        })
        sent.on('error', reject).end(body)
      })
    const large = 'a'.repeat(16 << 20)
    expect(await Promise.all([statusOf('POST', large), statusOf('GET')])).toEqual([413, 200])
    agent.destroy()
  })

  test.each(['61', '-1', '1.5', 'soon', '1e1'])('to wait for %s seconds, before anything is begun', async (wait) => {
    expect(await refusal(await it.call(oslo, { wait: wait as never }))).toEqual([400, 'REQUEST_INVALID'])
    expect(await refusal(await it.ask('hotel'))).toEqual([404, 'JOB_NOT_FOUND'])
  })

  test('other methods and places', async () => {
    const headers = { Authorization: `Bearer ${it.token}` }
    const wrong = await fetch(it.url, { method: 'DELETE', headers })
    expect([wrong.headers.get('allow'), ...(await refusal(wrong))]).toEqual(['GET, POST', 405, 'REQUEST_INVALID'])
    for (const path of ['/', '/callsign', '/calls/a/b', '/calls/%ff', '/calls/%2e%2e', '/'])
      expect(await refusal(await fetch(it.server.url + path, { headers }))).toEqual([404, 'REQUEST_INVALID'])
  })
})

test.each<[string, object]>([
  ['no URL', { url: 'calls' }],
  ['a URL of another protocol', { url: 'ftp://127.0.0.1/calls' }],
  ['a URL with a query', { url: 'http://127.0.0.1/calls?a=b' }],
  ['a URL with a password', { url: 'http://a:b@127.0.0.1/calls' }],
  ['a secret that can be guessed', { secret: 'too-short' }],
  ['a name that is none', { name: '' }],
])('tools are not exposed with %s', (_, options) => {
  let refused: unknown
  try {
    exposeTools({ tools: [], url: 'http://127.0.0.1/calls', ...options })
  } catch (error) {
    refused = error
  }
  expect(refused).toMatchObject({ code: 'AGENT_INVALID' })
  expect(String(refused)).not.toContain('too-short')
})

test('whatever is sent gets an answer of a known kind', async () => {
  const path = fc.oneof(fc.constantFrom('/calls', '/calls/', '/calls/hotel', '/calls?wait=0'), fc.webPath())
  const header = fc.record(
    {
      Authorization: fc.oneof(fc.constant(`Bearer ${it.token}`), fc.stringMatching(/^[ -~]{0,30}$/)),
      'Content-Type': fc.constantFrom('application/json', 'text/plain'),
      Origin: fc.constantFrom('null', 'https://evil.example', new URL(it.url).origin),
    },
    { requiredKeys: ['Authorization', 'Content-Type'] },
  )
  const json = fc.record(
    { key: fc.string({ maxLength: 4 }), tool: fc.constantFrom('fly', '__proto__', 'toString'), input: fc.jsonValue() },
    { requiredKeys: [] },
  )
  const body = fc.oneof(
    json.map((value) => JSON.stringify(value)),
    fc.json(),
    fc.string(),
  )
  const method = fc.constantFrom('GET', 'POST', 'PUT', 'HEAD', 'OPTIONS')
  const property = fc.asyncProperty(method, path, header, body, async (how, where, headers, said) => {
    const hasBody = how !== 'GET' && how !== 'HEAD'
    const request = { method: how, headers: headers as Record<string, string>, ...(hasBody ? { body: said } : {}) }
    const response = await fetch(it.server.url + where, request)
    if (response.ok) return void expect((await response.json()).tools).toHaveLength(3)
    expect(response.status).toBeLessThan(500)
    if (how !== 'HEAD') expect(errorCodes).toHaveProperty((await response.json()).code)
  })
  await check(property, 300)
  expect(it.script.begun).toEqual([])
})

describe('a token', () => {
  const statusOf = async (token: string) => (await it.call(oslo, { token })).status

  test('that is forged, changed, or of another secret or endpoint is refused', async () => {
    const [claim, signature = ''] = it.token.split('.')
    const other = Buffer.from(JSON.stringify(['other', 'trip'])).toString('base64url')
    const last = signature.at(-1) === 'A' ? 'B' : 'A'
    const caller = { jobId: 'job', effect: 'trip' }
    const forged = [
      `${other}.${signature}`,
      `${claim}.${signature.slice(0, -1)}${last}`,
      `${claim}.`,
      `${claim}`,
      'a'.repeat(10_000),
      new Tokens('calls').mint(caller),
      new Tokens('calls', 'another secret').mint(caller),
      new Tokens('other', 'a secret of the tests').mint(caller),
    ]
    for (const token of forged) expect(await statusOf(token)).toBe(401)
    expect(new Tokens('calls', 'a secret of the tests').mint(caller)).toBe(it.token)
    expect(it.script.begun).toEqual([])
  })

  test('opens the calls of its own job only', async () => {
    await it.call(oslo)
    const second = await it.runtime.spawn(it.job.agent, null, { id: 'second' })
    await it.other.until(2)
    const token = it.other.received[1]?.body.calls.token
    expect((await it.ask('hotel', { token })).status).toBe(404)
    expect((await it.call(oslo, { token })).status).toBe(202)
    await begun(2)
    await second.terminate()
  })

  test('of a call that has settled is refused', async () => {
    it.answer({ json: { output: 'home' } })
    await it.job.result()
    const refused = await it.call(oslo)
    expect([refused.status, (await refused.json()).code]).toEqual([403, 'CALL_SETTLED'])
    expect((await it.ask('hotel')).status).toBe(403)
    expect(it.script.begun).toEqual([])
  })

  test('of a job that is not there is refused', async () => {
    const token = new Tokens('calls', 'a secret of the tests').mint({ jobId: 'nobody', effect: 'trip' })
    expect(await statusOf(token)).toBe(403)
  })

  test('is in no event', async () => {
    await it.call(oslo)
    const jobs = await Promise.all(['job', 'job/trip/hotel'].map((id) => it.runtime.job(id)))
    for (const job of jobs)
      for await (const event of job.events()) expect(JSON.stringify(event)).not.toContain(it.token)
  })
})

describe('the tools', () => {
  test('are listed, with what they take and give', async () => {
    const response = await fetch(it.url, { headers: { Authorization: `Bearer ${it.token}` } })
    const { tools } = await response.json()
    expect(tools.map(({ name }: { name: string }) => name)).toEqual(['book', 'look', 'ask'])
    expect(tools[0].input).toMatchObject({ type: 'object', properties: { town: { type: 'string' } } })
  })
})

describe('a call lives as long as the reason for it', () => {
  const ended = async (key: string) => {
    const job = await it.runtime.job(`job/trip/${key}`)
    await job.waitFor(({ status, phase }) => status !== 'active' || phase === 'cancelling')
    return (await dataOf(job, 'job.cancel_requested'))[0]
  }

  test('it is cancelled when the job is', async () => {
    await it.call({ key: 'big', tool: 'ask', input: 1 })
    const answer = it.ask('big', { wait: 20 })
    await until(() => it.clock.nextAt !== undefined)
    await it.job.cancel()
    expect(await (await answer).json()).toMatchObject({ status: 'cancelled' })
    expect(await ended('big')).toMatchObject({ by: 'job job' })
    expect((await it.call(oslo)).status).toBe(403)
  })

  test('it is cancelled when the agent has answered', async () => {
    await it.call(oslo)
    await begun(1)
    it.answer({ json: { output: 'home' } })
    await it.job.result()
    expect(await ended('hotel')).toMatchObject({ by: 'job job' })
  })

  test('it goes on when nobody knows how the call of the agent ended', async () => {
    await it.call(oslo)
    await begun(1)
    it.answer((response) => response.destroy())
    await it.job.waitFor(({ pending }) => pending[0]?.status === 'unknown')
    it.script.answer('call', 'done')
    expect(await (await it.ask('hotel', { wait: 20 })).json()).toMatchObject({ status: 'completed' })
  })

  test('it is cancelled by the next process where this one died before', async () => {
    await it.call({ key: 'big', tool: 'ask', input: 1 })
    const held = await it.runtime.job('job/trip/big')
    await held.waitFor(({ pending }) => pending[0]?.status === 'approving')
    // The job ends while no endpoint is there.
    await it.server.close()
    await it.job.terminate()
    expect(await typesOf(it.job)).toContain('job.terminated')
    await it.reopen()
    expect(await ended('big')).toMatchObject({ by: 'job job' })
  })

  test('it is cancelled by the next process where there is no such job', async () => {
    const input = { for: { jobId: 'nobody', effect: 'trip' }, key: 'big', tool: 'ask', input: 1 }
    await it.runtime.spawn(it.calls, input, { id: 'job/trip/big' })
    await it.reopen()
    expect(await ended('big')).toMatchObject({ by: 'job nobody' })
  })

  test('nothing new is begun while the job is paused, and what there is can be asked about', async () => {
    await it.call(oslo)
    await begun(1)
    await it.job.pause()
    await it.job.waitFor(({ isPaused }) => isPaused)
    const refused = await it.call({ ...oslo, key: 'flight' })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
    expect((await it.call(oslo)).status).toBe(202)
    await it.job.resume()
    await it.job.waitFor(({ isPaused }) => !isPaused)
    expect((await it.call({ ...oslo, key: 'flight' })).status).toBe(202)
    await begun(2)
  })
})
