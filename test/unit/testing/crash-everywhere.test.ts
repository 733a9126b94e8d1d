import { describe, expect, test } from 'vitest'
import { assign, fromPromise, setup } from 'xstate'
import { z } from 'zod'
import type { EffectClass } from '../../../src/event/event.ts'
import { agent, fromMachine, signal, TerminalError, tool } from '../../../src/index.ts'
import { checkCalls } from '../../../src/testing/crash-checks.ts'
import type { CrashOptions, CrashReport, Run, Scenario } from '../../../src/testing/testing.ts'
import { crashEverywhere, type FindingsError } from '../../../src/testing/testing.ts'

const day = 86_400_000
const agreed = signal('agreed', z.object({ yes: z.boolean() }))

const any = { input: z.any(), output: z.any() }

/** The world outside: what was sent, and by which key. */
let sent: string[] = []
const keys = new Set<string>()

function reset(): void {
  sent = []
  keys.clear()
}

const read = tool({
  name: 'read',
  input: z.string(),
  output: z.string(),
  effect: 'read',
  run: (topic) => `on ${topic}`,
})

/** Sends, however often it is called. */
const sender = (effect: EffectClass) =>
  tool({
    ...{ name: 'send', ...any },
    effect,
    async run(text) {
      await undefined
      sent.push(text)
      return null
    },
  })

/** Sends once for each key, as a good service does. */
const careful = tool({
  ...{ name: 'careful', ...any },
  effect: 'idempotent',
  run(text, { idempotencyKey }) {
    if (!keys.has(idempotencyKey)) sent.push(text)
    keys.add(idempotencyKey)
    return null
  },
})

/** Reads, waits for somebody to agree, and sends. */
function writer(send = sender('once')) {
  return agent({
    ...any,
    name: 'writer',
    tools: [read, send],
    signals: [agreed],
    plan(graph, topic: string) {
      const text = graph.call('read', read, topic)
      const answer = graph.wait('review', agreed, { after: [text], timeoutMs: day })
      return graph.call('send', send, text, { when: answer.yes })
    },
  })
}

const agreeing = (it: ReturnType<typeof writer>): Scenario => {
  return async (stage) => {
    reset()
    const job = await stage.spawn(it, 'tea')
    await stage.settle()
    await job.signal(agreed, { yes: true })
    expect(await job.result()).toBeNull()
    return sent
  }
}

/** What is found, as `where: problem`. */
async function found(...args: Parameters<typeof crashEverywhere>): Promise<string[]> {
  const error = await crashEverywhere(...args).then(
    () => undefined,
    (thrown: FindingsError) => thrown,
  )
  if (error?.findings === undefined) throw error ?? new Error('nothing was found')
  return error.findings.map(({ where, problem }) => `${where}: ${problem}`)
}

