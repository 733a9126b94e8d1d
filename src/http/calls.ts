import { firstDifference } from '../base/json.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import { type CallRuntime, callIdOf, isOpen, jobOrNone, requestOf } from './call-job.ts'
import type { ExposedTools, OutsideCall } from './expose-tools.ts'
import { Lifetimes } from './lifetimes.ts'
import { comeAgain, mismatch, Refusal } from './refusal.ts'
import type { Caller } from './tokens.ts'

/**
 * The calls that agents elsewhere ask for.
 *
 * K1 One key of one call of an agent is one job, however often and at once it is asked for.
 * K2 Nothing is begun for a call of an agent that is over.
 */
export class Calls {
  private readonly runtime: CallRuntime
  private readonly exposed: ExposedTools
  private readonly lifetimes: Lifetimes

  constructor(runtime: CallRuntime, exposed: ExposedTools) {
    this.runtime = runtime
    this.exposed = exposed
    this.lifetimes = new Lifetimes(runtime)
  }

  /** Takes up the calls that earlier processes have left. */
  resume(): Promise<void> {
    return this.lifetimes.resume(this.exposed.agent.name)
  }

  /** The job for which `caller` works. @throws Refusal */
  async parentOf({ jobId, effect }: Caller): Promise<JobHandle> {
    const parent = await jobOrNone(this.runtime, jobId)
    if (parent !== undefined && isOpen(parent.getSnapshot(), effect)) return parent
    throw new Refusal(403, 'CALL_SETTLED', 'The call that this token was given for is over; stop working on it.')
  }

  /** Begins a call, or finds it begun. @throws Refusal; AetherisError */
  async begin(call: OutsideCall, parent: JobHandle): Promise<JobHandle> {
    const id = callIdOf(call.for, call.key)
    const job = (await jobOrNone(this.runtime, id)) ?? (await this.spawn(id, call, parent))
    // Also of one that was just made: another request may have been faster.
    if (firstDifference(await requestOf(job), call) !== undefined) {
      const message = `The key "${call.key}" was used for another call; take a key of its own for each.`
      throw new Refusal(409, 'CALL_CONFLICT', message)
    }
    this.lifetimes.add(parent, call.for.effect, id)
    return job
  }

  /** @throws Refusal */
  async find(caller: Caller, key: string): Promise<JobHandle> {
    const job = await jobOrNone(this.runtime, callIdOf(caller, key))
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
}
