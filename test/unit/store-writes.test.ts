import { afterEach, describe, expect, test } from 'vitest'
import { levelStore } from '../../src/store/level-store.ts'
import type { JobStore } from '../../src/store/store.ts'
import { all, codeOf, eventOf, eventsOf } from '../../src/testing/job-store-bench.ts'
import { type FaultyLevel, faultyLevel, stillClock } from '../support/faulty-level.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

afterEach(removeDirectories)

type Opened = { store: JobStore; faulty: FaultyLevel; clock: ReturnType<typeof stillClock>; directory: string }

async function opened(): Promise<Opened> {
  const faulty = faultyLevel()
  const clock = stillClock()
  const directory = await newDirectory()
  const store = levelStore(directory, { clock, openDatabase: faulty.openDatabase })
  await store.open()
  faulty.batches.length = 0
  return { store, faulty, clock, directory }
}

function create(store: JobStore, jobId: string, count = 1) {
  return store.commit({
    lease: { jobId, epoch: 1 },
    expectedSeq: 0,
    create: { agent: 'a', priority: 5 },
    events: eventsOf(jobId, 0, count),
  })
}

function append(store: JobStore, jobId: string, expectedSeq: number, events = eventsOf(jobId, expectedSeq, 1)) {
  return store.commit({ lease: { jobId, epoch: 1 }, expectedSeq, events })
}