describe('an agent in good order comes to the same, wherever its process dies', () => {
  const tried = async (...args: Parameters<typeof crashEverywhere>): Promise<CrashReport> => {
    const report = await crashEverywhere(...args)
    expect(report.tried).toBe(report.points)
    return report
  }

  test('calls and a signal', async () => {
    const it = writer()
    // 6 writes (the job with its plan, two outcomes and the start of what follows, the message, the signal) and 2 calls.
    expect((await tried(it, agreeing(it))).points).toBeGreaterThanOrEqual(3 * 8)
  })

  test('a call is cut off before, in or after it, and a call that never was is made', async () => {
    const it = writer()
    const made = new Map<string, number[]>()
    const check = ({ where, calls, histories }: Run) => {
      // Whoever asks again sends no other signal.
      expect(histories.get('job')?.filter(({ type }) => type === 'signal.received')).toHaveLength(1)
      const place = /call of send .*attempt 1, (.*)/.exec(where ?? '')?.[1]
      const processes = calls.filter(({ tool: name }) => name === 'send').map((call) => call.process)
      if (place !== undefined) made.set(place, processes)
    }
    await tried(it, agreeing(it), { check })
    expect([...made]).toEqual([
      ['before it begins', [1]],
      ['while it is under way', [0]],
      ['when it has ended and nobody was told', [0]],
    ])
  })

  test('what takes its time, is retried, and is asked of people', async () => {
    let fails = 0
    const shaky = tool({
      ...{ name: 'shaky', input: z.any(), output: z.int(), effect: 'read' as const },
      run: () => {
        fails += 1
        if (fails === 1) throw new Error('not now')
        return 7
      },
    })
    const pay = tool({
      name: 'pay',
      input: z.int(),
      output: z.int(),
      approval: 'always',
      run: (n) => sent.push(`${n}`),
    })
    const it = agent({
      ...any,
      name: 'patient',
      tools: [shaky, pay],
      plan(graph) {
        const slept = graph.sleep('rest', day)
        const n = graph.call('shaky', shaky, null, { after: [slept] })
        return graph.call('pay', pay, n)
      },
    })
    await tried(it, async (stage) => {
      reset()
      fails = 0
      const job = await stage.spawn(it, null)
      await stage.advance(2 * day)
      await job.pause({ by: 'ana' })
      await job.resume({ by: 'ana' })
      await job.approve('pay', { by: 'ana' })
      await stage.settle()
      expect(await job.result()).toBe(1)
      return sent
    })
  })

  test('a job that has failed and is tried again, once', async () => {
    let isDown = true
    const shaky = tool({
      ...{ name: 'shaky', ...any },
      run: () => {
        if (isDown) throw new TerminalError('down')
        return 'up'
      },
    })
    const it = agent({ ...any, name: 'it', tools: [shaky], plan: (graph) => graph.call('a', shaky, null) })
    await tried(it, async (stage) => {
      isDown = true
      const job = await stage.spawn(it, null)
      await stage.settle()
      isDown = false
      await job.retry('a', { by: 'ana' })
      expect(await job.result()).toBe('up')
    })
  })

  test('a map, a child, and a planner', async () => {
    const child = agent({
      ...any,
      name: 'child',
      tools: [careful],
      plan: (graph, text) => graph.call('it', careful, text),
    })
    const send = sender('once')
    const it = agent({
      ...any,
      name: 'parent',
      tools: [send],
      agents: [child],
      planner: {
        name: 'planner',
        plan: () => ({
          nodes: [
            { id: 'all', kind: 'map', tool: 'send', over: ['a', 'b', 'c'], input: { $item: [] }, concurrency: 2 },
            { id: 'child', kind: 'spawn', agent: 'child', input: 'd', after: ['all'] },
          ],
          output: { $ref: ['child'] },
        }),
      },
    })
    const { points } = await tried(it, async (stage) => {
      reset()
      await (await stage.spawn(it, null)).result()
      return sent.sort()
    })
    expect(points).toBeGreaterThan(40)
  })

  test('calls that go on elsewhere, and one that can be asked about', async () => {
    const tasks = new Map<string, string>()
    const order = tool({
      ...{ name: 'order', input: z.string(), output: z.string() },
      async run(what, { submitted, idempotencyKey }) {
        tasks.set(idempotencyKey, what)
        sent.push(what)
        await submitted(idempotencyKey)
        return `got ${what}`
      },
      poll: (task) => `got ${tasks.get(task as string)}`,
    })
    const ship = tool({
      ...{ name: 'ship', input: z.string(), output: z.null() },
      run: (what, { idempotencyKey }) => {
        keys.add(idempotencyKey)
        sent.push(what)
        return null
      },
      reconcile: (_, { idempotencyKey }) =>
        keys.has(idempotencyKey) ? { status: 'completed', output: null } : { status: 'absent' },
    })
    const it = agent({
      ...any,
      name: 'shop',
      tools: [order, ship],
      plan: (graph, what: string) => graph.call('ship', ship, graph.call('order', order, what)),
    })
    const scenario: Scenario = async (stage) => {
      reset()
      tasks.clear()
      await (await stage.spawn(it, 'tea')).result()
      return sent
    }
    // A process that dies before it has kept the number of its task leaves a call that never returns.
    await expect(crashEverywhere(it, scenario)).rejects.toThrow('Nobody knows how attempt 1 of order ended')
    const resolve = ({ effect }: { effect: string }) =>
      effect === 'order' && tasks.size > 0 ? { completed: 'got tea' } : undefined
    await tried(it, scenario, { resolve })
  })

  test('a hand-written machine', async () => {
    const machine = setup({
      types: { context: {} as { seen: number }, events: {} as { type: 'go' } },
      actors: { look: fromPromise(async ({ input }: { input: number }) => input + 1) },
    }).createMachine({
      context: { seen: 0 },
      initial: 'looking',
      states: {
        looking: {
          invoke: {
            src: 'look',
            input: ({ context }) => context.seen,
            onDone: { target: 'resting', actions: assign({ seen: ({ event }) => event.output }) },
          },
        },
        resting: { always: { guard: ({ context }) => context.seen > 1, target: 'open' }, after: { 1000: 'looking' } },
        open: { on: { go: 'done' } },
        done: { type: 'final' },
      },
      output: ({ context }) => context.seen,
    })
    const it = fromMachine('door', machine, { effects: { look: 'read' } })
    await tried(it, async (stage) => {
      const job = await stage.spawn(it, undefined as never)
      await stage.advance(5_000)
      await job.signal('go', {})
      expect(await job.result()).toBe(2)
    })
  })

  test('jobs that wait, and that were never going to end', async () => {
    const it = writer()
    const hung = tool({ name: 'send', input: z.any(), output: z.any(), run: () => new Promise(() => {}) })
    const stuck = writer(hung)
    await tried(it, async (stage) => {
      await stage.spawn(it, 'tea')
    })
    // It stays unknown what became of the call; nobody says anything else.
    const waits = await found(stuck, async (stage) => {
      const job = await stage.spawn(stuck, 'tea')
      await job.signal(agreed, { yes: true })
      await stage.settle()
    })
    expect(waits[0]).toMatch('has come to pending ["send unknown"]; without the crash to ["send started"]')
  })
})

