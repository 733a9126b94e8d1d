import { expect, test } from 'vitest'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { type Death, Life, mortalStore } from '../../../src/testing/mortal-store.ts'
import { turns } from '../../support/scripted.ts'

const message = { jobId: 'job', id: 'm', at: 0, kind: 'signal', body: null }
const first = {
  lease: { jobId: 'job', epoch: 1 },
  ...{ expectedSeq: 0, create: { agent: 'a', priority: 5 } },
  events: [{ id: 'e', v: 1, at: 0, cause: null, state: null, type: 'job.paused' as const, data: {} }],
}

/** What a process hears, and the next one finds, where it dies of its first write. */
async function dying(kind: 'commit' | 'message', death: Death) {
  const inner = memoryStore()
  await inner.open()
  if (kind === 'message') await inner.commit(first)
  const life = new Life()
  const store = mortalStore(inner, life, (write) => (write.kind === kind ? death : undefined))
  let isHeard = false
  const write = kind === 'commit' ? store.commit(first) : store.send(message)
  void write.then(() => {
    isHeard = true
  })
  await life.over
  await turns(3)
  const row = await inner.get('job')
  return { isHeard, stored: kind === 'commit' ? (row?.seq ?? 0) : row?.unread, store }
}

test.each(['commit', 'message'] as const)('a process that dies of a %s', async (kind) => {
  expect(await dying(kind, 'before')).toMatchObject({ isHeard: false, stored: 0 })
  expect(await dying(kind, 'unheard')).toMatchObject({ isHeard: false, stored: 1 })
  expect(await dying(kind, 'after')).toMatchObject({ isHeard: true, stored: 1 })
})

test('a dead process hears nothing more, and changes nothing', async () => {
  const { store } = await dying('commit', 'after')
  const heard: string[] = []
  void store.get('job').then(() => heard.push('get'))
  void store.send(message).then(() => heard.push('send'))
  void (async () => {
    for await (const _ of store.list()) heard.push('list')
    heard.push('end of list')
  })()
  await turns(5)
  expect(heard).toEqual([])
})
