import { describe, expect, test } from 'vitest'
import { assign, createMachine, enqueueActions, fromPromise, setup } from 'xstate'
import { z } from 'zod'
import { type Agent, fromMachine, type MachineOptions, signal } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { type TestRuntime, testRuntime } from '../../src/testing/test-runtime.ts'
import { comparable, type MachineCase, runDurable, runPlain } from '../support/machine-runs.ts'
import { machineCases } from '../support/machines.ts'
import { historyOf } from '../support/plans-run.ts'

/** Hand-written machines as jobs. What each case of test/support/machines.ts shows is said there. */

const cases = Object.entries(machineCases)

describe('as a job a machine does what it does under plain XState', () => {
  test.each(cases)('%s', async (_, given) => {
    const plain = await runPlain(given)
    const { agent, ending, events } = await runDurable(given)
    expect(comparable(ending)).toEqual(comparable(plain))
    expect((await replay(agent, events)).divergence).toBeUndefined()
  })
})

describe('and it does so through a crash at any of its commits', () => {
  async function cut(given: MachineCase, stored: boolean, snapshotEvery: number): Promise<void> {
    const plain = comparable(await runPlain(given))
    for (let after = 1, died = true; died; after += 1) {
      const { agent, ending, events, crashes, lives } = await runDurable(given, [{ after, stored }], { snapshotEvery })
      expect(lives.runtime.problems).toEqual([])
      expect(comparable(ending), `died at commit ${after}`).toEqual(plain)
      expect((await replay(agent, events)).divergence, `died at commit ${after}`).toBeUndefined()
      died = crashes > 0
    }
  }

  test.each(cases)('%s, the commit stored', (_, given) => cut(given, true, 100))
  test.each(cases)('%s, the commit lost', (_, given) => cut(given, false, 100))
  test.each(cases)('%s, with a snapshot of each commit', (_, given) => cut(given, true, 1))
})

async function spawned(
  machine: Parameters<typeof fromMachine>[1],
  options: MachineOptions<z.ZodAny, z.ZodAny> = {},
  input: unknown = null,
): Promise<{ runtime: TestRuntime; agent: Agent; job: Awaited<ReturnType<TestRuntime['spawn']>> }> {
  const agent = fromMachine('by-hand', machine, options)
  const runtime = await testRuntime({ agents: [agent] })
  const job = await runtime.spawn(agent, input)
  await runtime.settle()
  return { runtime, agent, job }
}

describe('calls', () => {
  /** Calls `charge` under the id `payment`, and fails twice before it works. */
  function paying() {
    const made: unknown[] = []
    const charge = fromPromise(async ({ input }: { input: number | undefined }) => {
      made.push(input)
      if (made.length < 3) throw new Error('busy')
      return made.length
    })
    const machine = setup({ actors: { charge } }).createMachine({
      initial: 'paying',
      states: { paying: { invoke: { id: 'payment', src: 'charge', onDone: 'paid' } }, paid: { type: 'final' } },
    })
    return { machine, made }
  }

  test('are made once by default, and a failure is the end of it', async () => {
    const { machine, made } = paying()
    const { job } = await spawned(machine)
    expect(made).toHaveLength(1)
    expect(job.getSnapshot().error).toEqual({ name: 'Error', message: 'busy' })
  })

  test.each(['charge', 'payment'])('follow the policy given for their source or their id (%s)', async (key) => {
    const { machine, made } = paying()
    const { runtime, job } = await spawned(machine, { effects: { [key]: 'idempotent' } })
    await runtime.advance(60_000)
    expect(made).toHaveLength(3)
    expect(job.getSnapshot().status).toBe('done')
    const started = (await historyOf(job)).find(({ type }) => type === 'node.started')
    expect(started?.data).toMatchObject({ effect: 'payment', tool: 'promise charge', class: 'idempotent', input: null })
  })

  test('get what plain XState gives them: nothing where there is no input', async () => {
    const { machine, made } = paying()
    await spawned(machine)
    expect(made).toEqual([undefined])
  })

  test('whose state is left are withdrawn, and their AbortSignal tells them', async () => {
    let aborted = false
    const slow = fromPromise(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            aborted = true
            reject(signal.reason)
          })
        }),
    )
    const { runtime, job } = await spawned(
      createMachine({
        initial: 'on',
        states: {
          on: { invoke: { id: 'slow', src: slow }, on: { leave: 'off' }, after: { 500: 'late' } },
          off: {},
          late: {},
        },
      }),
    )
    await job.signal('leave', {})
    await runtime.settle()
    expect(aborted).toBe(true)
    expect(job.getSnapshot().matches('off')).toBe(true)
    expect(job.getSnapshot().pending).toEqual([])
    await runtime.advance(1_000)
    expect(job.getSnapshot().matches('off')).toBe(true)
    const types = (await historyOf(job)).map(({ type }) => type)
    expect(types.slice(types.indexOf('signal.received'))).toEqual([
      'signal.received',
      'node.withdrawn',
      'node.withdrawn',
    ])
  })
})

