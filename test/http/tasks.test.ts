import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { EffectClass } from '../../src/event/event.ts'
import { httpAgent } from '../../src/http/http.ts'
import type { JobHandle, ToolContext } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { SimulatedClock } from '../../src/testing/simulated-clock.ts'
import { agentThat, endAll, rest, started, until } from '../support/away.ts'
import type { OtherAgent, Received, Reply } from '../support/other-agent.ts'
import { dataOf, eventsOf } from '../support/scripted.ts'

/** An agent that answers 202: it goes on by itself, and is asked until it has ended. */

afterEach(endAll)

const accepted: Reply = { status: 202, json: { task: 't 1' } }

/** Answers in turn; the last one stays. */
function inTurn(...replies: Reply[]): (request: Received, nth: number) => Reply {
  return (_, nth) => replies[Math.min(nth, replies.length) - 1] as Reply
}

/** Lets the pause before the next question pass, and waits for the question. */
async function ask(other: OtherAgent, clock: SimulatedClock, ms: number): Promise<void> {
  await until(() => clock.nextAt === clock.now() + ms)
  const count = other.received.length + 1
  clock.goTo(clock.now() + ms)
  await other.until(count)
}

const paths = (other: OtherAgent) => other.received.map(({ method, path }) => `${method} ${path}`)

