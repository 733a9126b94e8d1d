import { ClassicLevel } from 'classic-level'
import type { Clock } from '../../src/base/clock.ts'
import type { DatabaseMaker } from '../../src/store/level-files.ts'

/** A maker of databases that counts what is written to them and fails when it is told to. */
export interface FaultyLevel {
  openDatabase: DatabaseMaker
  /** Batches that were written, with what they were written. */
  batches: { length: number; sync: unknown }[]
  /** How the next batches fail: before anything is written, or after all of it was. */
  failures: ('before' | 'after')[]
  /** How many of the next openings fail. */
  failedOpenings: number
  /** Called before each batch is written. */
  beforeWrite: () => Promise<void>
}

export function faultyLevel(): FaultyLevel {
  const faulty: FaultyLevel = {
    batches: [],
    failures: [],
    failedOpenings: 0,
    beforeWrite: async () => {},
    openDatabase(location, options) {
      if (faulty.failedOpenings > 0) {
        faulty.failedOpenings -= 1
        throw new Error('ENOSPC: no space left on device')
      }
      return watched(new ClassicLevel(location, options), faulty)
    },
  }
  return faulty
}

function watched(level: ClassicLevel, faulty: FaultyLevel): ClassicLevel {
  const batch = level.batch.bind(level) as () => ReturnType<ClassicLevel['batch']>
  const wrapped = () => {
    const chain = batch() as unknown as {
      length: number
      write(options: object): Promise<void>
      close(): Promise<void>
    }
    const write = chain.write.bind(chain)
    chain.write = async (options: { sync?: unknown }) => {
      await faulty.beforeWrite()
      const failure = faulty.failures.shift()
      if (failure === 'before') await chain.close()
      faulty.batches.push({ length: chain.length, sync: options?.sync })
      if (failure !== 'before') await write(options)
      if (failure !== undefined) throw new Error('EIO: i/o error, fdatasync')
    }
    return chain
  }
  return Object.assign(level, { batch: wrapped })
}

/** A clock that stands still; `advance` makes the timers go off that are due by then. */
export function stillClock(): Clock & { advance(ms: number): void; readonly waiting: number } {
  let now = 1_000_000
  let timers: { at: number; callback: () => void }[] = []
  return {
    now: () => now,
    setTimer(callback, delayMs) {
      const timer = { at: now + delayMs, callback }
      timers.push(timer)
      return () => {
        timers = timers.filter((each) => each !== timer)
      }
    },
    setAlarm(callback, at) {
      return this.setTimer(callback, at - now)
    },
    advance(ms) {
      now += ms
      const due = timers.filter((timer) => timer.at <= now)
      timers = timers.filter((timer) => timer.at > now)
      for (const { callback } of due) callback()
    },
    get waiting() {
      return timers.length
    },
  }
}
