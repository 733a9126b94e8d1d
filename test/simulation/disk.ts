import type { AbstractLevel } from 'abstract-level'
import { MemoryLevel } from 'memory-level'
import type { Clock } from '../../src/base/clock.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { JobStore } from '../../src/store/store.ts'

/** What outlives a process: one store in memory, or the batches of a LevelDB. */
export interface Disk {
  readonly kind: 'memory' | 'level'
  /** The store as a process that begins now finds it. */
  open(clock: Clock): JobStore
  /** The process that had it open has died; with `power` gone, what was not synced is lost. */
  died(power: boolean, keep: (unsynced: number) => number): void
  /** How the next batch fails; only of `level`. */
  failNext(how: BatchFault): void
}

/** Before anything of it is there; after all of it is; from now on until the disk has room again. */
export type BatchFault = 'before' | 'after'

export function memoryDisk(): Disk {
  const store = memoryStore()
  return { kind: 'memory', open: () => store, died: () => void store.close(), failNext: () => {} }
}

interface Operation {
  type: 'put' | 'del'
  key: string
  value?: string
}

/**
 * LevelDB as a crash leaves it: whole batches, in order, up to some point. (Its log is a sequence of records with
 * checksums; a torn record, and all after it, is dropped when it opens.)
 */
export function levelDisk(): Disk {
  let log: Operation[][] = []
  let synced = 0
  let failures: BatchFault[] = []
  let opened = 0
  return {
    kind: 'level',
    open(clock) {
      opened += 1
      const mine = opened
      const level = new MemoryLevel<string, string>({ keyEncoding: 'utf8', valueEncoding: 'utf8' })
      const isMine = () => mine === opened
      const written = async (batch: Operation[], sync: boolean) => {
        if (!isMine()) return new Promise<void>(() => {})
        const fault = failures.shift()
        if (fault !== 'before') {
          log.push(batch)
          await level.batch(batch as never)
        }
        if (fault !== undefined) throw new Error('EIO: i/o error, fdatasync')
        if (sync) synced = log.length
        return undefined
      }
      const database = withLog(level, () => level.batch(log.flat() as never), written)
      return levelStore(database, { clock })
    },
    died(power, keep) {
      opened += 1
      failures = []
      if (power) log = log.slice(0, synced + keep(log.length - synced))
      synced = log.length
    },
    failNext(how) {
      failures.push(how)
    },
  }
}

/** A database that begins with what is in the log, and whose chained batches go through `written`. */
function withLog(
  level: MemoryLevel<string, string>,
  fill: () => Promise<void>,
  written: (batch: Operation[], sync: boolean) => Promise<void>,
): AbstractLevel<string, string, string> {
  const open = level.open.bind(level)
  let isFilled = false
  const chained = () => {
    const operations: Operation[] = []
    const chain = {
      get length() {
        return operations.length
      },
      put(key: string, value: string) {
        operations.push({ type: 'put', key, value })
        return chain
      },
      del(key: string) {
        operations.push({ type: 'del', key })
        return chain
      },
      write: ({ sync = false }: { sync?: boolean } = {}) => written(operations, sync),
      close: async () => {},
    }
    return chain
  }
  const batch = level.batch.bind(level) as (operations: never, options?: never) => Promise<void>
  return Object.assign(level, {
    async open(options: never = {} as never) {
      await open(options)
      if (!isFilled) await fill()
      isFilled = true
    },
    batch: (operations?: never, options?: never) => (operations === undefined ? chained() : batch(operations, options)),
  }) as unknown as AbstractLevel<string, string, string>
}
