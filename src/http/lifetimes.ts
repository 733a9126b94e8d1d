import { isAetherisError } from '../base/error.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import { type CallRuntime, isOpen, jobOrNone, requestOf } from './call-job.ts'

/**
 * How long calls live that agents elsewhere have asked for.
 *
 * V1 Such a call is cancelled once the call of the agent that asked for it has settled, or is to stop: whoever could ask
 *    for its outcome is gone. Where this process dies before, the next one does it.
 */
export class Lifetimes {
  private readonly runtime: CallRuntime
  private readonly families = new Map<string, Set<string>>()

  constructor(runtime: CallRuntime) {
    this.runtime = runtime
  }

  /** Takes up the calls that earlier processes have left; `agent` is the one whose jobs they are. */
  async resume(agent: string): Promise<void> {
    for await (const row of this.runtime.jobs({ unfinished: true })) {
      if (row.agent !== agent) continue
      const { jobId, effect } = (await requestOf(await this.runtime.job(row.id))).for
      const parent = await jobOrNone(this.runtime, jobId)
      if (parent === undefined) await this.cancel(row.id, jobId)
      else this.add(parent, effect, row.id)
    }
  }

  /** Has the call `id` live no longer than what the job `parent` has asked an agent for. */
  add(parent: JobHandle, effect: string, id: string): void {
    const name = JSON.stringify([parent.id, effect])
    const known = this.families.get(name)
    if (known !== undefined) return void known.add(id)
    const family = new Set([id])
    this.families.set(name, family)
    let unsubscribe = () => {}
    const look = () => {
      if (isOpen(parent.getSnapshot(), effect) || !this.families.delete(name)) return
      unsubscribe()
      for (const each of family) void this.cancel(each, parent.id)
    }
    unsubscribe = parent.subscribe({ next: look, error: look, complete: look }).unsubscribe
    look()
  }

  private async cancel(id: string, parent: string): Promise<void> {
    const reason = 'The call of the agent that asked for this one is over.'
    try {
      await (await this.runtime.job(id)).cancel({ by: `job ${parent}`, reason })
    } catch (error) {
      // It has ended by itself, or the store is gone: then the next process tells it.
      if (!isAetherisError(error)) throw error
    }
  }
}
