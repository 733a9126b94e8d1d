import { describe, expect, test } from 'vitest'
import type { JobStore } from '../store/store.ts'
import { all, type Bench, codeOf, eventsOf } from './job-store-bench.ts'

/** Copies of whole jobs, and the deletion of jobs that have ended. */
export function copyCases(bench: Bench, oneMoment: boolean): void {
  const end = (jobId: string) => bench.create(jobId, 2, { status: 'completed' })

  describe('copies', () => {
    test('hold all that is stored of a job', async () => {
      await bench.create('job', 3, {
        timers: { set: [{ id: 't', dueAt: 7 }] },
        snapshot: { seq: 2, machine: 'm', state: { a: 1 } },
      })
      for (const id of ['m2', 'm1', 'm3']) await bench.send('job', id)
      await bench.append('job', 3, 1, { acks: ['m3'] })
      await end('other')
      const [copy, other] = await whole(bench.store)
      expect(copy).toEqual({
        row: await bench.store.get('job'),
        events: (await all(bench.store.read('job'))).flat(),
        timers: [{ id: 't', dueAt: 7 }],
        inbox: await bench.store.inbox('job'),
        taken: ['m3'],
        snapshots: [{ seq: 2, machine: 'm', state: { a: 1 } }],
      })
      expect(other).toMatchObject({ row: { id: 'other', status: 'completed' }, timers: [], taken: [] })
      expect(await whole(bench.store, 'other')).toEqual([other])
    })

    test.runIf(oneMoment)('show one moment, whatever is written meanwhile', async () => {
      await bench.create('a')
      await bench.create('b')
      const seen: unknown[] = []
      for await (const copy of bench.store.copies()) {
        if (!('row' in copy)) continue
        if (seen.length === 0) {
          await bench.append('b', 1, 4)
          await bench.create('c')
        }
        seen.push([copy.row.id, copy.row.seq, (await all(copy.events)).flat().length])
      }
      expect(seen).toEqual([
        ['a', 1, 1],
        ['b', 1, 1],
      ])
    })

    test('of a job that is not there are refused', async () => {
      expect(await codeOf(whole(bench.store, 'nobody'))).toBe('JOB_NOT_FOUND')
      expect(await codeOf(whole(bench.store, 'no!key'))).toBe('INPUT_INVALID')
    })
  })

  describe('prune', () => {
    test('S8: deletes a job, and never gives its id to another', async () => {
      await bench.create('job', 2)
      await bench.send('job', 'm')
      await bench.append('job', 2, 1, { status: 'failed' })
      await bench.create('stays')
      await bench.store.prune(['job'], 77)
      for (const again of [false, true]) {
        if (again) await bench.restart()
        expect(await bench.store.get('job')).toBeUndefined()
        expect((await all(bench.store.list())).map(({ id }) => id)).toEqual(['stays'])
        const refused = [
          bench.create('job'),
          bench.append('job', 3),
          bench.store.claim('job'),
          bench.send('job', 'n'),
          bench.send('job', 'm'),
        ]
        expect(await Promise.all(refused.map(codeOf))).toEqual(refused.map(() => 'JOB_PRUNED'))
        expect(await whole(bench.store, 'job')).toEqual([{ id: 'job', prunedAt: 77 }])
        expect((await whole(bench.store)).at(-1)).toEqual({ id: 'job', prunedAt: 77 })
        expect(await all(bench.store.verify())).toEqual([])
        expect(await all(bench.store.verify('stays'))).toEqual([])
      }
    })

    test('S8: a message that goes out with a commit is dropped where its job was pruned', async () => {
      await end('gone')
      await bench.store.prune(['gone'], 1)
      const message = { jobId: 'gone', id: 'm', at: 1, kind: 'child', body: null }
      await bench.create('job', 1, { send: [message] })
      expect(await all(bench.store.verify())).toEqual([])
    })

    test('refuses a job that has not ended, and nothing of it is lost', async () => {
      await bench.create('live', 2)
      await end('done')
      expect(await codeOf(bench.store.prune(['live', 'done'], 1))).toBe('COMMAND_REFUSED')
      expect(await bench.store.get('live')).toMatchObject({ seq: 2 })
      await bench.append('live', 2)
      expect(await all(bench.store.verify())).toEqual([])
    })

    test('takes the id of a job that was not there; again it changes nothing', async () => {
      await bench.store.prune(['never'], 5)
      await bench.store.prune(['never'], 6)
      expect(await whole(bench.store)).toEqual([{ id: 'never', prunedAt: 5 }])
      expect(await codeOf(bench.create('never'))).toBe('JOB_PRUNED')
    })

    test('sees what was written just before, and is seen by what comes just after', async () => {
      await end('job')
      const calls = [bench.append('job', 2, 1), bench.store.prune(['job'], 1), bench.append('job', 3, 1)]
      expect(await Promise.all(calls.map(codeOf))).toEqual(['fulfilled', 'fulfilled', 'JOB_PRUNED'])
      expect(await all(bench.store.verify())).toEqual([])
    })

    test.each([
      ['no!key', 1],
      ['job', -1],
      ['job', Number.NaN],
    ])('S7: refuses (%j, %d)', async (id, at) => {
      await end('job')
      expect(await codeOf(bench.store.prune([id], at))).toBe('INPUT_INVALID')
      expect(await bench.store.get('job')).toBeDefined()
    })

    test('the large values of a job go with it', async () => {
      const [event] = eventsOf('job', 0, 1)
      const large = { ...event, data: { name: 'go', payload: 'large '.repeat(5_000), message: 'm' } }
      await bench.create('job', 1, { events: [large as never], status: 'completed' })
      await bench.store.prune(['job'], 1)
      expect(await all(bench.store.verify())).toEqual([])
    })
  })
}

/** Copies with their events read. */
async function whole(store: JobStore, jobId?: string): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const copy of store.copies(jobId))
    found.push('row' in copy ? { ...copy, events: (await all(copy.events)).flat() } : copy)
  return found
}
