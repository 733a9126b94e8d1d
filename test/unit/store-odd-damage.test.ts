import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, expect, test } from 'vitest'
import { asStoreError } from '../../src/store/level-db.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { all } from '../../src/testing/job-store-bench.ts'
import { commitNumber, fastFolder, newDirectory, removeDirectories } from '../support/store-data.ts'

afterAll(removeDirectories)

test('a table that points outside of itself is damaged, whatever the operating system calls that', () => {
  const thrown = Object.assign(new Error('IO error: /data/db/000008.ldb: Invalid argument'), { code: 'LEVEL_IO_ERROR' })
  expect(asStoreError(thrown, 'reading').code).toBe('STORE_CORRUPT')
  const refused = Object.assign(new Error('IO error: /data/db/000008.ldb: Input/output error'), thrown)
  expect(asStoreError(refused, 'reading').code).toBe('STORE_IO')
})

test.each([
  'e!job-0#0000000003',
  'e!job-0!',
  'e!!0000000003',
  'e!job-0!000000000x',
  'e!job-0!0000000003!4',
  't!x!job-0!timer',
  'i!job-0!x',
  's!job-0!x',
  'c!x',
  'u!',
  'j!',
  'q',
])('a key that damage has made stops nothing, and is found where it is of an event: %s', async (key) => {
  const directory = await newDirectory(fastFolder)
  const store = levelStore(directory)
  await store.open()
  for (let n = 0; n < 10; n += 1) await commitNumber(store, n)
  await store.close()
  const level = new ClassicLevel(join(directory, 'db'))
  await level.put(key, 'noise')
  await level.close()
  const opened = await store.open().then(
    () => true,
    (error) => {
      expect(error.code).toBe('STORE_CORRUPT')
      return false
    },
  )
  if (!opened) return
  const findings = await all(store.verify())
  if (key.startsWith('e!')) expect(findings).not.toEqual([])
  await store.close()
})

test('a job is not made anew where its row was lost and its events are there', async () => {
  const directory = await newDirectory(fastFolder)
  const first = levelStore(directory)
  await first.open()
  await commitNumber(first, 0)
  await first.close()
  let level: ClassicLevel<string, string> | undefined
  const store = levelStore(directory, {
    openDatabase: (location, options) => {
      level = new ClassicLevel(location, options)
      return level
    },
  })
  await store.open()
  await level?.del('j!job-0')
  await expect(commitNumber(store, 0)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  await store.close()
})
