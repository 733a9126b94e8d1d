import { describe, expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { agent, fromMachine, type Tool, tool, toolActor } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { dataOf, Script, typesOf } from '../support/scripted.ts'

/** Tools that a hand-written machine calls. */

const payment = z.object({ amount: z.number() })

function shop(script: Script) {
  const pay = script.tool('pay', 'once', { approval: 'always' })
  const machine = setup({
    types: { context: {} as { amount: number; receipt: string | null }, input: {} as { amount: number } },
    actors: { pay: toolActor(pay as unknown as Tool<typeof payment, z.ZodString>) },
  }).createMachine({
    context: ({ input }) => ({ amount: input.amount, receipt: null }),
    initial: 'paying',
    states: {
      paying: {
        invoke: {
          id: 'pay',
          src: 'pay',
          input: ({ context }) => ({ amount: context.amount }),
          onDone: { target: 'paid', actions: assign({ receipt: ({ event }) => event.output }) },
          onError: 'refused',
        },
      },
      paid: { type: 'final' },
      refused: { type: 'final' },
    },
    output: ({ context }) => context.receipt,
  })
  return fromMachine('shop', machine)
}

describe('a tool as an actor', () => {
  test('is called like by a plan: with its class, its approval and its events', async () => {
    const script = new Script()
    const it = shop(script)
    const runtime = await testRuntime({ agents: [it] })
    const job = await runtime.spawn(it, { amount: 7 }, { id: 'job' })
    await runtime.settle()
    expect(script.begun).toEqual([])
    await job.approve('pay', { by: 'ana' })
    await runtime.settle()
    expect(await dataOf(job, 'node.started')).toEqual([
      { effect: 'pay', tool: 'pay', class: 'once', input: { amount: 7 } },
    ])
    script.answer('pay', 'r1')
    await runtime.settle()
    expect(await job.result()).toBe('r1')
    expect((await replay(it, job.events())).divergence).toBeUndefined()
  })

  test('of class once is not called again after a crash', async () => {
    const script = new Script()
    const it = shop(script)
    const runtime = await testRuntime({ agents: [it] })
    const job = await runtime.spawn(it, { amount: 7 }, { id: 'job' })
    await runtime.settle()
    await job.approve('pay', { by: 'ana' })
    await runtime.settle()
    await runtime.crash()
    const after = await runtime.reopen()
    await after.settle()
    expect((await after.job('job')).getSnapshot().pending).toMatchObject([{ effect: 'pay', status: 'unknown' }])
    expect(script.begun).toHaveLength(1)
  })

  test('two of one name are refused', () => {
    const [one, two] = [new Script().tool('pay'), new Script().tool('pay')]
    const machine = setup({ actors: { one: toolActor(one), two: toolActor(two) } }).createMachine({})
    expect(() => fromMachine('shop', machine)).toThrow(expect.objectContaining({ code: 'AGENT_INVALID' }))
  })
})

describe('tools that others define', () => {
  const readerOf = (digest: string) => {
    const read = tool({
      name: 'read',
      input: z.any(),
      output: z.any(),
      effect: 'read',
      run: () => 'text',
      origin: { server: 'files', version: '1.2', digest, hints: { readOnlyHint: true } },
    })
    return agent({
      name: 'reader',
      input: z.any(),
      output: z.any(),
      tools: [read],
      plan: (graph) => {
        const slept = graph.sleep('rest', 1_000)
        return graph.call('read', read, null, { after: [slept] })
      },
    })
  }

  test('are in the history before they are called, and again where they have changed', async () => {
    const it = readerOf('d1')
    const first = await testRuntime({ agents: [it] })
    await first.spawn(it, null, { id: 'job' })
    await first.settle()
    const changed = readerOf('d2')
    const second = await first.reopen({ agents: [changed] })
    await second.advance(1_000)
    const job = await second.job('job')
    expect(job.getSnapshot().status).toBe('done')
    const listed = await dataOf(job, 'tools.listed')
    expect(listed.map(({ tools }) => tools['read']?.digest)).toEqual(['d1', 'd2'])
    const types = await typesOf(job)
    expect(types.indexOf('tools.listed')).toBeLessThan(types.indexOf('node.started'))
    expect((await replay(changed, job.events())).divergence).toBeUndefined()
  })

  test('are not listed again where nothing has changed', async () => {
    const it = readerOf('d1')
    const first = await testRuntime({ agents: [it] })
    await first.spawn(it, null, { id: 'job' })
    await first.settle()
    const second = await first.reopen()
    await second.advance(1_000)
    expect(await dataOf(await second.job('job'), 'tools.listed')).toHaveLength(1)
  })
})
