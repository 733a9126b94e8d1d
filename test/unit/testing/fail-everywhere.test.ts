import { describe, expect, test } from 'vitest'
import { setup } from 'xstate'
import { z } from 'zod'
import type { JobEvent } from '../../../src/event/event.ts'
import { agent, fromMachine, gte, signal, tool, undo } from '../../../src/index.ts'
import { checkUndone } from '../../../src/testing/fail-checks.ts'
import type { Played } from '../../../src/testing/play.ts'
import { type FindingsError, failEverywhere } from '../../../src/testing/testing.ts'

const any = { input: z.any(), output: z.any() }
const go = signal('go', z.any())
const book = tool({ ...any, name: 'book', effect: 'idempotent', timeoutMs: 1_000, run: (what) => `booked ${what}` })
const giveBack = tool({ ...any, name: 'give-back', effect: 'idempotent', run: () => null })
const pay = tool({ ...any, name: 'pay', timeoutMs: 1_000, run: () => 'paid' })

const trip = agent({
  ...any,
  name: 'trip',
  tools: [book, giveBack, pay],
  signals: [go],
  graceMs: 5_000,
  plan(graph) {
    const compensate = () => undo(giveBack, null)
    const flight = graph.call('flight', book, 'flight', { compensate })
    const hotel = graph.call('hotel', book, 'hotel', { after: [flight], compensate })
    const agreed = graph.wait('agreed', go, { after: [hotel] })
    return graph.call('pay', pay, null, { after: [agreed] })
  },
})

test('what a job comes to, whatever goes wrong', async () => {
  const { text } = await failEverywhere(trip, async (stage) => {
    const job = await stage.spawn(trip, null)
    await stage.settle()
    await job.signal(go, null)
    expect(await job.result()).toBe('paid')
  })
  expect(text).toMatchInlineSnapshot(`
    "call    goes wrong         the job                                                                         undone
    flight  fails once         completed
    flight  fails for good     failed: It fails for good, for a test.
    flight  times out          failed: book took longer than 1000 ms.                                          flight
    flight  hangs past cancel  cancelled                                                                       flight
    flight  invalid output     failed: What tool "book" returned is not plain JSON: a function is not JSON.    flight
    flight  outcome lost       completed
    hotel   fails once         completed
    hotel   fails for good     failed: It fails for good, for a test.                                          flight
    hotel   times out          failed: book took longer than 1000 ms.                                          hotel, flight
    hotel   hangs past cancel  cancelled                                                                       hotel, flight
    hotel   invalid output     failed: What tool "book" returned is not plain JSON: a function is not JSON.    hotel, flight
    hotel   outcome lost       completed
    pay     fails once         failed: The first attempt fails, for a test.                                    hotel, flight
    pay     fails for good     failed: It fails for good, for a test.                                          hotel, flight
    pay     times out          waits: Nobody knows how attempt 1 of pay ended, and it must not be made twice.
    pay     hangs past cancel  cancelled                                                                       hotel, flight
    pay     invalid output     failed: What tool "pay" returned is not plain JSON: a function is not JSON.     hotel, flight
    pay     outcome lost       waits: Nobody knows how attempt 1 of pay ended, and it must not be made twice."
  `)
})

async function problemsOf(...args: Parameters<typeof failEverywhere>): Promise<string[]> {
  const error = await failEverywhere(...args).catch((thrown: FindingsError) => thrown)
  if (!('findings' in error)) throw new Error('nothing was found')
  return error.findings.map(({ where, problem }) => `${where}: ${problem}`)
}