describe('a task', () => {
  test('is asked about until it has ended, as often as the agent says', async () => {
    const other = await agentThat(
      inTurn(
        accepted,
        { status: 202, headers: { 'Retry-After': '30' }, json: { progress: { done: 0.5 } } },
        { json: { output: 'done' } },
      ),
    )
    const { job, clock, it } = await started(other.url, 'once', { headers: { 'X-Key': 'key' } })
    await ask(other, clock, 2_000)
    await ask(other, clock, 30_000)
    expect(await job.result()).toBe('done')
    expect(paths(other)).toEqual(['POST /agent', 'GET /agent/t%201', 'GET /agent/t%201'])
    expect(other.received[2]?.headers).toMatchObject({ 'x-key': 'key', 'idempotency-key': 'job/ask' })
    expect(await dataOf(job, 'node.submitted')).toEqual([{ effect: 'ask', attempt: 1, task: '/agent/t%201' }])
    expect(await dataOf(job, 'node.progressed')).toMatchObject([{ progress: { done: 0.5 } }])
    expect((await replay(it, job.events())).divergence).toBeUndefined()
  })

  test('is not asked about before its place is durable', async () => {
    const other = await agentThat(inTurn(accepted, { json: { output: 'done' } }))
    const clock = new SimulatedClock()
    const away = httpAgent({ name: 'away', url: other.url, input: z.any(), output: z.any(), clock })
    let submitted: unknown
    let durable = () => {}
    const context = {
      ...{ jobId: 'job', effect: 'ask', attempt: 1, idempotencyKey: 'job/ask' },
      abortSignal: new AbortController().signal,
      submitted(task: unknown) {
        submitted = task
        return new Promise<void>((resolve) => {
          durable = resolve
        })
      },
    }
    const output = away.run(null, context as unknown as ToolContext)
    await until(() => submitted !== undefined)
    await setImmediate()
    expect([submitted, clock.nextAt, other.received.length]).toEqual(['/agent/t%201', undefined, 1])
    durable()
    await ask(other, clock, 2_000)
    expect(await output).toBe('done')
  })

  test('is where its Location says', async () => {
    const place = { status: 202, headers: { Location: '/tasks/7?as=json' } }
    const other = await agentThat(inTurn(place, { json: { output: 'done' } }))
    const { job, clock } = await started(other.url, 'once')
    await ask(other, clock, 2_000)
    expect(await job.result()).toBe('done')
    expect(paths(other)).toEqual(['POST /agent', 'GET /tasks/7?as=json'])
  })

  test('is asked about with the query of the agent, which may be a key and is in no event', async () => {
    const place = { status: 202, headers: { Location: '/tasks?id=7&key=hunter22' } }
    const other = await agentThat(inTurn(place, { json: { output: 'done' } }))
    const { job, clock } = await started(`${other.url}?key=hunter22`, 'once')
    await ask(other, clock, 2_000)
    expect(await job.result()).toBe('done')
    expect(paths(other)).toEqual(['POST /agent?key=hunter22', 'GET /tasks?id=7&key=hunter22'])
    expect(JSON.stringify(await eventsOf(job))).not.toContain('hunter22')
  })

  test('goes on where the headers of a question could not be made', async () => {
    const other = await agentThat(inTurn(accepted, { json: { output: 'done' } }))
    let made = 0
    const headers = async () => {
      made += 1
      if (made === 2) throw new Error('no token today')
      return {}
    }
    const { job, clock } = await started(other.url, 'once', { headers })
    await until(() => clock.nextAt === clock.now() + 2_000)
    clock.goTo(clock.now() + 2_000)
    await ask(other, clock, 4_000)
    expect(await job.result()).toBe('done')
  })

  test('that has failed fails the call', async () => {
    const other = await agentThat(inTurn(accepted, { json: { error: { message: 'no seats' } } }))
    const { job, clock } = await started(other.url, 'idempotent')
    await ask(other, clock, 2_000)
    expect(await rest(job, clock)).toEqual({ failed: 'Agent "away" failed: no seats' })
  })

  test('is asked about after a crash, although the call is once', async () => {
    const other = await agentThat(inTurn(accepted, () => {}, { json: { output: 'done' } }))
    const { clock, reopen } = await started(other.url, 'once')
    await ask(other, clock, 2_000)
    const job = await reopen()
    await other.until(3)
    expect(await job.result()).toBe('done')
    expect(paths(other)).toEqual(['POST /agent', 'GET /agent/t%201', 'GET /agent/t%201'])
    expect(other.received[2]?.headers['aetheris-attempt']).toBe('2')
  })

  test('outlives questions that come to nothing, and is given up after some minutes', async () => {
    const failing: Reply[] = [{ status: 500 }, { status: 401 }, { text: 'hm' }, (response) => response.destroy()]
    const twice = [...failing, ...failing]
    const other = await agentThat(inTurn(accepted, ...twice, { status: 202, json: {} }, ...twice, { status: 503 }))
    const { job, clock } = await started(other.url, 'once')
    const pauses = [2, 4, 8, 16, 32, 60, 60, 60, 60]
    for (const seconds of [...pauses, ...pauses]) await ask(other, clock, seconds * 1_000)
    expect(await rest(job, clock)).toBe('unknown')
    expect(await dataOf(job, 'node.outcome_unknown')).toMatchObject([
      { reason: 'lost', error: { message: 'Agent "away" answered with status 503 (asked about its task 9 times)' } },
    ])
  })
})

describe.each([404, 410])('a task that the agent has lost (%i)', (status) => {
  async function lost(effect: EffectClass): Promise<{ other: OtherAgent; job: JobHandle; clock: SimulatedClock }> {
    const other = await agentThat(inTurn(accepted, { status }, { status }, { json: { output: 'anew' } }))
    const { job, clock } = await started(other.url, effect)
    await ask(other, clock, 2_000)
    return { other, job, clock }
  }

  test('leaves a once call unknown', async () => {
    const { job, clock, other } = await lost('once')
    expect(await rest(job, clock)).toBe('unknown')
    expect(other.received).toHaveLength(2)
  })

  test('is sent again by the next attempt where that is allowed', async () => {
    const { job, clock, other } = await lost('idempotent')
    const { againInMs } = (await rest(job, clock)) as { againInMs: number }
    clock.goTo(clock.now() + againInMs)
    await other.until(4)
    expect(await job.result()).toBe('anew')
    expect(paths(other)).toEqual(['POST /agent', 'GET /agent/t%201', 'GET /agent/t%201', 'POST /agent'])
    expect(new Set((await eventsOf(job)).map(({ type }) => type))).toContain('node.retried')
  })
})
