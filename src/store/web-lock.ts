import type { AbstractLevel } from 'abstract-level'
import type { Clock } from '../base/clock.ts'
import { AetherisError } from '../base/error.ts'

/**
 * The lock on a database in a browser, where IndexedDB lets in every tab: two that write would break each other's chain
 * of commits. It is a Web Lock, which the browser takes back when the tab closes, is reloaded or crashes.
 */

export type Unlock = () => void

/** A page that is reloaded may ask before the browser has taken the lock back from what it was. */
const patienceMs = 1_000

/**
 * Locks a database that has a name; one without is in memory, and nobody else's. Where the browser has no Web Locks,
 * which needs https or localhost, nothing is locked.
 * @throws AetherisError STORE_LOCKED
 */
export async function lockByName<Format>(db: AbstractLevel<Format, string, string>, clock: Clock): Promise<Unlock> {
  const name = nameOf(db)
  const locks: LockManager | undefined = navigator.locks
  if (name === undefined || locks === undefined) return () => {}
  const waiting = new AbortController()
  const stop = clock.setTimer(() => waiting.abort(), patienceMs)
  return new Promise((resolve, reject) => {
    const hold = () => {
      stop()
      return new Promise<void>((unlock) => resolve(unlock))
    }
    locks.request(`aetheris ${name}`, { signal: waiting.signal }, hold).catch((cause: unknown) => {
      stop()
      const problem = `Another tab or worker has the database "${name}" open. Use that one, or close it.`
      reject(new AetherisError('STORE_LOCKED', problem, { cause }))
    })
  })
}

interface Named {
  location?: string
  namePrefix?: string
  parent: Named | null
}

/** The name of a database and of the part of it that is used. */
function nameOf<Format>(db: AbstractLevel<Format, string, string>): string | undefined {
  let root = db as unknown as Named
  while (root.parent !== null) root = root.parent
  if (root.location === undefined) return undefined
  return `${root.namePrefix ?? ''}${root.location}${db.prefixKey('', 'utf8', false)}`
}
