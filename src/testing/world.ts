import { OutcomeUnknownError, toErrorData } from '../base/error.ts'
import type { Around, Call } from './wrap-agent.ts'

/** What happened outside in one run of a scenario: survives the processes, as the outside does. */

/** How a call ended, whether or not anybody was told. */
export type CallEnd = { completed: unknown } | { failed: string } | 'stopped' | 'unknown' | 'running'

export interface CallRecord extends Call {
  /** The process that made it, from 0. */
  process: number
  /**
   * `stopped`: it rejected with the reason of its AbortSignal, and has done nothing. `unknown`: it threw an
   * OutcomeUnknownError.
   */
  end: CallEnd
}

export class World {
  /** Each call that began, in order. */
  readonly calls: CallRecord[] = []
  /** For people: what happened, in order. */
  readonly timeline: string[] = []
  /** The process that lives now, from 0. */
  process = 0
  private readonly elapsed: () => number

  /** @param elapsed milliseconds since the scenario began. */
  constructor(elapsed: () => number) {
    this.elapsed = elapsed
  }

  say(line: string): void {
    if (this.timeline.length < linesMax) this.timeline.push(`${`+${this.elapsed()}`.padStart(6)} ms  ${line}`)
  }

  /** Performs a call and keeps how it ended. */
  readonly observed: Around = async (call, perform, abortSignal) => {
    const record: CallRecord = { ...call, process: this.process, end: 'running' }
    this.calls.push(record)
    this.say(`${call.jobId}: ${call.tool} is called for ${call.effect}, attempt ${call.attempt}`)
    try {
      const output = await perform()
      record.end = { completed: output }
      return output
    } catch (error) {
      record.end = endOf(error, abortSignal)
      throw error
    }
  }

  /** How a call really ended that its process did not live to hear: what somebody finds who looks outside. */
  truth(jobId: string, effect: string): Answer | undefined {
    const last = this.calls.findLast((call) => call.jobId === jobId && call.effect === effect)
    if (last === undefined) return 'again'
    const { end } = last
    if (last.process === this.process || end === 'running' || end === 'unknown') return undefined
    return end === 'stopped' ? 'again' : end
  }
}

function endOf(error: unknown, { aborted, reason }: AbortSignal): CallEnd {
  if (error instanceof OutcomeUnknownError) return 'unknown'
  return aborted && error === reason ? 'stopped' : { failed: toErrorData(error).message }
}

/** What somebody says of a `once` call whose outcome is unknown: as `JobHandle.resolve` takes it. */
export type Answer = { completed: unknown } | { failed: string } | 'again'

const linesMax = 2_000
