import { describe, expect, test } from 'vitest'
import type { NewEvent } from '../event/event.ts'
import { verifyChain } from '../store/chain.ts'
import { all, type Bench, codeOf, eventOf, eventsOf } from './job-store-bench.ts'

/** Histories, lists and snapshots. */
export function readCases(bench: Bench): void {
  describe('histories', () => historyCases(bench))
  describe('lists', () => listCases(bench))
  describe('snapshots', () => snapshotCases(bench))
}

function historyCases(bench: Bench): void {
  test('bounds: from is included, to is not, and neither reaches beyond the head', async () => {
    await bench.create('job', 10)
    const seqs = async (from?: number, to?: number) => {
      const range = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
      return (await all(bench.store.read('job', range))).flat().map((event) => event.seq)
    }
    expect(await seqs()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(await seqs(3, 6)).toEqual([3, 4, 5])
    expect(await seqs(8)).toEqual([8, 9])
    expect(await seqs(8, 99)).toEqual([8, 9])
    expect(await seqs(undefined, 1)).toEqual([0])
    for (const [from, to] of [
      [3, 3],
      [6, 3],
      [10, 11],
      [99, 100],
    ] as const) {
      expect(await seqs(from, to)).toEqual([])
      expect(await all(bench.store.read('job', { from, to }))).toEqual([])
    }
    expect(await codeOf(all(bench.store.read('job', { from: -1 })))).toBe('INPUT_INVALID')
  })

  test('a long history comes in chunks, dense and in order', async () => {
    await bench.create('job')
    for (let seq = 1; seq < 2500; seq += 833) await bench.append('job', seq, 833)
    const chunks = await all(bench.store.read('job'))
    expect(chunks.length).toBeGreaterThan(1)
    expect(chunks.flat().map((event) => event.seq)).toEqual(Array.from({ length: 2500 }, (_, seq) => seq))
    // However long it is, so that a chunk is whole where the history ends.
    for (const chunk of chunks) expect((await all(bench.store.read('job', { to: chunk.length }))).length).toBe(1)
  })

  test('a read that is left early does not hold anything up', async () => {
    await bench.create('job', 1500)
    for await (const chunk of bench.store.read('job')) {
      expect(chunk[0]?.seq).toBe(0)
      break
    }
    await bench.append('job', 1500)
  })

  test('events come back as they were given, whatever JSON they hold', async () => {
    const payload = {
      'é\u0000"\\!\n': ['\u2028', -0.5, 1e21, null, true, { '': {} }],
      2: 'two',
      1: 'one',
      z: '𝄞'.repeat(300),
    }
    const data = { message: 'm', payload, name: 'odd order' }
    const event: NewEvent = {
      id: 'a',
      type: 'signal.received',
      v: 1,
      at: 1,
      cause: 0,
      state: { a: { b: ['c'] } },
      data,
    }
    await bench.create('job', 0, { events: [eventOf('first'), event] })
    await bench.restart()
    expect((await all(bench.store.read('job'))).flat()[1]).toMatchObject(event)
  })

  test('large values come back as they were given, and every event that holds one is chained like the others', async () => {
    const large = 'x'.repeat(100_000)
    const list = Array.from({ length: 2_000 }, (_, n) => ({ n, text: 'item' }))
    const likeReference = { $blob: 'not one', size: 3 }
    const payloads = [large, { large, again: [large], likeReference }, list, { list, small: 1 }, likeReference]
    const events = payloads.map(
      (payload, nth): NewEvent => ({ ...eventOf(`large-${nth}`), data: { name: 'n', message: 'm', payload } as never }),
    )
    await bench.create('job', 0, { events })
    await bench.create('other', 0, { events: events.slice(0, 1) })
    await bench.restart()
    const found = (await all(bench.store.read('job'))).flat()
    expect(found.map(({ data }) => (data as { payload: unknown }).payload)).toEqual(payloads)
    expect(verifyChain(JSON.parse(JSON.stringify(found)))).toBeUndefined()
    expect(await all(bench.store.verify())).toEqual([])
  })

  test('a history can be exported and checked elsewhere; a change in it is found', async () => {
    await bench.create('job', 5)
    const lines = (await all(bench.store.read('job'))).flat().map((event) => JSON.stringify(event))
    const events = lines.map((line) => JSON.parse(line))
    expect(verifyChain(events)).toBeUndefined()
    expect(verifyChain(events.toSpliced(2, 1))).toMatchObject({ kind: 'gap', seq: 2 })
    expect(verifyChain(events.with(3, { ...events[3], state: 'other' }))).toMatchObject({ kind: 'hash', seq: 3 })
  })

  test('a job that does not exist has no history and no row', async () => {
    expect(await codeOf(all(bench.store.read('none')))).toBe('JOB_NOT_FOUND')
    expect(await bench.store.get('none')).toBeUndefined()
  })

  test('verify finds nothing where all is well, and leaves everything as it is', async () => {
    await bench.create('job', 3, {
      timers: { set: [{ id: 'timer', dueAt: 9 }] },
      snapshot: { seq: 2, machine: 'm', state: 1 },
    })
    await bench.send('job', 'message')
    await bench.create('ended', 1, { status: 'completed' })
    expect(await all(bench.store.verify())).toEqual([])
    expect(await all(bench.store.verify('job'))).toEqual([])
    expect(await bench.store.get('job')).toMatchObject({ seq: 3 })
  })
}

function listCases(bench: Bench): void {
  const ids = async (query: Parameters<Bench['store']['list']>[0]) =>
    (await all(bench.store.list(query))).map((row) => row.id)

  test('jobs are listed in order of id, all, unfinished, of a status, or some', async () => {
    for (const id of ['b', 'a/2', 'a', 'B', 'a-1', '10', '9']) await bench.create(id)
    await bench.append('b', 1, 1, { status: 'waiting' })
    await bench.append('B', 1, 1, { status: 'failed' })
    expect(await ids({})).toEqual(['10', '9', 'B', 'a', 'a-1', 'a/2', 'b'])
    expect(await ids({ unfinished: true })).toEqual(['10', '9', 'a', 'a-1', 'a/2', 'b'])
    expect(await ids({ status: 'waiting' })).toEqual(['b'])
    expect(await ids({ status: 'failed' })).toEqual(['B'])
    expect(await ids({ unfinished: true, status: 'failed' })).toEqual([])
    expect(await ids({ limit: 2 })).toEqual(['10', '9'])
    expect(await ids({ status: 'ready', limit: 3 })).toEqual(['10', '9', 'a'])
    expect(await ids({ limit: 0 })).toEqual([])
  })

  test('a job leaves the unfinished ones with each of the three ends', async () => {
    for (const status of ['completed', 'failed', 'cancelled'] as const) {
      await bench.create(status)
      await bench.append(status, 1, 1, { status })
    }
    await bench.create('short', 1, { status: 'completed' })
    expect(await ids({ unfinished: true })).toEqual([])
    await bench.restart()
    expect(await ids({})).toEqual(['cancelled', 'completed', 'failed', 'short'])
  })

  test('a job that goes on after its end is unfinished again, also for the next opening', async () => {
    await bench.create('job', 1, { status: 'failed' })
    await bench.append('job', 1, 1, { status: 'running', reopen: true })
    expect(await ids({ unfinished: true })).toEqual(['job'])
    expect(await all(bench.store.verify())).toEqual([])
    await bench.restart()
    expect(await ids({ unfinished: true })).toEqual(['job'])
  })
}

function snapshotCases(bench: Bench): void {
  const snapshot = (seq: number, machine = 'm') => ({ snapshot: { seq, machine, state: { at: seq } } })

  test('the newest snapshot of a machine is given', async () => {
    await bench.create('job', 3, snapshot(1))
    await bench.append('job', 3, 1, snapshot(3))
    expect(await bench.store.snapshot('job', 'm')).toEqual({ seq: 3, machine: 'm', state: { at: 3 } })
    expect(await bench.store.snapshot('job', 'other')).toBeUndefined()
    expect(await bench.store.snapshot('none', 'm')).toBeUndefined()
    await bench.restart()
    expect(await bench.store.snapshot('job', 'm')).toEqual({ seq: 3, machine: 'm', state: { at: 3 } })
  })

  test('a snapshot at the same seq takes the place of the old one, also of another machine', async () => {
    await bench.create('job', 3, snapshot(3))
    await bench.append('job', 3, 0, snapshot(3, 'new'))
    expect(await bench.store.snapshot('job', 'new')).toMatchObject({ seq: 3 })
    expect(await bench.store.snapshot('job', 'm')).toBeUndefined()
  })

  test('a snapshot may cover the events of its own commit, but none beyond', async () => {
    expect(await codeOf(bench.create('job', 2, snapshot(3)))).toBe('INPUT_INVALID')
    await bench.create('job', 2, snapshot(2))
    expect(await bench.store.snapshot('job', 'm')).toMatchObject({ seq: 2 })
  })

  test('a job that ends leaves no snapshot', async () => {
    await bench.create('job', 2, snapshot(2))
    await bench.store.commit({
      lease: { jobId: 'job', epoch: 1 },
      expectedSeq: 2,
      events: eventsOf('job', 2, 1),
      status: 'failed',
      ...snapshot(3),
    })
    expect(await bench.store.snapshot('job', 'm')).toBeUndefined()
  })
}
