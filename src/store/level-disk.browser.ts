import { AetherisError } from '../base/error.ts'

// What level-disk.ts is in Node: a browser has no directories, and IndexedDB does not say when it has synced.

export function directory(path: string): never {
  throw new AetherisError(
    'INPUT_INVALID',
    `There are no data directories in a browser, and so not "${path}" either. Pass a database: levelStore(new Level("${path}")), with Level of the package "level".`,
  )
}

export function isSynced(): boolean {
  return false
}