describe('what is wrong is found', () => {
  test('a read tool that changes something', async () => {
    const it = writer(sender('read'))
    const problems = await found(it, agreeing(it))
    const problem = 'The scenario returned ["on tea","on tea"]; without the crash ["on tea"].'
    expect(problems).toContain(`crash at the call of send for send, attempt 1, while it is under way: ${problem}`)
  })

  test('an idempotent tool that does not look at its key', async () => {
    const [bad, good] = [writer(sender('idempotent')), writer(careful)]
    expect(await found(bad, agreeing(bad))).not.toEqual([])
    await crashEverywhere(good, agreeing(good))
  })

  test.each([
    ['Date', () => Date.now(), 'it used the clock (Date.now)'],
    ['Math.random', () => Math.random(), 'it used randomness (Math.random)'],
  ])('a plan that reads %s', async (_, look, problem) => {
    const it = agent({
      ...any,
      name: 'dated',
      tools: [read],
      plan: (graph) => graph.call('read', read, `at ${look()}`),
    })
    const problems = await found(it, async (stage) => void (await stage.spawn(it, null)))
    expect(problems[0]).toMatch(`The plan of agent "dated" is no function of its input: ${problem}.`)
  })

  test('a plan that counts', async () => {
    let count = 0
    const it = agent({
      ...any,
      name: 'counting',
      tools: [read],
      plan(graph) {
        count += 1
        return graph.call('read', read, `${count}`)
      },
    })
    const problems = await found(it, async (stage) => void (await stage.spawn(it, null)))
    expect(problems[0]).toMatch('asked again with the same input, it is another')
  })

  test('a world that is another one each time', async () => {
    let count = 0
    const it = writer()
    const problems = await found(it, async () => {
      count += 1
      return count
    })
    expect(problems).toEqual(['twice without a crash: The scenario returned 2; the first time 1.'])
  })

  test('a run that goes another way', async () => {
    let run = 0
    const it = writer()
    const problems = await found(it, async (stage) => {
      run += 1
      if (run < 3) await stage.spawn(it, 'tea', { id: 'job' })
    })
    expect(problems.at(-1)).toMatch(/The run did not come there again, but to the end\.$/)
  })

  test('a machine that remembers beside its context', async () => {
    let count = 0
    const machine = setup({ types: { context: {} as { n: number } } }).createMachine({
      context: () => {
        count += 1
        return { n: count }
      },
      initial: 'done',
      states: { done: { type: 'final' } },
    })
    const it = fromMachine('odd', machine)
    const problems = await found(it, async (stage) => void (await stage.spawn(it, undefined as never)))
    expect(problems[0]).toBe('without a crash: The history of job "job" replays to another state than the job is in.')
  })

  test('what the check of the user says, at its place', async () => {
    const it = writer()
    const check = ({ histories, where }: Run) => {
      const recovered = histories.get('job')?.some(({ type }) => type === 'job.recovered')
      if (recovered) throw new Error(`recovered after ${where}`)
    }
    const problems = await found(it, agreeing(it), { check })
    expect(problems[0]).toMatch(/^(crash at the .*): The check says: recovered after \1$/)
  })

  test('a wrong answer about what is unknown', async () => {
    const it = writer()
    const again: CrashOptions = { resolve: () => 'again' }
    expect((await found(it, agreeing(it), again)).join()).toMatch('The scenario returned ["on tea","on tea"]')
  })

  test('a scenario that goes wrong after a crash', async () => {
    const it = writer()
    const problems = await found(it, async (stage) => {
      const job = await stage.spawn(it, 'tea')
      await stage.settle()
      for await (const { type } of job.events()) if (type === 'job.recovered') throw new Error('lost')
    })
    expect(problems[0]).toMatch('The scenario threw: lost')
  })

  test('the message shows where, what, and the way there', async () => {
    const it = writer(sender('read'))
    const error = await crashEverywhere(it, agreeing(it)).catch((thrown: FindingsError) => thrown)
    const { message } = error as FindingsError
    expect(message).toMatch(/^\d+ problems in \d+ runs\.\n- crash at the .*:\n {2}The scenario returned/)
    expect(message).toMatch(/\+0 ms {2}job: node\.completed read .*\n(.*\n)*.*CRASH; the next process takes over\n/)
  })
})

