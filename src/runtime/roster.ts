import type { AnyAgent } from '../agent/agent.ts'
import type { Clock } from '../base/clock.ts'
import { AetherisError, isAetherisError } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import type { NewEvent } from '../event/event.ts'
import type { Execution } from '../replay/execution.ts'
import { programsOf, snapshotKey } from '../replay/programs.ts'
import { defaultPriority, Slots } from '../scheduler/slots.ts'
import { Timers } from '../scheduler/timers.ts'
import { endStatuses, type JobRow, type JobStore } from '../store/store.ts'
import type { Input } from './input.ts'
import { untilAnswered } from './patience.ts'
import { loadExecution } from './recovery.ts'
import { Runner, type RunnerHost } from './runner.ts'
import type { TextPiece } from './stream.ts'

/**
 * The jobs that are in memory, and how they come and go.
 *
 * U1 Every job of the store that has not ended is in memory, queued, or parked with something that wakes it.
 * U2 A job has at most one runner.
 */

export interface RosterOptions {
  store: JobStore
  agents: ReadonlyMap<string, AnyAgent>
  /** Of the opening of the store. */
  generation: number
  clock: Clock
  random: Random
  maxJobs: number
  maxEffects: number
  snapshotEvery: number
  /** Nothing is performed until {@link Roster.stopHolding}. */
  isHolding: boolean
}

export interface RosterHost {
  committed(runner: Runner, events: readonly NewEvent[]): void
  progressed(jobId: string, effect: string, progress: Json): void
  emitted: RunnerHost['emitted']
  threw: RunnerHost['threw']
  spawn: RunnerHost['spawn']
  /** The job cannot go on here. */
  stuck(jobId: string, error: unknown): void
  problem(jobId: string, error: unknown): void
}

export class Roster {
  private readonly options: RosterOptions
  private readonly host: RosterHost
  private readonly jobSlots: Slots
  private readonly effectSlots: Slots
  /** Jobs being loaded: a few at a time, so that after a restart the first goes on long before the last is there. */
  private readonly loadSlots = new Slots(loadsMax)
  private readonly timers: Timers
  private readonly runnerHost: RunnerHost
  private readonly runners = new Map<string, Runner>()
  /** Jobs that wait for a slot or are being loaded, with what they were woken for. */
  private readonly waking = new Map<string, Input[]>()
  private isHolding: boolean
  private isClosed = false

  constructor(options: RosterOptions, host: RosterHost) {
    this.options = options
    this.host = host
    this.isHolding = options.isHolding
    this.jobSlots = new Slots(options.maxJobs)
    this.effectSlots = new Slots(options.maxEffects)
    this.timers = new Timers(options.store, options.clock, (jobId) => this.wake(jobId, { type: 'timers' }))
    this.runnerHost = this.hostOfRunners()
  }

  /** Wakes whatever has something to do. Gives the number of jobs that have not ended. */
  async resume(): Promise<number> {
    const { store } = this.options
    let found = 0
    for await (const row of store.list({ unfinished: true })) {
      found += 1
      const isParked = row.status === 'waiting' || row.status === 'paused'
      if (!isParked || row.unread > 0) this.wake(row.id, { type: 'inbox' }, row.priority)
    }
    await this.timers.look()
    return found
  }

  /** Performs from here on what was held back. */
  async stopHolding(): Promise<void> {
    if (!this.isHolding) return
    this.isHolding = false
    await this.resume()
  }

  /** Whether nothing is being done: no step, no load, no attempt. Waiting jobs and timers do not count. */
  get isIdle(): boolean {
    if (this.waking.size > 0 || this.timers.busy || this.effectSlots.inUse > 0) return false
    return [...this.runners.values()].every((runner) => !runner.busy)
  }

  /** Brings `input` to whoever runs the job; loads it where nobody does. */
  wake(jobId: string, input: Input, priority = defaultPriority): void {
    if (this.isClosed) return
    const runner = this.runners.get(jobId)
    const waking = this.waking.get(jobId)
    if (runner !== undefined) {
      // Not only once it commits: where its timers turn out to be handled already, it commits nothing.
      this.timers.cleared(jobId)
      runner.receive(input)
    } else if (waking === undefined) {
      this.waking.set(jobId, [input])
      const load = () => void this.load(jobId)
      this.jobSlots.acquire(priority, () => this.loadSlots.acquire(priority, load))
    } else if (carries.has(input.type) || !waking.some(({ type }) => type === input.type)) waking.push(input)
  }

  /** Begins to run a job that was just made, without reading it back. */
  begin(agent: AnyAgent, row: JobRow, execution: Execution): void {
    // Somebody who knew the id may have woken the job already.
    if (this.waking.has(row.id) || this.runners.has(row.id) || !this.jobSlots.tryAcquire()) {
      this.wake(row.id, { type: 'inbox' }, row.priority)
      return
    }
    this.run(new Runner(this.runnerHost, agent, row, execution, 0), [{ type: 'look' }])
  }

  /** What the attempts of a job that are under way have made so far. */
  textsOf(jobId: string): TextPiece[] {
    return this.runners.get(jobId)?.texts ?? []
  }

