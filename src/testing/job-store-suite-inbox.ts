import { describe, expect, test } from 'vitest'
import { all, type Bench, codeOf } from './job-store-bench.ts'

/** Messages to jobs. */
export function inboxCases(bench: Bench): void {
  describe('inbox', () => {
    test('messages come back whole, in order of arrival', async () => {
      await bench.create('job')
      const ids = Array.from({ length: 12 }, (_, index) => `m-${(index * 7) % 12}`)
      for (const id of ids) expect(await bench.send('job', id)).toBe(true)
      expect(await bench.unread('job')).toEqual(ids)
      expect(await bench.store.inbox('job', 2)).toEqual([
        { jobId: 'job', id: 'm-0', at: 1, kind: 'signal', body: { id: 'm-0' } },
        { jobId: 'job', id: 'm-7', at: 1, kind: 'signal', body: { id: 'm-7' } },
      ])
      await bench.restart()
      expect(await bench.unread('job')).toEqual(ids)
    })

    test('an id that was sent before has no second effect: unread, taken, after a restart, after the end', async () => {
      await bench.create('job')
      const sent = await Promise.all([bench.send('job', 'm'), bench.send('job', 'm'), bench.send('job', 'm')])
      expect(sent).toEqual([true, false, false])
      await bench.append('job', 1, 1, { acks: ['m'] })
      expect(await bench.send('job', 'm')).toBe(false)
      expect(await bench.unread('job')).toEqual([])
      await bench.restart()
      expect(await bench.send('job', 'm')).toBe(false)
      await bench.append('job', 2, 1, { status: 'completed' })
      expect(await bench.send('job', 'm')).toBe(false)
    })

    test('the same id may be sent to several jobs', async () => {
      await bench.create('a')
      await bench.create('b')
      expect([await bench.send('a', 'm'), await bench.send('b', 'm')]).toEqual([true, true])
      await bench.append('a', 1, 1, { acks: ['m'] })
      expect(await bench.unread('b')).toEqual(['m'])
    })

    test('a commit takes exactly the messages that it names', async () => {
      await bench.create('job')
      for (const id of ['a', 'b', 'c']) await bench.send('job', id)
      await bench.append('job', 1, 1, { acks: ['b', 'b'] })
      expect(await bench.unread('job')).toEqual(['a', 'c'])
      await bench.append('job', 2, 1, { acks: ['b', 'a'] })
      expect(await bench.unread('job')).toEqual(['c'])
      expect(await bench.send('job', 'd')).toBe(true)
      expect(await bench.unread('job')).toEqual(['c', 'd'])
      expect(await all(bench.store.verify())).toEqual([])
    })

    test('the row of a job counts the messages that it has not taken', async () => {
      const counts: (number | undefined)[] = []
      const count = async () => counts.push((await bench.store.get('job'))?.unread)
      await bench.create('job')
      await count()
      for (const id of ['a', 'b', 'b', 'c']) await bench.send('job', id)
      await count()
      await bench.append('job', 1, 1, { acks: ['b', 'b'] })
      await count()
      await bench.restart()
      await bench.append('job', 2)
      await count()
      const [listed] = await all(bench.store.list())
      expect(listed?.unread).toBe(2)
      await bench.append('job', 3, 1, { status: 'completed' })
      await count()
      expect(counts).toEqual([0, 3, 2, 2, 0])
    })

    test('a message and the commit that takes it may be sent together', async () => {
      await bench.create('job')
      await Promise.all([bench.send('job', 'm'), bench.append('job', 1, 1, { acks: ['m'] })])
      expect(await bench.unread('job')).toEqual([])
    })

    test('jobs that ended or do not exist take no messages', async () => {
      await bench.create('ended')
      await bench.send('ended', 'unread')
      await bench.append('ended', 1, 1, { status: 'cancelled' })
      expect(await bench.unread('ended')).toEqual([])
      await expect(bench.send('ended', 'm')).rejects.toMatchObject({ code: 'JOB_SETTLED', jobId: 'ended' })
      await expect(bench.send('none', 'm')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND', jobId: 'none' })
      expect(await bench.unread('none')).toEqual([])
    })

    test('what the sender does to a message afterwards changes nothing', async () => {
      await bench.create('job')
      const body = { list: [1] }
      const sent = bench.store.send({ jobId: 'job', id: 'm', at: 1, kind: 'pause', body })
      body.list.push(2)
      await sent
      expect(await bench.store.inbox('job')).toEqual([
        { jobId: 'job', id: 'm', at: 1, kind: 'pause', body: { list: [1] } },
      ])
    })

    test('a message without a body or with a wrong time is refused', async () => {
      await bench.create('job')
      const message = { jobId: 'job', id: 'm', at: 1, kind: 'signal', body: null }
      expect(await codeOf(bench.store.send({ ...message, at: -1 }))).toBe('INPUT_INVALID')
      expect(await codeOf(bench.store.send({ ...message, body: undefined as never }))).toBe('INPUT_INVALID')
      expect(await bench.store.send(message)).toBe(true)
    })
  })
}