describe('a scenario', () => {
  test('that throws without a crash is to blame itself', async () => {
    const boom = async () => {
      throw new Error('boom')
    }
    await expect(crashEverywhere(writer(), boom)).rejects.toThrow(/^boom$/)
  })

  test('that waits for what does not come is told so', async () => {
    const it = writer()
    const waits: Scenario = async (stage) => (await stage.spawn(it, 'tea')).result()
    await expect(crashEverywhere(it, waits)).rejects.toThrow(
      'Job "job" does not get there by itself: review waits for the signal "agreed". Let time pass, or do what it waits for.',
    )
  })

  test('may ask for several things at once', async () => {
    const it = writer()
    await crashEverywhere(it, async (stage) => {
      reset()
      const jobs = await Promise.all(['tea', 'milk'].map((topic) => stage.spawn(it, topic, { id: topic })))
      await stage.settle()
      await Promise.all(jobs.map((job) => job.signal(agreed, { yes: true })))
      await Promise.all(jobs.map((job) => job.result()))
      return sent.sort()
    })
  })

  test('that never comes to an end is told so', async () => {
    const beat = setup({}).createMachine({
      initial: 'tick',
      states: { tick: { after: { 1000: 'tock' } }, tock: { after: { 1000: 'tick' } } },
    })
    const it = fromMachine('clock', beat)
    const problems = await found(it, async (stage) => void (await stage.spawn(it, undefined as never)))
    expect(problems[0]).toMatch('timers go on for ever')
  })

  test('of many places is tried at some of them, drawn with a seed', async () => {
    const it = writer()
    const placesOf = async (seed: number) => {
      const places: (string | undefined)[] = []
      const options = { points: { max: 5, seed }, check: ({ where }: Run) => void places.push(where) }
      expect(await crashEverywhere(it, agreeing(it), options)).toMatchObject({ tried: 5 })
      return places
    }
    expect(await placesOf(1)).toEqual(await placesOf(1))
    expect(await placesOf(1)).not.toEqual(await placesOf(2))
  })
})

test('a call that should not have been made is found', () => {
  const call = {
    ...{ tool: 'pay', class: 'once' as const, jobId: 'job', effect: 'pay', attempt: 1, idempotencyKey: 'job/pay' },
    ...{ input: null, continues: false, process: 0, end: 'running' as const },
  }
  const of = (...calls: (typeof call)[]): Run => {
    return { where: undefined, returned: null, ends: {}, histories: new Map(), calls, timeline: [] }
  }
  expect(checkCalls(of(call), of(call))).toEqual([])
  expect(checkCalls(of(call, call), of(call))).toEqual(['The `once` call of pay for pay of job "job" was made twice.'])
  expect(checkCalls(of(call, { ...call, attempt: 2 }), of(call))).toHaveLength(1)
  expect(checkCalls(of({ ...call, idempotencyKey: 'other' }), of(call))).toEqual([
    'The idempotency key of pay for pay of job "job" was job/pay and is other.',
  ])
})
