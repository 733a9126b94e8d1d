import { describe, expect, test } from 'vitest'
import { all, type Bench, codeOf } from './job-store-bench.ts'

/** Opening and closing. */
export function closingCases(bench: Bench): void {
  describe('opening and closing', () => {
    test('a closed store refuses every call', async () => {
      await bench.create('job')
      await bench.store.close()
      const calls = [
        bench.create('other'),
        bench.append('job', 1),
        bench.store.claim('job'),
        bench.store.get('job'),
        bench.send('job', 'm'),
        bench.store.inbox('job'),
        bench.store.dueTimers(1),
        bench.store.nextTimer(),
        bench.store.snapshot('job', 'm'),
        all(bench.store.list()),
        all(bench.store.read('job')),
        all(bench.store.copies()),
        bench.store.prune(['job'], 1),
        all(bench.store.verify()),
      ]
      expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => 'STORE_CLOSED'))
      await bench.store.close()
    })

    test('closing waits for what was sent before', async () => {
      await bench.create('job')
      const commits = [1, 2, 3].map((seq) => bench.append('job', seq))
      await bench.store.close()
      await Promise.all(commits)
      await bench.restart()
      expect((await bench.store.get('job'))?.seq).toBe(4)
    })

    test('the same object can be opened again', async () => {
      await bench.create('job')
      await bench.store.close()
      expect(await bench.store.open()).toMatchObject({ generation: 2, unfinished: 1 })
      await bench.append('job', 1)
    })

    test('opening what is open changes nothing', async () => {
      await bench.create('job')
      expect((await bench.store.open()).generation).toBe(1)
      expect((await bench.store.claim('job')).owner).toBe(1)
    })

    test('every opening has a higher generation and counts the unfinished jobs', async () => {
      await bench.create('a')
      await bench.create('b')
      await bench.create('c', 1, { status: 'completed' })
      await bench.store.close()
      await bench.restart()
      await bench.store.close()
      const report = await bench.store.open()
      expect(report).toEqual({ generation: 3, unfinished: 2, problems: [] })
    })

    test('a restart keeps everything', async () => {
      await bench.create('job', 3, {
        timers: { set: [{ id: 't', dueAt: 5 }] },
        snapshot: { seq: 2, machine: 'm', state: { a: 1 } },
      })
      await bench.send('job', 'm')
      await bench.store.claim('job')
      const seen = async () => [
        await all(bench.store.list()),
        await all(bench.store.read('job')),
        await bench.store.inbox('job'),
        await bench.store.dueTimers(9),
        await bench.store.snapshot('job', 'm'),
      ]
      const before = await seen()
      await bench.restart()
      expect(await seen()).toEqual(before)
      expect(await all(bench.store.verify())).toEqual([])
    })
  })
}
