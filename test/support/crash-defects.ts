import { ClassicLevel } from 'classic-level'
import type { DatabaseMaker } from '../../src/store/level-files.ts'
import type { Commit, JobStore } from '../../src/store/store.ts'
import type { Defect } from './crash-agents.ts'

/** A store that acknowledges a commit with a start in it, and writes it only with the next commit of the job. */
export function defectiveStore(store: JobStore, defect: Defect | undefined): JobStore {
  if (defect !== 'acknowledges starts early') return store
  const held = new Map<string, Commit>()
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      if (key !== 'commit') return value.bind(target)
      return async (commit: Commit) => {
        const { jobId } = commit.lease
        const earlier = held.get(jobId)
        held.delete(jobId)
        if (earlier !== undefined) await target.commit(earlier)
        if (!commit.events.some(({ type }) => type === 'node.started')) return target.commit(commit)
        held.set(jobId, commit)
        return { seq: commit.expectedSeq + commit.events.length, hash: '' }
      }
    },
  })
}

/** A database that acknowledges a batch a while before it writes it, as a disk does that lies about its cache. */
export function defectiveDatabase(defect: Defect | undefined): DatabaseMaker | undefined {
  if (defect !== 'loses what was written last') return undefined
  let batches = 0
  return (location, options) => {
    const level = new ClassicLevel(location, options)
    const batch = level.batch.bind(level) as () => { write(options: object): Promise<void> }
    let cached: Promise<void> = Promise.resolve()
    const lying = () => {
      const chain = batch()
      const write = chain.write.bind(chain)
      return Object.assign(chain, {
        async write(options: object) {
          batches += 1
          // The first two make the database, which is then closed, and open it.
          if (batches <= 2) return write(options)
          cached = cached.then(() => new Promise((resolve) => setTimeout(resolve, 5))).then(() => write(options))
        },
      })
    }
    return Object.assign(level, { batch: lying }) as unknown as ClassicLevel
  }
}
