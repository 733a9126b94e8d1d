import 'fake-indexeddb/auto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrowserLevel } from 'browser-level'
import { Level } from 'level'
import { levelStore } from '../../src/store/level-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { JobStore } from '../../src/store/store.ts'
import { jobStoreSuite, type StoreUnderTest } from '../../src/testing/job-store-suite.ts'

/** A store over a directory of its own; `make` gives a new store over the same data. */
async function onDisk(make: (directory: string) => JobStore): Promise<StoreUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), 'aetheris-stores-'))
  let store = make(directory)
  return {
    store,
    async reopen() {
      await store.close()
      store = make(directory)
      return store
    },
    cleanup: () => rm(directory, { recursive: true, force: true }),
  }
}

let databases = 0

jobStoreSuite({
  name: 'memory',
  async factory() {
    const store = memoryStore()
    const reopen = async () => {
      await store.close()
      return store
    }
    return { store, reopen, cleanup: async () => {} }
  },
})

jobStoreSuite({ name: 'level, a data directory', factory: () => onDisk((directory) => levelStore(directory)) })

jobStoreSuite({
  name: 'level, a Level instance',
  factory: () => onDisk((directory) => levelStore(new Level(join(directory, 'db')))),
})

jobStoreSuite({
  name: 'level, a part of a shared database',
  async factory() {
    const directory = await mkdtemp(join(tmpdir(), 'aetheris-stores-'))
    const shared = new Level(join(directory, 'db'))
    let store = levelStore(shared.sublevel('jobs'))
    return {
      store,
      async reopen() {
        await store.close()
        store = levelStore(shared.sublevel('jobs'))
        return store
      },
      async cleanup() {
        await shared.close()
        await rm(directory, { recursive: true, force: true })
      },
    }
  },
})

jobStoreSuite({
  name: 'level, IndexedDB as browsers have it',
  oneMoment: false,
  async factory() {
    databases += 1
    const name = `jobs-${databases}`
    let store = levelStore(new BrowserLevel(name))
    return {
      store,
      async reopen() {
        await store.close()
        store = levelStore(new BrowserLevel(name))
        return store
      },
      cleanup: () => BrowserLevel.destroy(name),
    }
  },
})
