import { canonical, type Json } from '../../src/base/json.ts'
import type { JobEvent } from '../../src/event/event.ts'
import { openRuntime, type Runtime } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import type { JobHandle } from '../../src/runtime/job-handle.ts'
import type { JobStore } from '../../src/store/store.ts'
import { agentsOf, outputs } from './crash-agents.ts'
import { type Life, live, storeOf } from './crash-life.ts'
import { Points } from './crash-points.ts'
import { World } from './crash-world.ts'

/**
 * Lets the next process live to its end, and holds what is in the store against what is known outside.
 * Gives a sentence for each promise that was broken; the first word is the kind.
 */
export async function checkAfter(life: Life): Promise<string[]> {
  try {
    await live(life)
    return await Checker.run(life)
  } catch (error) {
    return [`failed: ${String(error)}`]
  }
}

class Checker {
  private readonly broken: string[] = []
  private readonly histories = new Map<string, JobEvent[]>()

  static async run(life: Life): Promise<string[]> {
    const checker = new Checker()
    const world = new World(life.directory)
    const store = storeOf(life)
    const agents = agentsOf(world, new Points(), life.defect)
    const runtime = await openRuntime({ store, agents: Object.values(agents) })
    try {
      for (const id of Object.keys(outputs)) await checker.job(runtime, id)
      checker.acknowledged(world)
      checker.deeds(world)
      await checker.verified(store)
    } finally {
      await runtime.close()
    }
    return checker.broken
  }

  private async job(runtime: Runtime, id: string): Promise<void> {
    const job = await runtime.job(id).catch(() => undefined)
    if (job === undefined) return void this.broken.push(`lost: job ${id} is not there`)
    const events: JobEvent[] = []
    for await (const event of job.events()) events.push(event)
    this.histories.set(id, events)
    const past = await replay(job.agent, events)
    if (past.divergence !== undefined) this.broken.push(`diverged: job ${id}: ${JSON.stringify(past.divergence)}`)
    else if (text(past.snapshot) !== text(job.getSnapshot())) this.broken.push(`diverged: job ${id} looks different`)
    this.ended(id, job)
  }

  /** A job has its result, or says which call it cannot know the outcome of. */
  private ended(id: string, job: JobHandle): void {
    const { status, output, pending, value } = job.getSnapshot()
    if (status === 'done' && text(output) !== text(outputs[id])) this.broken.push(`wrong: job ${id}: ${text(output)}`)
    if (status === 'done') return
    const isUnknown = pending.length > 0 && pending.every((each) => each.status === 'unknown')
    if (status !== 'active' || !isUnknown) this.broken.push(`stuck: job ${id} at ${text(value)}: ${text(pending)}`)
  }

  private acknowledged(world: World): void {
    for (const ack of world.acks) {
      const events = this.histories.get(ack.job) ?? []
      if (ack.what === 'job' && events.length === 0) this.broken.push(`lost: job ${ack.job}`)
      if (ack.what === 'event' && !events.some(({ id }) => id === ack.id))
        this.broken.push(`lost: ${ack.type} of job ${ack.job}`)
      if (ack.what !== 'signal' && ack.what !== 'approval') continue
      const taken = events.filter(({ type, data }) =>
        ack.what === 'signal'
          ? type === 'signal.received' && data.message === ack.message
          : type === 'approval.decided',
      )
      if (taken.length !== 1) this.broken.push(`lost: the ${ack.what} of job ${ack.job} is there ${taken.length} times`)
    }
  }

  /** What was done is announced, and a `once` call was done once. */
  private deeds(world: World): void {
    const once = new Set<string>()
    for (const { what, job, effect, attempt = 1, class: effectClass } of world.deeds) {
      if (what === 'end') continue
      const name = `${job} ${effect}`
      if (effectClass === 'once' && once.has(name)) this.broken.push(`repeated: ${name}`)
      if (effectClass === 'once') once.add(name)
      const isAnnounced = (this.histories.get(job) ?? []).some(
        ({ type, data }) =>
          (type === 'node.started' && attempt === 1 && isOf(data.effect, effect)) ||
          (type === 'node.attempted' && attempt === data.attempt && isOf(data.effect, effect)),
      )
      if (!isAnnounced) this.broken.push(`unannounced: attempt ${attempt} of ${name}`)
    }
  }

  private async verified(store: JobStore): Promise<void> {
    for await (const { message } of store.verify()) this.broken.push(`damaged: ${message}`)
  }
}

/** A promise actor does not know where in its machine it is. */
function isOf(path: string, effect: string): boolean {
  return path === effect || path.endsWith(`/${effect}`)
}

function text(value: unknown): string {
  return canonical(JSON.parse(JSON.stringify(value ?? null)) as Json)
}
