import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { AetherisError } from '../base/error.ts'
import { levelStore } from '../store/level-store.ts'
import type { JobStore } from '../store/store.ts'
import { syncDirectory } from '../store/sync-files.ts'
import { asFileError } from './archive-file.ts'

/**
 * A new data directory that `fill` fills: it is there under its name only once that has succeeded.
 * @throws AetherisError INPUT_INVALID when the directory is there and not empty; STORE_IO, and whatever `fill` throws.
 */
export async function newDirectory<T>(directory: string, fill: (store: JobStore) => Promise<T>): Promise<T> {
  const to = resolve(directory)
  const part = `${to}.part`
  await checkEmpty(to)
  await checkEmpty(part)
  try {
    await mkdir(dirname(to), { recursive: true })
    const store = levelStore(part)
    await store.open()
    const result = await fill(store).finally(() => store.close())
    if (existsSync(to)) await rmdir(to)
    await rename(part, to)
    await syncDirectory(dirname(to))
    return result
  } catch (error) {
    await rm(part, { recursive: true, force: true }).catch(() => {}) // what matters is the first error
    throw asFileError(error, `filling the directory "${to}"`)
  }
}

async function checkEmpty(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new AetherisError('INPUT_INVALID', `"${directory}" is not a directory: ${error.message}.`)
  })
  if (names.length === 0) return
  throw new AetherisError(
    'INPUT_INVALID',
    `"${directory}" is not empty; name a directory that is, or that is not there.`,
  )
}
