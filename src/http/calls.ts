import { isAetherisError } from '../base/error.ts'
import { sha256 } from '../base/hash.ts'
import { firstDifference } from '../base/json.ts'
import { childIdOf } from '../runtime/family.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { keyPart } from '../store/store.ts'
import type { ExposedTools, OutsideCall } from './expose-tools.ts'
import { cancel, isOpen, Lifetimes } from './lifetimes.ts'
import { comeAgain, mismatch, Refusal } from './refusal.ts'
import type { Caller } from './tokens.ts'

/** What is needed of a runtime. */
export type CallRuntime = Pick<Runtime, 'spawn' | 'job' | 'jobs'>

/**
 * The calls that external agents ask for.
 *
 * K1 One key of one call of an agent is one job, however often and at once it is asked for.
 * K2 Nothing is begun for a call of an agent that is over.
 */
export class Calls {
  private readonly runtime: CallRuntime
  private readonly exposed: ExposedTools
  private readonly lifetimes = new Lifetimes()

  constructor(runtime: CallRuntime, exposed: ExposedTools) {
    this.runtime = runtime
    this.exposed = exposed
  }

  /** Takes up the calls that earlier processes have left. */
  async resume(): Promise<void> {
    for await (const row of this.runtime.jobs({ unfinished: true })) {
      if (row.agent !== this.exposed.agent.name) continue
      const call = await this.runtime.job(row.id)
      const { jobId, effect } = (await requestOf(call)).for
      const parent = await this.jobOrNone(jobId)
      if (parent === undefined) await cancel(call, jobId)
      else this.lifetimes.add(parent, effect, call)
    }
  }

  /** The job for which `caller` works. @throws Refusal */
  async parentOf({ jobId, effect }: Caller): Promise<JobHandle> {
    const parent = await this.jobOrNone(jobId)
    if (parent !== undefined && isOpen(parent, effect)) return parent
    throw new Refusal(403, 'CALL_SETTLED', 'The call that this token was given for is over; stop working on it.')
  }

  /** Begins a call, or finds it begun. @throws Refusal; AetherisError */
  async begin(call: OutsideCall, parent: JobHandle): Promise<JobHandle> {
    const id = callIdOf(call.for, call.key)
    const job = (await this.jobOrNone(id)) ?? (await this.spawn(id, call, parent))
    // Also of one that was just made: another request may have been faster.
    if (firstDifference(await requestOf(job), call) !== undefined) {
      const message = `The key "${call.key}" was used for another call; take a key of its own for each.`
      throw new Refusal(409, 'CALL_CONFLICT', message)
    }
    this.lifetimes.add(parent, call.for.effect, job)
    return job
  }

  /** @throws Refusal */
  async find(caller: Caller, key: string): Promise<JobHandle> {
    const job = await this.jobOrNone(callIdOf(caller, key))
    if (job !== undefined && (await requestOf(job)).key === key) return job
    throw new Refusal(404, 'JOB_NOT_FOUND', 'No call was made under this key.')
  }

  private async spawn(id: string, call: OutsideCall, parent: JobHandle): Promise<JobHandle> {
    const { agent } = this.exposed
    const tool = agent.tools.get(call.tool)
    if (tool === undefined) {
      const message = `There is no tool of this name; there are: ${[...agent.tools.keys()].join(', ')}.`
      throw new Refusal(404, 'TOOL_UNKNOWN', message)
    }
    const input = tool.input.safeParse(call.input)
    if (!input.success) throw mismatch(`The input of tool "${tool.name}"`, input.error)
    if (parent.getSnapshot().isHeld) {
      const message =
        'The job that this is for is paused, or over its budget; nothing new is begun for it until it goes on.'
      throw new Refusal(503, 'COMMAND_REFUSED', message, { headers: comeAgain })
    }
    return (await this.runtime.spawn(agent, call, { id })) as unknown as JobHandle
  }

  private async jobOrNone(jobId: string): Promise<JobHandle | undefined> {
    try {
      return await this.runtime.job(jobId)
    } catch (error) {
      if (isAetherisError(error, 'JOB_NOT_FOUND')) return undefined
      throw error
    }
  }
}

/** The same for the same key of the same call of an agent, so that asking again finds it. */
function callIdOf({ jobId, effect }: Caller, key: string): string {
  const id = childIdOf(jobId, `${effect}/${key}`)
  // Names of actors in hand-written machines may have any characters in them.
  return keyPart.test(id) ? id : sha256(id)
}

/** What the job was made for. */
async function requestOf(job: JobHandle): Promise<OutsideCall> {
  const first = (await job.events().next()).value
  return (first?.type === 'job.created' ? first.data.input : null) as unknown as OutsideCall
}
