import { join } from 'node:path'
import { levelStore } from 'aetheris/level'
import { backup, prune, restore } from 'aetheris/operations'
import { afterEach, expect, test } from 'vitest'
import { all, eventsOf } from '../../src/testing/job-store-bench.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

afterEach(removeDirectories)

test('a store in use is backed up and pruned by its own process', async () => {
  const [data, backups] = [await newDirectory(), await newDirectory()]
  const now = Date.now()
  const store = levelStore(data)
  await store.open()
  const create = { agent: 'agent', priority: 5 }
  for (const [id, at] of [
    ['old', 1],
    ['new', now],
  ] as const) {
    const events = eventsOf(id, 0, 1).map((event) => ({ ...event, at }))
    await store.commit({ lease: { jobId: id, epoch: 1 }, expectedSeq: 0, create, events, status: 'completed' })
  }
  const restored = join(backups, 'restored')

  // #region keep
  // `store` is the one that the runtime was opened with; jobs go on meanwhile.
  const { file } = await backup(store, backups)
  const { pruned } = await prune(store, { settledBefore: now - 30 * 86_400_000, archive: `${backups}/may.jsonl` })
  // #endregion

  expect(pruned).toEqual(['old'])
  expect((await all(store.list())).map(({ id }) => id)).toEqual(['new'])
  await store.close()
  expect(await restore(file, restored)).toMatchObject({ jobs: 2, paused: [] })
})
