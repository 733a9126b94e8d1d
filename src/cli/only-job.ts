import type { JobStore } from '../store/store.ts'

/**
 * The store as if it held unfinished work of this job alone, or of none. A command is about one job: the others stay
 * as they are, rather than start in the background and be cut off when the command ends.
 */
export function onlyJob(store: JobStore, jobId: string | undefined): JobStore {
  const isIt = (row: { jobId: string }) => row.jobId === jobId
  const narrowed: Partial<JobStore> = {
    async *list(query) {
      for await (const row of store.list(query)) if (row.id === jobId) yield row
    },
    dueTimers: async (now, limit) => (await store.dueTimers(now)).filter(isIt).slice(0, limit),
    nextTimer: async () => (await store.dueTimers(Number.MAX_SAFE_INTEGER)).find(isIt)?.dueAt,
  }
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(narrowed, key) ?? Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
