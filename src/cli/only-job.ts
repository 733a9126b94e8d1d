import type { JobStore } from '../store/store.ts'

/**
 * The store as if it held unfinished work of this job alone, with the jobs that it has started, or of none. A command
 * is about one job: the others stay as they are, rather than start in the background and be cut off when it ends.
 */
export function onlyJob(store: JobStore, jobId: string | undefined): JobStore {
  const isMeant = (id: string) => jobId !== undefined && (id === jobId || id.startsWith(`${jobId}/`))
  const timers = async (now: number) => (await store.dueTimers(now)).filter((timer) => isMeant(timer.jobId))
  const narrowed: Partial<JobStore> = {
    async *list(query) {
      for await (const row of store.list(query)) if (isMeant(row.id)) yield row
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