  timerSet(dueAt: number): void {
    this.timers.notice(dueAt)
  }

  close(reason: AetherisError): void {
    this.isClosed = true
    this.timers.stop()
    for (const runner of this.runners.values()) runner.stop(reason)
    for (const inputs of this.waking.values()) refuseCommands(inputs, reason)
    this.runners.clear()
  }

  /** The agent of a job. @throws AetherisError AGENT_UNKNOWN */
  agentOf(row: JobRow): AnyAgent {
    const agent = this.options.agents.get(row.agent)
    if (agent !== undefined) return agent
    const message = `Job "${row.id}" is of agent "${row.agent}", which was not given to this runtime.`
    throw new AetherisError('AGENT_UNKNOWN', message, { jobId: row.id })
  }

  private async load(jobId: string): Promise<void> {
    try {
      const loaded = await untilAnswered(
        this.options.clock,
        () => this.isClosed,
        () => this.loadRunner(jobId),
      )
      const inputs = this.waking.get(jobId) ?? []
      this.waking.delete(jobId)
      if (loaded === undefined || this.isClosed) {
        this.jobSlots.release()
        refuseCommands(inputs, new AetherisError('JOB_SETTLED', `Job "${jobId}" takes no commands here.`, { jobId }))
      } else this.run(loaded.runner, loaded.recovered ? [{ type: 'recovered' }, ...inputs] : inputs)
    } catch (error) {
      refuseCommands(this.waking.get(jobId) ?? [], error)
      this.waking.delete(jobId)
      this.jobSlots.release()
      if (!this.isClosed) this.host.stuck(jobId, error)
    } finally {
      this.loadSlots.release()
    }
  }

  private async loadRunner(jobId: string): Promise<{ runner: Runner; recovered: boolean } | undefined> {
    const { store, agents, generation } = this.options
    const found = await store.get(jobId)
    // There is little that still concerns a job that has ended.
    const isWanted = this.waking.get(jobId)?.some(({ type }) => carries.has(type)) ?? false
    if (found === undefined || (endStatuses.has(found.status) && !isWanted) || this.isClosed) {
      this.timers.cleared(jobId)
      return undefined
    }
    const agent = this.agentOf(found)
    const isMine = found.owner === generation
    // Loaded before it is claimed: a job that cannot be loaded here is left as it is.
    const { execution, snapshotSeq } = await loadExecution(store, programsOf(agents), found, snapshotKey(agent))
    const row = isMine ? found : await store.claim(jobId)
    const runner = new Runner(this.runnerHost, agent, row, execution, snapshotSeq)
    // Also where the job is claimed already: a claim with unknown outcome is made again.
    return { runner, recovered: wasUnderWay(execution) }
  }

  private run(runner: Runner, inputs: Input[]): void {
    this.runners.set(runner.jobId, runner)
    runner.receive(...inputs)
  }

  private hostOfRunners(): RunnerHost {
    const { store, clock, random, snapshotEvery } = this.options
    return {
      store,
      clock,
      random,
      snapshotEvery,
      isHolding: () => this.isHolding,
      effectSlots: this.effectSlots,
      committed: (runner, events, sent) => {
        this.timers.cleared(runner.jobId)
        this.host.committed(runner, events)
        for (const { jobId } of sent) this.wake(jobId, { type: 'inbox' })
      },
      timerSet: (dueAt) => this.timers.notice(dueAt),
      progressed: (jobId, effect, progress) => this.host.progressed(jobId, effect, progress),
      emitted: (jobId, piece) => this.host.emitted(jobId, piece),
      threw: (thrown) => this.host.threw(thrown),
      parked: (runner) => this.release(runner),
      deliver: (jobId, input) => this.wake(jobId, input),
      spawn: this.host.spawn,
      lost: (runner, error) => {
        this.release(runner)
        runner.stop(error)
        if (!isAetherisError(error, 'STORE_CLOSED')) this.host.stuck(runner.jobId, error)
      },
      problem: (jobId, error) => this.host.problem(jobId, error),
    }
  }

  private release(runner: Runner): void {
    if (this.runners.get(runner.jobId) !== runner) return
    this.runners.delete(runner.jobId)
    this.timers.cleared(runner.jobId)
    this.jobSlots.release()
  }
}

const loadsMax = 32

/** Whether a call has lost its process. Otherwise nothing has happened to the job that its history should say. */
function wasUnderWay({ effects }: Execution): boolean {
  for (const { status } of effects.values()) if (status === 'started') return true
  return false
}

/** Inputs that say more than that there is something to look at. */
const carries: ReadonlySet<Input['type']> = new Set<Input['type']>(['outcome', 'command'])

/** Whoever gave a command waits for an answer. */
function refuseCommands(inputs: readonly Input[], reason: unknown): void {
  for (const input of inputs) {
    if (!('done' in input)) continue
    const message = reason instanceof Error ? reason.message : String(reason)
    input.done(isAetherisError(reason) ? reason : new AetherisError('RUNTIME_CLOSED', message))
  }
}
