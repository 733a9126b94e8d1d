import { describe, expect, test } from 'vitest'
import { all, type Bench, codeOf, eventOf, eventsOf } from './job-store-bench.ts'

/** Commits, claims and refusals. */
export function commitCases(bench: Bench): void {
  describe('commits', () => {
    acceptedCases(bench)
    refusedCases(bench)
    repeatedCases(bench)
  })
  describe('claims', () => claimCases(bench))
}

function acceptedCases(bench: Bench): void {
  test('S1: a resolved commit is visible to every later read', async () => {
    const committed = await bench.create('job', 2, { status: 'running' })
    expect(committed.seq).toBe(2)
    const row = await bench.store.get('job')
    expect(row).toEqual({
      id: 'job',
      agent: 'agent',
      status: 'running',
      priority: 5,
      seq: 2,
      hash: committed.hash,
      epoch: 1,
      owner: 1,
      unread: 0,
      createdAt: 1000,
      updatedAt: 1001,
    })
    const [events] = await all(bench.store.read('job'))
    expect(events?.map(({ id, seq, epoch, jobId }) => [id, seq, epoch, jobId])).toEqual([
      ['job-0', 0, 1, 'job'],
      ['job-1', 1, 1, 'job'],
    ])
    expect(events?.at(-1)?.hash).toBe(committed.hash)
  })

  test('a commit without events keeps the head and changes the rest', async () => {
    const { hash } = await bench.create('job')
    expect(await bench.append('job', 1, 0, { status: 'paused' })).toEqual({ seq: 1, hash })
    expect(await bench.store.get('job')).toMatchObject({ seq: 1, status: 'paused', updatedAt: 1000 })
  })

  test('commits of one job that are sent together are stored in order', async () => {
    await bench.create('job')
    await Promise.all([1, 2, 3, 4, 5].map((seq) => bench.append('job', seq)))
    expect((await bench.store.get('job'))?.seq).toBe(6)
  })

  test('jobs do not touch each other, also where one id begins with another', async () => {
    await bench.create('job')
    await bench.create('job-1', 3)
    await bench.create('job.1', 2)
    const counts = await Promise.all(
      ['job', 'job-1', 'job.1'].map(async (id) => (await all(bench.store.read(id))).flat().length),
    )
    expect(counts).toEqual([1, 3, 2])
  })

  test('what the caller does to its objects after a commit changes nothing', async () => {
    const event = eventOf('first')
    const timers = { set: [{ id: 'timer', dueAt: 5 }] }
    const state = { deep: [1] }
    const done = bench.create('job', 0, { events: [event], timers, snapshot: { seq: 1, machine: 'm', state } })
    Object.assign(event, { id: 'changed', data: { name: 'other', payload: null, message: 'other' } })
    Object.assign(timers.set[0] as object, { dueAt: 9 })
    state.deep.push(2)
    await done
    const [events] = await all(bench.store.read('job'))
    expect(events?.[0]).toMatchObject(eventOf('first'))
    expect(await bench.store.nextTimer()).toBe(5)
    expect((await bench.store.snapshot('job', 'm'))?.state).toEqual({ deep: [1] })
  })

  test('what the caller does to what it was given changes nothing', async () => {
    await bench.create('job')
    Object.assign((await bench.store.get('job')) as object, { seq: 9, status: 'failed' })
    const [events] = await all(bench.store.read('job'))
    Object.assign(events?.[0] as object, { id: 'changed' })
    expect(await bench.store.get('job')).toMatchObject({ seq: 1, status: 'ready' })
    expect((await all(bench.store.read('job'))).flat()[0]?.id).toBe('job-0')
  })

  test('a job that has ended stays ended, and takes notes', async () => {
    await bench.create('job', 1, { status: 'completed' })
    await bench.append('job', 1)
    expect(await codeOf(bench.append('job', 2, 1, { status: 'running' }))).toBe('JOB_SETTLED')
    expect(await bench.store.get('job')).toMatchObject({ seq: 2, status: 'completed' })
  })

  test('a job that is reopened is unfinished again, also after a restart', async () => {
    await bench.create('job', 1, { status: 'failed' })
    await bench.append('job', 1, 1, { status: 'running', reopen: true, timers: { set: [{ id: 'timer', dueAt: 5 }] } })
    await bench.restart()
    expect((await all(bench.store.list({ unfinished: true }))).map(({ id }) => id)).toEqual(['job'])
    expect(await bench.store.nextTimer()).toBe(5)
    expect(await bench.send('job', 'message')).toBe(true)
    expect(await all(bench.store.verify())).toEqual([])
    await bench.append('job', 2, 1, { status: 'completed' })
    expect(await all(bench.store.list({ unfinished: true }))).toEqual([])
  })
}

