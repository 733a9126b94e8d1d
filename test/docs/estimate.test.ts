import { replay } from 'aetheris/replay'
import { testRuntime } from 'aetheris/testing'
import { expect, test } from 'vitest'
import { estimate } from '../../examples/estimate/agent.ts'

const hour = 3_600_000

// #region test
test('it measures once an hour, whatever crashes, until it is good enough', async () => {
  let runtime = await testRuntime({ agents: [estimate] })
  await runtime.spawn(estimate, {}, { id: 'room' })
  for (let hours = 0; hours < 5; hours += 1) {
    await runtime.settle()
    expect((await runtime.job('room')).getSnapshot().value).toEqual({ running: 'resting' })
    runtime = await runtime.reopen({ afterMs: hour })
  }
  await runtime.settle()
  const job = await runtime.job('room')
  expect(await job.result()).toEqual({ mean: 20.032, error: 0.092, count: 60, by: null })
  expect((await replay(estimate, job.events())).divergence).toBeUndefined()
  await runtime.close()
})
// #endregion

test('somebody may take it as it is, also while it measures', async () => {
  await using runtime = await testRuntime({ agents: [estimate] })
  const job = await runtime.spawn(estimate, {})
  await job.signal('accept', { by: 'ana' })
  expect(await job.result()).toEqual({ mean: 20.196, error: 0.219, count: 10, by: 'ana' })
})
