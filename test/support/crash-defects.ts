import { readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
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

/** What a disk that lies about its cache does when its power is cut: the end of what was written is not there. */
export function loseTail(directory: string): void {
  const db = join(directory, 'data', 'db')
  const logs = readdirSync(db).filter((name) => name.endsWith('.log'))
  const newest = join(db, logs.sort().at(-1) as string)
  truncateSync(newest, Math.floor(statSync(newest).size / 2))
}
