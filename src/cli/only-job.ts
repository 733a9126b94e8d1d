import type { JobStore } from '../store/store.ts'
import { createdOf } from './history.ts'

/**
 * The store as if it held this job alone, with the jobs that it has started. A command is about one job: the others,
 * also the one that has started it, stay as they are, rather than go on in the background and be cut off at its end.
 */
export function onlyJob(store: JobStore, jobId: string): JobStore {
  const isMeant = async (id: string): Promise<boolean> => {
    if (id === jobId || id.startsWith(`${jobId}/`)) return true
    return isDigest.test(id) && (await isChild(id))
  }
  const isChild = async (id: string): Promise<boolean> => {
    const row = await store.get(id)
    const parent = row && (await createdOf(store, id)).parent
    return parent !== undefined && isMeant(parent.jobId)
  }
  const timers = async (now: number) => {
    const all = await store.dueTimers(now)
    const meant = await Promise.all(all.map((timer) => isMeant(timer.jobId)))
    return all.filter((_, index) => meant[index])
  }
  const narrowed: Partial<JobStore> = {
    get: async (id) => ((await isMeant(id)) ? store.get(id) : undefined),
    async *list(query) {
      for await (const row of store.list(query)) if (await isMeant(row.id)) yield row
    },
    dueTimers: async (now, limit) => (await timers(now)).slice(0, limit),
    nextTimer: async () => (await timers(Number.MAX_SAFE_INTEGER))[0]?.dueAt,
  }
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(narrowed, key) ?? Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Ids of jobs deep in a family, which would be too long otherwise. */
const isDigest = /^[\w-]{43}$/
