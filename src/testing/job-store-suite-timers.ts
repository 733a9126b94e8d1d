import { describe, expect, test } from 'vitest'
import { all, type Bench } from './job-store-bench.ts'

/** Timers of jobs. */
export function timerCases(bench: Bench): void {
  const set = (...timers: [id: string, dueAt: number][]) => ({
    timers: { set: timers.map(([id, dueAt]) => ({ id, dueAt })) },
  })
  const due = async (now: number, limit?: number) =>
    (await bench.store.dueTimers(now, limit)).map(({ jobId, id, dueAt }) => `${dueAt} ${jobId} ${id}`)

  describe('timers', () => {
    test('due timers come earliest first, then by job and id', async () => {
      await bench.create('b', 1, set(['x', 1000], ['w', 7]))
      await bench.create('a', 1, set(['z', 1000], ['y', 1000], ['v', 20]))
      expect(await due(1000)).toEqual(['7 b w', '20 a v', '1000 a y', '1000 a z', '1000 b x'])
      expect(await due(999)).toEqual(['7 b w', '20 a v'])
      expect(await due(1000, 3)).toEqual(['7 b w', '20 a v', '1000 a y'])
      expect(await due(7)).toEqual(['7 b w'])
      for (const early of [6, 0, -1]) expect(await due(early)).toEqual([])
      expect(await bench.store.nextTimer()).toBe(7)
    })

    test('the far ends of time work', async () => {
      await bench.create('job', 1, set(['last', Number.MAX_SAFE_INTEGER], ['first', 0]))
      expect(await due(0)).toEqual(['0 job first'])
      expect(await due(Number.MAX_SAFE_INTEGER)).toHaveLength(2)
      expect(await due(Number.POSITIVE_INFINITY)).toHaveLength(2)
    })

    test('a timer that is set again moves; one that is cleared is gone; both in one commit sets it', async () => {
      await bench.create('job', 1, set(['a', 5], ['b', 6], ['c', 7]))
      await bench.append('job', 1, 1, { timers: { set: [{ id: 'a', dueAt: 9 }], clear: ['b', 'never-set'] } })
      await bench.append('job', 2, 1, { timers: { set: [{ id: 'c', dueAt: 8 }], clear: ['c'] } })
      expect(await due(100)).toEqual(['8 job c', '9 job a'])
      expect(await all(bench.store.verify())).toEqual([])
      await bench.restart()
      expect(await due(100)).toEqual(['8 job c', '9 job a'])
    })

    test('a timer that is set twice in one commit is there once, as set last', async () => {
      await bench.create('job', 1, set(['a', 5], ['a', 3]))
      expect(await due(100)).toEqual(['3 job a'])
      expect(await all(bench.store.verify())).toEqual([])
    })

    test('a job that ends leaves no timers, not even those set with its end', async () => {
      await bench.create('job', 1, set(['a', 5]))
      await bench.create('other', 1, set(['a', 6]))
      await bench.append('job', 1, 1, { status: 'completed', ...set(['b', 1]) })
      expect(await due(100)).toEqual(['6 other a'])
      await bench.append('job', 2, 1, set(['c', 1]))
      expect(await bench.store.nextTimer()).toBe(6)
      expect(await all(bench.store.verify())).toEqual([])
    })

    test('no timers: nothing is due', async () => {
      expect(await bench.store.nextTimer()).toBeUndefined()
      expect(await due(Number.MAX_SAFE_INTEGER)).toEqual([])
    })
  })
}