function refusedCases(bench: Bench): void {
  test('S2: a commit at another seq than the head is refused and names the head', async () => {
    await bench.create('job', 2)
    for (const seq of [0, 1, 3]) {
      const events = [eventOf('stale'), eventOf('stale-2'), eventOf('stale-3')]
      await expect(bench.append('job', seq, 0, { events })).rejects.toMatchObject({
        code: 'COMMIT_CONFLICT',
        actual: 2,
        jobId: 'job',
      })
    }
    expect((await bench.store.get('job'))?.seq).toBe(2)
  })

  test('S2: nothing of a refused commit is stored', async () => {
    await bench.create('job', 2)
    await bench.send('job', 'message')
    const more = {
      timers: { set: [{ id: 'timer', dueAt: 1 }] },
      acks: ['message'],
      snapshot: { seq: 1, machine: 'm', state: 1 },
      status: 'failed' as const,
    }
    expect(await codeOf(bench.append('job', 5, 1, more))).toBe('COMMIT_CONFLICT')
    expect(await codeOf(bench.append('job', 2, 1, { ...more, lease: { jobId: 'job', epoch: 7 } }))).toBe('LEASE_FENCED')
    expect(await codeOf(bench.append('job', 2, 1, { ...more, acks: ['message', 'never-sent'] }))).toBe('INPUT_INVALID')
    expect(await bench.store.get('job')).toMatchObject({ seq: 2, status: 'ready' })
    expect(await bench.store.nextTimer()).toBeUndefined()
    expect(await bench.store.snapshot('job', 'm')).toBeUndefined()
    expect(await bench.unread('job')).toEqual(['message'])
  })

  test('S2: of ten commits at one seq exactly one is stored', async () => {
    await bench.create('job')
    const codes = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        codeOf(bench.append('job', 1, 0, { events: [eventOf(`rival-${index}`)] })),
      ),
    )
    expect(codes.filter((code) => code === 'fulfilled')).toHaveLength(1)
    expect(codes.filter((code) => code === 'COMMIT_CONFLICT')).toHaveLength(9)
    expect((await all(bench.store.read('job'))).flat()).toHaveLength(2)
  })

  test('a refused commit does not hold up others that came with it', async () => {
    await bench.create('job')
    const codes = await Promise.all([
      codeOf(bench.append('job', 4)),
      codeOf(bench.append('job', 1)),
      codeOf(bench.append('none', 0)),
    ])
    expect(codes).toEqual(['COMMIT_CONFLICT', 'fulfilled', 'JOB_NOT_FOUND'])
  })

  test('an id that is taken is refused; of ten creations exactly one succeeds', async () => {
    const codes = await Promise.all(
      Array.from({ length: 10 }, (_, index) => codeOf(bench.create('job', 0, { events: [eventOf(`rival-${index}`)] }))),
    )
    expect(codes.filter((code) => code === 'fulfilled')).toHaveLength(1)
    expect(codes.filter((code) => code === 'JOB_EXISTS')).toHaveLength(9)
  })
}

function repeatedCases(bench: Bench): void {
  test('S5: a repeated commit is answered as the first time', async () => {
    const created = await bench.create('job', 2)
    const first = await bench.append('job', 2, 3, { timers: { set: [{ id: 'timer', dueAt: 1 }] } })
    await bench.append('job', 5, 1, { timers: { clear: ['timer'] } })
    expect(await bench.append('job', 2, 3, { timers: { set: [{ id: 'timer', dueAt: 1 }] } })).toEqual(first)
    expect(await bench.create('job', 2)).toEqual(created)
    expect((await bench.store.get('job'))?.seq).toBe(6)
    expect(await bench.store.nextTimer()).toBeUndefined()
  })

  test('S5: two equal commits that are sent together are stored once', async () => {
    await bench.create('job')
    const [first, second] = await Promise.all([bench.append('job', 1), bench.append('job', 1)])
    expect(second).toEqual(first)
    expect((await bench.store.get('job'))?.seq).toBe(2)
  })

  test('S5: a repeated commit is known after a claim and after a restart', async () => {
    await bench.create('job')
    const first = await bench.append('job', 1)
    await bench.store.claim('job')
    await bench.restart()
    expect(await bench.append('job', 1)).toEqual(first)
  })

  test('S5: equal ids elsewhere, other ids, or more than is stored are no repetition', async () => {
    await bench.create('job', 3)
    expect(await codeOf(bench.append('job', 0, 0, { events: eventsOf('job', 1, 2) }))).toBe('COMMIT_CONFLICT')
    expect(await codeOf(bench.append('job', 1, 0, { events: [eventOf('job-1'), eventOf('other')] }))).toBe(
      'COMMIT_CONFLICT',
    )
    expect(await codeOf(bench.append('job', 2, 2))).toBe('COMMIT_CONFLICT')
    expect(await codeOf(bench.append('job', 1, 1, { lease: { jobId: 'job', epoch: 2 } }))).toBe('LEASE_FENCED')
  })
}

function claimCases(bench: Bench): void {
  test('S3: ten claims get ten epochs', async () => {
    await bench.create('job')
    const rows = await Promise.all(Array.from({ length: 10 }, () => bench.store.claim('job')))
    expect(rows.map((row) => row.epoch).sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect((await bench.store.get('job'))?.epoch).toBe(11)
  })

  test('S3: only the newest epoch may commit', async () => {
    await bench.create('job')
    const { epoch, seq } = await bench.store.claim('job')
    expect([epoch, seq]).toEqual([2, 1])
    for (const old of [1, 3]) {
      const refused = bench.append('job', 1, 1, { lease: { jobId: 'job', epoch: old } })
      await expect(refused).rejects.toMatchObject({ code: 'LEASE_FENCED', actual: 2, jobId: 'job' })
    }
    await bench.append('job', 1, 1, { lease: { jobId: 'job', epoch: 2 } })
    expect((await all(bench.store.read('job'))).flat().map((event) => event.epoch)).toEqual([1, 2])
  })

  test('S3: a commit that was sent before a claim wins or is fenced, never both', async () => {
    await bench.create('job')
    const [code, row] = await Promise.all([codeOf(bench.append('job', 1)), bench.store.claim('job')])
    expect(row.seq).toBe(code === 'fulfilled' ? 2 : 1)
    expect((await bench.store.get('job'))?.seq).toBe(row.seq)
  })

  test('S3: epochs grow on over a restart, and name the opening that claimed', async () => {
    await bench.create('job')
    await bench.store.claim('job')
    await bench.restart()
    expect(await bench.store.claim('job')).toMatchObject({ epoch: 3, owner: 2 })
  })

  test('a job that does not exist cannot be claimed', async () => {
    expect(await codeOf(bench.store.claim('none'))).toBe('JOB_NOT_FOUND')
  })
}