describe('signals', () => {
  const opened = (type: string) =>
    createMachine({ initial: 'shut', states: { shut: { on: { [type]: 'open' } }, open: {} } })

  test.each([
    ['knock', 'knock'],
    ['signal.knock', 'knock'],
    ['door.*', 'door.knock'],
    ['signal.door.*', 'door.knock'],
    ['*', 'knock'],
  ])('reach a machine that knows %s', async (known, sent) => {
    const { runtime, job } = await spawned(opened(known))
    await job.signal(sent, { by: 'ana' })
    await runtime.settle()
    expect(job.getSnapshot().matches('open')).toBe(true)
  })

  test('that a machine does not know are refused, and those with a schema are checked', async () => {
    const knock = signal('knock', z.object({ times: z.int() }))
    const { job } = await spawned(opened('knock'), { signals: [knock] })
    await expect(job.signal('ring', {})).rejects.toMatchObject({ code: 'SIGNAL_UNKNOWN' })
    await expect(job.signal('knock', { times: 'often' })).rejects.toMatchObject({ code: 'SIGNAL_INVALID' })
    await expect(job.signal('xstate.done.actor.x', {})).rejects.toMatchObject({ code: 'SIGNAL_INVALID' })
  })
})

describe('custom actions', () => {
  const did: unknown[] = []
  const noting = createMachine({
    initial: { target: 'on', actions: () => did.push('initial') } as never,
    states: {
      on: {
        entry: () => did.push('entry'),
        exit: enqueueActions(({ enqueue }) => enqueue(() => did.push('exit'))),
        on: { go: { target: 'off', actions: [({ event }) => did.push(event['by']), { type: 'missing' }] } },
      },
      off: {},
    },
  })

  test('run once, live, and neither on recovery nor on replay', async () => {
    did.length = 0
    const { runtime, agent, job } = await spawned(noting)
    await using next = await runtime.reopen()
    const again = await next.job(job.id)
    await again.signal('go', { by: 'ana' })
    await next.settle()
    expect((await replay(agent, again.events())).snapshot.matches('off')).toBe(true)
    expect(did).toEqual(['initial', 'entry', 'exit', 'ana'])
  })

  test('that throw are reported and do not touch the job', async () => {
    const { runtime, job } = await spawned(
      createMachine({
        entry: [
          () => {
            throw new Error('no paper')
          },
          async () => Promise.reject(new Error('no ink')),
        ],
      }),
    )
    expect(job.getSnapshot().status).toBe('active')
    expect(runtime.problems.map(({ error }) => error)).toEqual([new Error('no paper'), new Error('no ink')])
  })
})

test('a context may hold children; who looks at the job sees their names and can send them nothing', async () => {
  const child = createMachine({ on: { poke: {} } })
  const { job } = await spawned(
    setup({ types: { context: {} as { ref: unknown } }, actors: { child } }).createMachine({
      context: ({ spawn }) => ({ ref: spawn('child', { id: 'kid' }) }),
    }),
  )
  expect(job.getSnapshot().context).toEqual({ ref: { xstate$$type: 1, id: 'kid' } })
})

test('what failed in a child machine can be kept, also where the state that invoked it is not left', async () => {
  const broken = createMachine({
    initial: 'on',
    states: {
      on: {
        always: {
          guard: () => {
            throw new Error('a bug')
          },
          target: 'off',
        },
      },
      off: {},
    },
  })
  const { runtime, job } = await spawned(
    setup({ types: { context: {} as { why: string } }, actors: { broken } }).createMachine({
      context: { why: '' },
      invoke: { src: 'broken', onError: { actions: assign({ why: ({ event }) => (event.error as Error).message }) } },
      on: { look: { actions: assign({ why: ({ context }) => `${context.why}!` }) } },
    }),
  )
  await using next = await runtime.reopen()
  const again = await next.job(job.id)
  await again.signal('look', {})
  await next.settle()
  expect(again.getSnapshot().context).toEqual({ why: 'a bug!' })
})

test('an eventless circle ends the job instead of the process', async () => {
  const { job } = await spawned(createMachine({ initial: 'a', states: { a: { always: 'b' }, b: { always: 'a' } } }))
  expect(job.getSnapshot().error?.message).toMatch(/Infinite loop/)
})
