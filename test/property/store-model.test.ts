import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { levelStore } from '../../src/store/level-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { Commit, JobStatus, JobStore } from '../../src/store/store.ts'
import { all, codeOf, eventOf } from '../../src/testing/job-store-bench.ts'
import { faultyLevel } from '../support/faulty-level.ts'
import { contentsOf, copyOf, newDirectory, removeDirectories } from '../support/store-data.ts'

/** Whatever is done to a store on disk, in whatever order, everything that can be read is as in memory. */

afterAll(removeDirectories)

const jobIds = ['job-0', 'job-1', 'job-2']
const statuses: JobStatus[] = ['ready', 'running', 'waiting', 'paused', 'completed', 'failed', 'cancelled']

const small = fc.nat({ max: 3 })
const jobId = fc.constantFrom(...jobIds)
const names = fc.array(small.map(String), { maxLength: 2 })

/** Seqs and epochs are mostly those that the store expects, so that something is stored. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('commit' as const),
      jobId,
      create: fc.boolean(),
      seqOff: fc.constantFrom(0, 0, 0, 0, 0, -1, 1),
      epochOff: fc.constantFrom(0, 0, 0, 0, 0, -1, 1),
      events: fc.nat({ max: 3 }),
      status: fc.option(fc.constantFrom(...statuses.slice(0, 4), ...statuses), { nil: undefined }),
      set: fc.array(fc.record({ id: small.map(String), dueAt: fc.nat({ max: 99 }) }), { maxLength: 2 }),
      clear: names,
      acks: names,
      snapshot: fc.option(fc.nat({ max: 8 }), { nil: undefined }),
      repeat: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('send' as const), jobId, id: small.map(String) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('claim' as const), jobId }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('reopen' as const, 'crash' as const, 'verify' as const) }),
  },
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
type Commits = Extract<Step, { kind: 'commit' }>

/** The pair of stores, and the copies that crashes make. */
class Pair {
  readonly memory = memoryStore()
  level!: JobStore
  #directory!: string
  #events = 0

