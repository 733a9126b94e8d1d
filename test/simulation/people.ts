import { isAetherisError } from '../../src/base/error.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { type AgentName, type agentsOf, go } from './agents.ts'
import type { Kernel } from './kernel.ts'
import type { Machine } from './process.ts'

/** People and programs that use the runtime, and ask again when it dies before it has answered. */

export type Act =
  | { kind: 'spawn'; job: number | string; agent: AgentName }
  | {
      kind: 'signal'
      job: number | string
      n: number /** Sent at once; each is a message of its own. */
      count: number
    }
  | { kind: 'approve' | 'deny'; job: number | string; who: number }
  | { kind: 'resolve'; job: number | string; as: 'completed' | 'failed' | 'again' }
  | { kind: 'pause' | 'resume' | 'cancel' | 'terminate'; job: number | string }
  | { kind: 'retry'; job: number | string; node: number }

export type Timed = Act & { atMs: number /** Sent that often, as if each answer had been lost. */; times: number }

/** What makes no sense in the state that the job is in is refused, and that is an answer. */
const refusals = [
  'COMMAND_REFUSED',
  'JOB_EXISTS',
  'JOB_SETTLED',
  'JOB_NOT_FOUND',
  'SIGNAL_UNKNOWN',
  'SIGNAL_INVALID',
] as const
/** Of a process that is about to end, or of a store that opens again: whoever asks later is told. */
const passing = [
  'STORE_FAILED',
  'COMMIT_UNKNOWN',
  'STORE_BUSY',
  'RUNTIME_CLOSED',
  'LEASE_FENCED',
  'COMMIT_CONFLICT',
  'STORE_CLOSED',
] as const

export function isPassing(error: unknown): boolean {
  return passing.some((code) => isAetherisError(error, code))
}

/** Often less than the first takes. */
const gapMs = 10

export class People {
  /** What was asked and not answered yet. */
  open = 0
  private readonly kernel: Kernel
  private readonly machine: Machine
  private readonly agents: ReturnType<typeof agentsOf>

  constructor(kernel: Kernel, machine: Machine, agents: ReturnType<typeof agentsOf>) {
    this.kernel = kernel
    this.machine = machine
    this.agents = agents
  }

  plan(acts: readonly Timed[]): void {
    for (const [index, { atMs, times, ...act }] of acts.entries()) {
      for (let time = 0; time < times; time += 1) {
        if (time > 0) this.kernel.after(atMs, () => this.kernel.inject(`${act.kind} sent again`))
        // Two who approve are two people.
        const again = 'who' in act ? { ...act, who: act.who + time } : act
        this.kernel.after(atMs + time * gapMs, () => this.ask(again, `act-${index}`))
      }
    }
  }

  /** Asks until there is an answer. */
  ask(act: Act, id: string): void {
    this.open += 1
    const again = () => this.kernel.after(100, () => this.machine.whenOpen(attempt))
    const attempt = () => {
      const { life } = this.machine
      if (life?.runtime === undefined) return again()
      let isAnswered = false
      // Whoever asks a process that dies hears nothing, and asks the next one.
      life.onDeath(() => isAnswered || again())
      this.perform(life.runtime, act, id).then(
        () => {
          if (!life.isAlive) return
          isAnswered = true
          this.open -= 1
        },
        (error) => {
          if (!life.isAlive) return undefined
          isAnswered = true
          if (isPassing(error)) return again()
          this.open -= 1
          if (!refusals.some((code) => isAetherisError(error, code))) {
            this.kernel.fail(
              `${act.kind} of ${act.job} was answered with ${error.code ?? error.name}: ${error.message}`,
            )
          }
          return undefined
        },
      )
      return undefined
    }
    attempt()
  }

  private async perform(runtime: Runtime, act: Act, id: string): Promise<void> {
    const jobId = typeof act.job === 'string' ? act.job : `job-${act.job}`
    if (act.kind === 'spawn') {
      await runtime.spawn(this.agents[act.agent], { of: jobId }, { id: jobId })
      return
    }
    const job = await runtime.job(jobId)
    const { pending, nodes, results } = job.getSnapshot()
    const by = { by: 'ana', reason: 'since' }
    switch (act.kind) {
      case 'signal':
        for (let nth = 0; nth < act.count; nth += 1) await job.signal(go, { n: act.n + nth }, { id: `${id}-${nth}` })
        return undefined
      case 'approve':
      case 'deny': {
        const asked = pending.find(({ status }) => status === 'approving')
        return asked && job[act.kind](asked.effect, { by: `person-${act.who}` })
      }
      case 'resolve': {
        const lost = pending.find(({ status }) => status === 'unknown')
        const as = {
          completed: { completed: { by: 'ana' } },
          failed: { failed: 'it is said' },
          again: 'again',
        } as const
        return lost && job.resolve(lost.effect, as[act.as], by)
      }
      case 'retry': {
        const failed = Object.keys(results).filter((node) => results[node]?.status === 'failed')
        const node = failed[act.node % Math.max(1, failed.length)] ?? Object.keys(nodes)[0]
        return node === undefined ? undefined : job.retry(node, by)
      }
      default:
        return job[act.kind](by)
    }
  }
}
