import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { replay } from 'aetheris/replay'
import { testRuntime } from 'aetheris/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { trip } from '../../examples/trip/agent.ts'

let folder: string
let world: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trip-'))
  world = join(folder, 'bookings.txt')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** What was done outside, without the keys. */
const done = async () =>
  (await readFile(world, 'utf8'))
    .trimEnd()
    .replaceAll(/, by .*$/gm, '')
    .split('\n')
const all = ['booked the flight', 'booked the hotel', 'gave back the hotel', 'gave back the flight']

// #region test
test('a trip that is killed while it is undone goes on undoing, and does nothing twice', async () => {
  const before = await testRuntime({ agents: [trip] })
  const job = await before.spawn(trip, { world }, { id: 'trip' })
  await job.waitFor((snapshot) => snapshot.value === 'compensating')
  await before.crash()

  await using after = await before.reopen()
  const same = await after.job('trip')
  const end = await same.waitFor(({ status }) => status !== 'active')
  expect(end).toMatchObject({ value: 'failed', error: { message: 'There is no car.' } })
  expect(await done()).toEqual(all)
  expect((await replay(trip, same.events())).divergence).toBeUndefined()
})
// #endregion

test('killed after each of its commits, it ends the same', async () => {
  let runtime = await testRuntime({ agents: [trip] })
  await runtime.spawn(trip, { world }, { id: 'trip' })
  for (let crashes = 0; ; crashes += 1) {
    const job = await runtime.job('trip')
    const { seq, status } = job.getSnapshot()
    if (status !== 'active') {
      expect(crashes).toBeGreaterThan(3)
      break
    }
    await job.waitFor((snapshot) => snapshot.seq > seq || snapshot.status !== 'active')
    runtime = await runtime.reopen()
  }
  expect((await runtime.job('trip')).getSnapshot().value).toBe('failed')
  expect(await done()).toEqual(all)
  await runtime.close()
})

test('whoever cancels it has it undone as well', async () => {
  await using runtime = await testRuntime({ agents: [trip] })
  const job = await runtime.spawn(trip, { world }, { id: 'trip' })
  await job.waitFor(({ nodes }) => nodes['hotel'] === 'completed')
  await job.cancel({ by: 'ana' })
  await job.waitFor(({ status }) => status !== 'active')
  expect((await done()).filter((line) => line.startsWith('gave'))).toEqual(all.slice(2))
})
