import { isAetherisError } from '../base/error.ts'
import type { JobHandle } from '../runtime/job-handle.ts'

/** Whether the call that `parent` has made of an agent goes on, so that the agent may have calls made for it. */
export function isOpen(parent: JobHandle, effect: string): boolean {
  const { status, pending } = parent.getSnapshot()
  const found = pending.find((each) => each.effect === effect)
  return status === 'active' && found?.kind === 'call' && found.status !== 'answered' && found.isHalted !== true
}

/**
 * How long calls live that external agents have asked for.
 *
 * V1 Such a call is cancelled once the call of the agent that asked for it has settled, or is to stop: whoever could ask
 *    for its outcome is gone. Where this process dies before, the next one does it.
 */
export class Lifetimes {
  /** By the call of an agent that they are for, and by id: of a call that is asked for again there are several handles. */
  private readonly families = new Map<string, Map<string, JobHandle>>()

  /** Has `call` live no longer than what the job `parent` has asked an agent for. */
  add(parent: JobHandle, effect: string, call: JobHandle): void {
    const name = JSON.stringify([parent.id, effect])
    const known = this.families.get(name)
    if (known !== undefined) return void known.set(call.id, call)
    const family = new Map([[call.id, call]])
    this.families.set(name, family)
    let unsubscribe = () => {}
    const look = () => {
      if (isOpen(parent, effect) || !this.families.delete(name)) return
      unsubscribe()
      for (const each of family.values()) void cancel(each, parent.id)
    }
    unsubscribe = parent.subscribe({ next: look, error: look, complete: look }).unsubscribe
    look()
  }
}

export async function cancel(call: JobHandle, parent: string): Promise<void> {
  const reason = 'The call of the agent that asked for this one is over.'
  try {
    await call.cancel({ by: `job ${parent}`, reason })
  } catch (error) {
    // It has ended by itself, or the store is gone: then the next process tells it.
    if (!isAetherisError(error)) throw error
  }
}
