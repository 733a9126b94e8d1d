import { expect, test } from 'vitest'
import { z } from 'zod'
import { agent, openRuntime } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { memoryStore } from '../../src/testing/testing.ts'
import { Script, turns, typesOf } from '../support/scripted.ts'

/** A runtime that performs nothing until it is told to. */

function payer(script: Script) {
  const read = script.tool('read', 'read')
  const pay = script.tool('pay', 'once')
  return agent({
    name: 'payer',
    input: z.any(),
    output: z.any(),
    tools: [read, pay],
    plan: (graph) => ({ seen: graph.call('read', read, null), paid: graph.call('pay', pay, 5) }),
  })
}

test('a job that was killed is taken over and controlled before anything is done again', async () => {
  const script = new Script()
  const it = payer(script)
  const store = memoryStore()
  const before = await openRuntime({ store, agents: [it] })
  await before.spawn(it, null, { id: 'job' })
  await turns()
  expect(script.begun).toEqual(['read read', 'pay pay'])
  await before.close()

  await using runtime = await openRuntime({ store, agents: [it], effects: 'hold' })
  const job = await runtime.job('job')
  await job.waitFor(({ nodes }) => nodes['pay'] === 'unknown')
  await job.pause({ by: 'ana' })
  await job.waitFor(({ isPaused }) => isPaused)
  expect((await typesOf(job)).slice(-3)).toEqual(['job.recovered', 'node.outcome_unknown', 'job.paused'])
  await runtime.release()
  await turns()
  expect(script.begun).toHaveLength(2)

  await job.resolve('pay', { completed: 'paid' }, { by: 'ana', reason: 'saw it' })
  await job.resume()
  await turns()
  expect(script.begun).toEqual(['read read', 'pay pay', 'read read'])
  script.answer('read')
  script.answer('read', 'seen')
  expect(await job.result()).toEqual({ seen: 'seen', paid: 'paid' })
  // One opening takes a job over once, whether it holds at first or not.
  expect((await typesOf(job)).filter((type) => type === 'job.recovered')).toHaveLength(1)
  expect((await replay(it, job.events())).divergence).toBeUndefined()
})

test('a job that is made meanwhile begins when the hold ends', async () => {
  const script = new Script()
  const it = payer(script)
  await using runtime = await openRuntime({ store: memoryStore(), agents: [it], effects: 'hold' })
  await runtime.spawn(it, null, { id: 'job' })
  await turns()
  expect(script.begun).toEqual([])
  await runtime.release()
  await runtime.release()
  await turns()
  expect(script.begun).toEqual(['read read', 'pay pay'])
})