describe('which calls are tried', () => {
  const quick = tool({ ...any, name: 'quick', effect: 'read', timeoutMs: 1_000, run: (value) => value })

  test('of a map and a loop the first, of a child those of its own', async () => {
    const child = agent({ ...any, name: 'child', tools: [quick], plan: (graph) => graph.call('inner', quick, 1) })
    const it = agent({
      ...any,
      name: 'it',
      tools: [quick],
      agents: [child],
      plan(graph) {
        const all = graph.map('all', quick, [1, 2, 3], (each) => each)
        const last = graph.loop('again', { n: 0 }, (inner) => ({ n: inner.call('n', quick, 1) }) as never, {
          until: (_, iteration) => gte(iteration, 2),
          max: 3,
          onMax: 'stop',
        })
        return [all, last, graph.spawn('child', child, null)]
      },
    })
    const { rows } = await failEverywhere(
      it,
      async (stage) => {
        await (await stage.spawn(it, null)).result()
      },
      { faults: ['fails for good'] },
    )
    expect(rows.map(({ call }) => call).sort()).toEqual(['again/0/n', 'all/0', 'job/child inner'])
    expect(new Set(rows.map(({ end }) => end.split(':')[0]))).toEqual(new Set(['failed']))
  })

  test('a planner that is asked counts as well', async () => {
    const plan = () => ({ nodes: [{ id: 'a', kind: 'call' as const, tool: 'quick', input: 1 }], output: null })
    const it = agent({ ...any, name: 'it', tools: [quick], planner: { name: 'model', timeoutMs: 1_000, plan } })
    const { rows } = await failEverywhere(it, async (stage) => void (await stage.spawn(it, null)), {
      faults: ['fails once', 'invalid output', 'times out'],
    })
    expect(rows.slice(0, 3).map(({ call, end }) => `${call} ${end}`)).toEqual([
      'job.planner completed',
      expect.stringMatching(/^job.planner failed: /),
      'job.planner failed: model took longer than 1000 ms.',
    ])
  })
})

describe('what is wrong is found', () => {
  test('a call that nothing ends', async () => {
    const slow = tool({ ...any, name: 'slow', run: () => null })
    const it = agent({ ...any, name: 'it', tools: [slow], plan: (graph) => graph.call('wait', slow, null) })
    const problems = await problemsOf(it, async (stage) => void (await stage.spawn(it, null)))
    expect(problems).toEqual([
      'wait times out: Job "job" never ends. wait: attempt 1 is under way. Give its tool a timeoutMs, or its node a deadlineMs.',
    ])
  })

  test('a machine that stands where nothing leads on', async () => {
    const machine = setup({}).createMachine({ initial: 'stuck', states: { stuck: {} } })
    const it = fromMachine('odd', machine)
    const problems = await problemsOf(it, async (stage) => void (await stage.spawn(it, undefined as never)))
    expect(problems[0]).toMatch('when nothing fails: Job "job" never ends. Its machine takes no signal in this state')
  })

  test('what the check of the user says', async () => {
    const check = ({ ends }: Played) => {
      if (ends['job']?.phase === 'failed') throw new Error('it must not fail')
    }
    const scenario = async (stage: Parameters<Parameters<typeof failEverywhere>[1]>[0]) => {
      await stage.spawn(trip, null)
    }
    const problems = await problemsOf(trip, scenario, { faults: ['fails for good'], check: check as never })
    expect(problems).toEqual([
      'flight fails for good: The check says: it must not fail',
      'hotel fails for good: The check says: it must not fail',
    ])
  })

  test.each([
    ['in order', ['b', 'a'], []],
    ['the earliest first', ['a', 'b'], ['Job "job" has undone a, b; latest first, that is b, a.']],
    ['only the last', ['b'], ['Job "job" has undone b; latest first, that is b, a.']],
  ])('compensations: %s', (_, undone, problems) => {
    const events = [
      { type: 'node.completed', data: { effect: 'a' } },
      { type: 'node.completed', data: { effect: 'b' } },
      { type: 'compensation.started', data: { effects: ['job.undo/b', 'job.undo/a'] } },
      { type: 'job.failed', data: {} },
    ].map((event, seq) => ({ ...event, seq }) as unknown as JobEvent)
    const calls = undone.map((effect) => ({ jobId: 'job', effect: `job.undo/${effect}` }))
    expect(checkUndone({ histories: new Map([['job', events]]), calls } as unknown as Played)).toEqual(problems)
  })
})