  async start(): Promise<void> {
    this.#directory = await newDirectory()
    this.level = levelStore(this.#directory)
    await this.both((store) => store.open())
  }

  /** Does the same to both, and expects the same answer. */
  async both(action: (store: JobStore) => Promise<unknown>): Promise<void> {
    const answer = (store: JobStore) =>
      action(store).then(
        (value) => ({ value }),
        (error) => ({ code: error.code, actual: error.actual }),
      )
    expect(await answer(this.level)).toEqual(await answer(this.memory))
  }

  async do(step: Step): Promise<void> {
    switch (step.kind) {
      case 'commit':
        return this.#commit(step)
      case 'send':
        return this.both((store) => store.send({ jobId: step.jobId, id: step.id, at: 1, kind: 'signal', body: null }))
      case 'claim':
        return this.both((store) => store.claim(step.jobId))
      case 'reopen':
        await this.both((store) => store.close())
        return this.both((store) => store.open())
      case 'crash':
        return this.#crash()
      case 'verify':
        return expect(await all(this.level.verify())).toEqual([])
    }
  }

  async #commit(step: Commits): Promise<void> {
    const row = await this.memory.get(step.jobId)
    const commit: Commit = {
      lease: { jobId: step.jobId, epoch: Math.max(0, (row?.epoch ?? 1) + step.epochOff) },
      expectedSeq: Math.max(0, (row?.seq ?? 0) + step.seqOff),
      ...((row === undefined || step.create) && { create: { agent: 'agent', priority: 5 } }),
      events: Array.from({ length: step.events }, () => eventOf(`event-${this.#events++}`, this.#events)),
      ...(step.status && { status: step.status }),
      timers: { set: step.set, clear: step.clear },
      acks: step.acks,
      ...(step.snapshot !== undefined && { snapshot: { seq: step.snapshot, machine: 'machine', state: this.#events } }),
    }
    await this.both((store) => store.commit(commit))
    if (step.repeat && step.events > 0) await this.both((store) => store.commit(commit))
  }

  /** The power goes: what the files held goes on elsewhere, without the store having been closed. */
  async #crash(): Promise<void> {
    const copy = await copyOf(this.#directory)
    await this.level.close()
    this.#directory = copy
    this.level = levelStore(copy)
    await this.memory.close()
    await this.both((store) => store.open())
  }

  async end(): Promise<void> {
    const contents = await contentsOf(this.memory, jobIds)
    expect(await contentsOf(this.level, jobIds)).toEqual(contents)
    expect(await all(this.level.verify())).toEqual([])
    await this.level.close()
    await removeDirectories()
  }
}

test('a store on disk answers and holds what the one in memory does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const pair = new Pair()
      await pair.start()
      for (const each of steps) await pair.do(each)
      await pair.end()
    }),
    { numRuns: 60 },
  )
})

test('commits that are sent together are stored one by one, in some order that fits their answers', async () => {
  const kinds = fc.array(fc.record({ jobId, rival: small, claim: fc.boolean() }), { minLength: 2, maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(kinds, async (requests) => {
      const store = levelStore(await newDirectory())
      await store.open()
      for (const id of jobIds)
        await store.commit({
          lease: { jobId: id, epoch: 1 },
          expectedSeq: 0,
          create: { agent: 'a', priority: 1 },
          events: [eventOf(id)],
        })
      const answers = await Promise.all(
        requests.map(({ jobId, rival, claim }, index) => {
          const lease = { jobId, epoch: 1 }
          return codeOf(
            claim ? store.claim(jobId) : store.commit({ lease, expectedSeq: 1 + rival, events: [eventOf(`${index}`)] }),
          )
        }),
      )
      for (const id of jobIds) {
        const stored = (await all(store.read(id))).flat().slice(1)
        const acknowledged = requests.flatMap((each, index) =>
          each.jobId === id && !each.claim && answers[index] === 'fulfilled' ? [`${index}`] : [],
        )
        expect(stored.map((event) => event.id).sort()).toEqual(acknowledged.sort())
        const claims = requests.filter((each) => each.jobId === id && each.claim).length
        expect((await store.get(id))?.epoch).toBe(1 + claims)
      }
      expect(await all(store.verify())).toEqual([])
      await store.close()
      await removeDirectories()
    }),
    { numRuns: 30 },
  )
})

test('after failed writes nothing that was acknowledged is missing, and nothing that was refused is there', async () => {
  const failure = fc.option(fc.constantFrom('before' as const, 'after' as const), { nil: undefined, freq: 3 })
  await fc.assert(
    fc.asyncProperty(fc.array(failure, { minLength: 3, maxLength: 12 }), async (failures) => {
      const faulty = faultyLevel()
      const store = levelStore(await newDirectory(), { openDatabase: faulty.openDatabase })
      await store.open()
      let seq = 0
      for (const each of failures) {
        const create = seq === 0 ? { create: { agent: 'a', priority: 1 } } : {}
        const commit = {
          lease: { jobId: 'job', epoch: 1 },
          expectedSeq: seq,
          ...create,
          events: [eventOf(`event-${seq}`)],
        }
        if (each !== undefined) faulty.failures.push(each)
        let code = await codeOf(store.commit(commit))
        expect(code).toBe(each === undefined ? 'fulfilled' : 'COMMIT_UNKNOWN')
        // The same commit again, until the store is open; then it must succeed, stored before or not.
        while (code !== 'fulfilled') {
          await new Promise((resolve) => setImmediate(resolve))
          code = await codeOf(store.commit(commit))
          if (code !== 'fulfilled') expect(code).toBe('STORE_FAILED')
        }
        seq += 1
      }
      expect((await all(store.read('job'))).flat().map((event) => event.id)).toEqual(
        failures.map((_, index) => `event-${index}`),
      )
      expect(await all(store.verify())).toEqual([])
      await store.close()
      await removeDirectories()
    }),
    { numRuns: 20 },
  )
})
