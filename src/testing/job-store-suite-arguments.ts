import { describe, expect, test } from 'vitest'
import { all, type Bench, codeOf, eventOf } from './job-store-bench.ts'

const hostileIds = ['', '!', 'a!b', 'a b', 'a\u0000', 'é', '\ud800', '"', 'x'.repeat(257), '\n', '~', '__proto__!', '*']

/** Bad arguments are refused before anything is stored. */
export function argumentCases(bench: Bench): void {
  describe('arguments', () => {
    idCases(bench)
    valueCases(bench)
  })
}

function idCases(bench: Bench): void {
  test.each(hostileIds)('S7: the id %j is refused everywhere', async (id) => {
    await bench.create('job')
    const refusals = [
      bench.create(id),
      bench.append(id, 0),
      bench.store.claim(id),
      bench.store.get(id),
      bench.store.inbox(id),
      bench.store.snapshot(id, 'm'),
      all(bench.store.read(id)),
      all(bench.store.verify(id)),
      bench.send(id, 'message'),
      bench.send('job', id),
      bench.append('job', 1, 1, { acks: [id] }),
      bench.append('job', 1, 1, { timers: { set: [{ id, dueAt: 1 }] } }),
      bench.append('job', 1, 1, { timers: { clear: [id] } }),
    ]
    expect(await Promise.all(refusals.map(codeOf))).toEqual(refusals.map(() => 'INPUT_INVALID'))
    expect((await all(bench.store.list())).map((row) => [row.id, row.seq])).toEqual([['job', 1]])
  })

  test('S7: ids of every allowed character and of full length work', async () => {
    for (const id of ['a.b:c/d#e[f]@g-h_1', 'x'.repeat(256), '__proto__', 'constructor', '-', '.']) {
      await bench.create(id, 1, { timers: { set: [{ id, dueAt: 1 }] } })
      await bench.send(id, id)
      await bench.append(id, 1, 1, { acks: [id], timers: { clear: [id] } })
      expect((await bench.store.get(id))?.seq).toBe(2)
    }
  })
}

function valueCases(bench: Bench): void {
  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 10 ** 10])(
    'S7: the number %d is refused',
    async (number) => {
      await bench.create('job')
      const refusals = [
        bench.append('job', number),
        bench.append('job', 1, 1, { lease: { jobId: 'job', epoch: number } }),
        bench.append('job', 1, 1, { timers: { set: [{ id: 'timer', dueAt: number }] } }),
        bench.append('job', 1, 1, { snapshot: { seq: number, machine: 'm', state: 1 } }),
        bench.create('other', 1, { create: { agent: 'a', priority: number } }),
      ]
      const codes = await Promise.all(refusals.map(codeOf))
      // A large whole number is no seq and no priority, but it is a time, and an epoch that is not the job's.
      const isLarge = number === 10 ** 10
      expect(codes).toEqual([
        'INPUT_INVALID',
        isLarge ? 'LEASE_FENCED' : 'INPUT_INVALID',
        isLarge ? 'fulfilled' : 'INPUT_INVALID',
        'INPUT_INVALID',
        'INPUT_INVALID',
      ])
    },
  )

  test('S7: an event that could not be read back is refused', async () => {
    const bad = [
      { ...eventOf('a'), type: 'no.such' },
      { ...eventOf('a'), v: 99 },
      { ...eventOf('a'), at: -1 },
      { ...eventOf('a'), id: '' },
      { ...eventOf('a'), state: undefined },
      { ...eventOf('a'), data: { name: 'go' } },
    ]
    for (const event of bad)
      expect(await codeOf(bench.create('job', 0, { events: [event as never] }))).toBe('EVENT_INVALID')
    expect(await bench.store.get('job')).toBeUndefined()
  })

  test('S7: a creation needs events, epoch 1, seq 0 and an agent; a commit needs a job', async () => {
    const create = { agent: '', priority: 1 }
    expect(await codeOf(bench.create('job', 0))).toBe('INPUT_INVALID')
    expect(await codeOf(bench.create('job', 1, { lease: { jobId: 'job', epoch: 2 } }))).toBe('INPUT_INVALID')
    expect(await codeOf(bench.create('job', 1, { expectedSeq: 1 }))).toBe('INPUT_INVALID')
    expect(await codeOf(bench.create('job', 1, { create }))).toBe('INPUT_INVALID')
    expect(await codeOf(bench.create('job', 1, { status: 'done' as never }))).toBe('INPUT_INVALID')
    await expect(bench.append('job', 0)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND', jobId: 'job' })
    await expect(all(bench.store.verify('job'))).rejects.toMatchObject({ code: 'JOB_NOT_FOUND', jobId: 'job' })
    expect(await bench.store.get('job')).toBeUndefined()
  })
}
