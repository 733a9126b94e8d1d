import { ClassicLevel } from 'classic-level'
import type { DatabaseMaker } from '../../src/store/level-files.ts'
import type { Commit, JobStore } from '../../src/store/store.ts'

/**
 * The places at which a process is killed. They are in wrappers around the store, the database and the tools, so that
 * the code under test knows nothing of them.
 */

/** The `nth` time that a process comes to `point`. */
export interface Kill {
  point: string
  nth: number
}

export class Points {
  /** How often each was reached. */
  readonly reached = new Map<string, number>()
  private readonly kill: Kill | undefined

  constructor(kill?: Kill) {
    this.kill = kill
  }

  reach(point: string): void {
    const count = (this.reached.get(point) ?? 0) + 1
    this.reached.set(point, count)
    if (point === this.kill?.point && count === this.kill.nth) process.kill(process.pid, 'SIGKILL')
  }

  /** Points before something, and after it has succeeded. */
  async around<T>(names: readonly string[], body: () => Promise<T>): Promise<T> {
    for (const name of names) this.reach(`${name}: before`)
    const value = await body()
    for (const name of names) this.reach(`${name}: after`)
    return value
  }
}

/** What a commit is about, by the events in it. */
const subjects: readonly (readonly [RegExp, string])[] = [
  [/^job\.created$/, 'commit of a new job'],
  [/^plan\.adopted$/, 'commit of a plan'],
  [/^node\.started$/, 'commit of a start'],
  [/^node\.submitted$/, 'commit of a task'],
  [/^node\.attempted$/, 'commit of another attempt'],
  [/^node\.(completed|failed|retried)$/, 'commit of an outcome'],
  [/^signal\.received$/, 'commit of a signal'],
  [/^timer\.fired$/, 'commit of a timer'],
  [/^approval\.requested$/, 'commit of a question'],
  [/^approval\.decided$/, 'commit of an approval'],
  [/^child\.spawned$/, 'commit of a child'],
  [/^job\.recovered$/, 'commit of a recovery'],
  [/^job\.(completed|failed)$/, 'commit of an end'],
]

function subjectsOf({ events, snapshot }: Commit): string[] {
  const found = subjects.filter(([types]) => events.some(({ type }) => types.test(type))).map(([, subject]) => subject)
  return snapshot === undefined ? found : [...found, 'commit with a snapshot']
}

export function pointedStore(store: JobStore, points: Points): JobStore {
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      const call = (...args: unknown[]) => value.apply(target, args)
      if (key === 'commit') return (commit: Commit) => points.around(subjectsOf(commit), () => call(commit))
      const name = called[String(key)]
      return name === undefined ? call : (...args: unknown[]) => points.around([name], () => call(...args))
    },
  })
}

const called: Readonly<Record<string, string>> = {
  open: 'opening',
  send: 'send of a signal',
  claim: 'claim',
  snapshot: 'load of a snapshot',
  dueTimers: 'look for due timers',
  close: 'close',
}

/** Points in the middle of a write: when LevelDB has been given the batch, and when it has said that it is on disk. */
export function pointedLevel(points: Points): DatabaseMaker {
  return (location, options) => {
    const level = new ClassicLevel(location, options)
    const batch = level.batch.bind(level) as () => Chain
    return Object.assign(level, { batch: () => pointedChain(batch(), points) }) as unknown as ClassicLevel
  }
}

interface Chain {
  put(key: string, ...rest: unknown[]): Chain
  write(options: object): Promise<void>
}

function pointedChain(chain: Chain, points: Points): Chain {
  const [put, write] = [chain.put.bind(chain), chain.write.bind(chain)]
  let name = 'batch'
  return Object.assign(chain, {
    put(key: string, ...rest: unknown[]) {
      if (key.startsWith('s!')) name = 'batch with a snapshot'
      return put(key, ...rest)
    },
    async write(options: object) {
      const written = write(options)
      points.reach(`${name}: handed to LevelDB`)
      await written
      points.reach(`${name}: on disk`)
    },
  })
}
