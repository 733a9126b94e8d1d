import { AetherisError } from '../base/error.ts'

// What level-disk.ts is in Node: a browser has no directories, and does not say when it has synced.

export { lockByName as lockDatabase } from './web-lock.ts'

export function directory(path: string): never {
  throw new AetherisError(
    'INPUT_INVALID',
    `A browser has no data directories, so not "${path}" either. Pass a database: levelStore(new Level("${path}")), with Level of the package "level".`,
  )
}

export function isSynced(): boolean {
  return false
}
