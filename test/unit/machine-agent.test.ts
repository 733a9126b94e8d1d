import { describe, expect, test } from 'vitest'
import { createMachine } from 'xstate'
import { fromMachine } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'

async function spawned(machine: Parameters<typeof fromMachine>[1]) {
  const agent = fromMachine('by-hand', machine)
  const runtime = await testRuntime({ agents: [agent] })
  const job = await runtime.spawn(agent, null)
  await runtime.settle()
  return { runtime, agent, job }
}

describe('custom actions', () => {
  test('run once, live, and neither on recovery nor on replay', async () => {
    const did: unknown[] = []
    const { runtime, agent, job } = await spawned(
      createMachine({
        initial: 'on',
        states: {
          on: {
            entry: () => did.push('entry'),
            on: { go: { target: 'off', actions: [({ event }) => did.push(event['by']), { type: 'missing' }] } },
          },
          off: {},
        },
      }),
    )
    await using next = await runtime.reopen()
    const again = await next.job(job.id)
    await again.signal('go', { by: 'ana' })
    await next.settle()
    expect((await replay(agent, again.events())).snapshot.matches('off')).toBe(true)
    expect(did).toEqual(['entry', 'ana'])
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