/** Turns of the event loop until `condition` holds. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 100_000; turn += 1) {
    if (await condition()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect.fail('It did not come to that.')
}

const isOpen = (store: JobStore) => async () => (await codeOf(store.nextTimer())) === 'fulfilled'

describe('group commit', () => {
  test('what comes together goes into one batch, what comes meanwhile into the next', async () => {
    const { store, faulty } = await opened()
    const jobs = Array.from({ length: 64 }, (_, index) => `job-${index}`)
    await Promise.all(jobs.map((id) => create(store, id)))
    expect(faulty.batches).toHaveLength(1)
    let late: Promise<unknown>[] = []
    faulty.beforeWrite = async () => {
      faulty.beforeWrite = async () => {}
      late = jobs.flatMap((id) => [
        append(store, id, 2),
        store.send({ jobId: id, id: 'm', at: 1, kind: 'signal', body: 1 }),
        store.claim(id),
      ])
    }
    await Promise.all(jobs.map((id) => append(store, id, 1)))
    await Promise.all(late)
    expect(late).toHaveLength(192)
    expect(faulty.batches).toHaveLength(3)
    await store.close()
  })

  test('one batch is in flight at a time', async () => {
    const { store, faulty } = await opened()
    let flying = 0
    let most = 0
    await create(store, 'job')
    faulty.beforeWrite = async () => {
      flying += 1
      most = Math.max(most, flying)
      await new Promise((resolve) => setImmediate(resolve))
      flying -= 1
    }
    const commits: Promise<unknown>[] = []
    for (let seq = 1; seq < 30; seq += 1) {
      commits.push(append(store, 'job', seq))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(commits)
    expect(most).toBe(1)
    await store.close()
  })

  test('every batch is synced', async () => {
    const { store, faulty } = await opened()
    await create(store, 'job')
    await append(store, 'job', 1)
    await store.claim('job')
    await store.send({ jobId: 'job', id: 'm', at: 1, kind: 'signal', body: 1 })
    await store.close()
    await store.open()
    expect(faulty.batches.length).toBeGreaterThan(4)
    expect(faulty.batches.filter((batch) => batch.sync !== true)).toEqual([])
    await store.close()
  })

  test('what changes nothing is not written', async () => {
    const { store, faulty } = await opened()
    await create(store, 'job')
    await create(store, 'job')
    await codeOf(append(store, 'job', 7))
    expect(faulty.batches).toHaveLength(1)
    await store.close()
  })

  test('more than 8 MiB of waiting writes are refused, and nothing of them is stored', async () => {
    const { store, faulty } = await opened()
    await create(store, 'job')
    const large = { ...eventOf('large'), data: { name: 'n', message: 'm', payload: 'x'.repeat(3 * 1024 * 1024) } }
    let release = () => {}
    faulty.beforeWrite = () =>
      new Promise((resolve) => {
        release = resolve
      })
    const flying = append(store, 'job', 1)
    await until(() => release.length === 0 && faulty.batches.length === 1)
    const waiting = [1, 2, 3].map((index) => codeOf(append(store, 'job', 1 + index, [large as never])))
    expect(await waiting[2]).toBe('STORE_BUSY')
    faulty.beforeWrite = async () => {}
    release()
    await flying
    expect(await Promise.all(waiting)).toEqual(['fulfilled', 'fulfilled', 'STORE_BUSY'])
    expect((await store.get('job'))?.seq).toBe(4)
    await store.close()
  })
})

describe('S4: after a failed write', () => {
  test.each(['before', 'after'] as const)(
    'the outcome is unknown, the store opens again, and the same commit succeeds (failed %s writing)',
    async (failure) => {
      const { store, faulty } = await opened()
      await create(store, 'job')
      faulty.failures.push(failure)
      let queued: Promise<unknown> = Promise.resolve()
      faulty.beforeWrite = async () => {
        faulty.beforeWrite = async () => {}
        queued = codeOf(create(store, 'queued'))
      }
      expect(await codeOf(append(store, 'job', 1))).toBe('COMMIT_UNKNOWN')
      expect(await queued).toBe('STORE_FAILED')
      expect(await codeOf(store.get('job'))).toBe('STORE_FAILED')
      expect(await codeOf(append(store, 'job', 1))).toBe('STORE_FAILED')
      await until(isOpen(store))
      expect((await store.get('job'))?.seq).toBe(failure === 'after' ? 2 : 1)
      expect((await append(store, 'job', 1)).seq).toBe(2)
      expect(await store.get('queued')).toBeUndefined()
      expect(await all(store.verify())).toEqual([])
      await store.close()
    },
  )

  test('epochs and the generation stay good', async () => {
    const { store, faulty } = await opened()
    await create(store, 'job')
    expect(await store.claim('job')).toMatchObject({ epoch: 2, owner: 1 })
    faulty.failures.push('before')
    expect(await codeOf(append(store, 'job', 1))).toBe('LEASE_FENCED')
    const lease = { jobId: 'job', epoch: 2 }
    expect(await codeOf(store.commit({ lease, expectedSeq: 1, events: [eventOf('a')] }))).toBe('COMMIT_UNKNOWN')
    await until(isOpen(store))
    await store.commit({ lease, expectedSeq: 1, events: [eventOf('a')] })
    expect(await store.claim('job')).toMatchObject({ epoch: 3, owner: 1 })
    await store.close()
  })

  test('it tries again, with pauses, until the disk takes writes', async () => {
    const { store, faulty, clock } = await opened()
    await create(store, 'job')
    faulty.failures.push('before', 'before')
    faulty.failedOpenings = 2
    expect(await codeOf(append(store, 'job', 1))).toBe('COMMIT_UNKNOWN')
    for (const pauseMs of [100, 200, 400]) {
      await until(() => clock.waiting === 1)
      expect(await codeOf(store.get('job'))).toBe('STORE_FAILED')
      clock.advance(pauseMs)
    }
    await until(isOpen(store))
    expect((await append(store, 'job', 1)).seq).toBe(2)
    await store.close()
  })

  test('it can be closed between two attempts, and leaves the directory free', async () => {
    const { store, faulty, clock, directory } = await opened()
    await create(store, 'job')
    faulty.failures.push('before')
    faulty.failedOpenings = 1
    await codeOf(append(store, 'job', 1))
    await until(() => clock.waiting === 1)
    await store.close()
    expect(clock.waiting).toBe(0)
    expect(await codeOf(store.get('job'))).toBe('STORE_CLOSED')
    const next = levelStore(directory)
    expect(await next.open()).toMatchObject({ generation: 2 })
    await next.close()
  })

  test('it can be closed while the failing write is in flight', async () => {
    const { store, faulty } = await opened()
    await create(store, 'job')
    faulty.failures.push('before')
    const [code] = await Promise.all([codeOf(append(store, 'job', 1)), store.close()])
    expect(code).toBe('COMMIT_UNKNOWN')
    expect(await codeOf(store.get('job'))).toBe('STORE_CLOSED')
    expect(await store.open()).toMatchObject({ generation: 2 })
    await store.close()
  })
})

describe('an opening that fails', () => {
  test('leaves the directory free for the next one', async () => {
    const { store, faulty } = await opened()
    await store.close()
    faulty.failedOpenings = 1
    expect(await codeOf(store.open())).toBe('STORE_IO')
    faulty.failures.push('before')
    expect(await codeOf(store.open())).toBe('STORE_IO')
    expect(await store.open()).toMatchObject({ generation: 2 })
    await store.close()
  })
})
