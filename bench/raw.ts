import type { LevelStoreOptions } from 'aetheris/level'
import { ClassicLevel } from 'classic-level'

/**
 * The yardstick: what a store wrote, written again to plain LevelDB, batch for batch and byte for byte, each batch
 * synced. What a store takes longer than this is its own.
 */

type Operation = { type: 'put'; key: string; value: string } | { type: 'del'; key: string }
export type Batch = readonly Operation[]

/** Keeps the batches that a store writes. Keeping them takes time, so what is recorded is not timed. */
export class Recorder {
  readonly batches: Batch[] = []
  /** For `levelStore(location, options)`. */
  readonly options: LevelStoreOptions = {
    openDatabase: (location, options) => {
      const db = new ClassicLevel<string, string>(location, options)
      db.on('write', (operations: { type: string; key: string; value?: string }[]) => {
        this.batches.push(operations.map(({ type, key, value }) => ({ type, key, value }) as Operation))
      })
      return db
    },
  }

  /** Takes what was recorded since the last call: each batch is one sync of the disk. */
  take(): Batch[] {
    return this.batches.splice(0)
  }
}

export class RawLevel {
  private readonly db: ClassicLevel<string, string>

  /** With the size of buffer that the store takes, so that LevelDB begins new files as often. */
  constructor(location: string) {
    this.db = new ClassicLevel(location, { writeBufferSize: 16 * 1024 * 1024 })
  }

  open(): Promise<void> {
    return this.db.open()
  }

  close(): Promise<void> {
    return this.db.close()
  }

  async write(batch: Batch): Promise<void> {
    const chained = this.db.batch()
    for (const operation of batch) {
      if (operation.type === 'put') chained.put(operation.key, operation.value)
      else chained.del(operation.key)
    }
    await chained.write({ sync: true })
  }

  async writeAll(batches: readonly Batch[]): Promise<void> {
    for (const batch of batches) await this.write(batch)
  }
}
