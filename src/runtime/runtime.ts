import type { AnyAgent, InputOf } from '../agent/agent.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { AetherisError, isAetherisError } from '../base/error.ts'
import { newId, type Random, systemRandom } from '../base/random.ts'
import type { NewEvent } from '../event/event.ts'
import { Execution } from '../replay/execution.ts'
import { JobSnapshot } from '../replay/job-snapshot.ts'
import { programsOf, snapshotKey } from '../replay/programs.ts'
import { defaultPriority, Slots } from '../scheduler/slots.ts'
import { type JobQuery, type JobRow, type JobStore, keyPart } from '../store/store.ts'
import { checkSpawn, firstEvents, parseBudget, parseInput, type SpawnOptions } from './admission.ts'
import { type Channel, Channels } from './channel.ts'
import { farewells } from './family.ts'
import { type Inspect, Inspection } from './inspection.ts'
import { JobHandle } from './job-handle.ts'
import { untilAnswered } from './patience.ts'
import { performActions } from './perform.ts'
import { loadExecution } from './recovery.ts'
import { Roster } from './roster.ts'
import { type Runner, statusOf, type Thrown } from './runner.ts'
import { RuntimeHost } from './runtime-host.ts'

/** Opens a store, resumes its jobs and runs new ones: the place where all parts meet. */

export interface RuntimeOptions {
  store: JobStore
  agents: readonly AnyAgent[]
  /** Default: the system clock. */
  clock?: Clock
  /** Default: the system's randomness. */
  random?: Random
  /** Jobs in memory at a time; the others wait in the store. Default 1,000. */
  maxJobs?: number
  /** Attempts of tools under way at a time, of all jobs. Default 100. */
  maxEffects?: number
  /** Events of a job between two snapshots, at least. Default 100. */
  snapshotEvery?: number
  /**
   * `hold`: commands and signals are applied and timers fire, but no tool, planner or promise is called until
   * {@link Runtime.release}, or the next opening. For whoever wants to look at jobs and to control them before anything
   * more is done. Default `run`.
   */
  effects?: 'run' | 'hold'
  /**
   * Gets XState's inspection events (`@xstate.actor`, `@xstate.event`, `@xstate.snapshot`) of every durable step: a
   * function or an observer, such as the `inspect` of an inspector of \@statelyai/inspect.
   */
  inspect?: Inspect
  /**
   * Told when a job cannot go on here, with the reason; the job stays as it is in the store. Also told when a job has
   * to wait because the store has failed (COMMIT_UNKNOWN, STORE_FAILED, STORE_BUSY), as on a full disk: it goes on by
   * itself when the store works again. And told what observers and custom actions throw, which touches no job.
   * Default: ignored.
   */
  onProblem?: (problem: { jobId: string; error: unknown }) => void
  /**
   * Told what a tool, a planner or a promise actor throws, as it is and with its stack, for your logs: the history keeps
   * the name, the message and the code. Default: ignored.
   */
  onThrown?: (thrown: Thrown) => void
}

/**
 * Opens the store and resumes every job in it that has not ended.
 * @throws AetherisError STORE_LOCKED, STORE_FORMAT, STORE_CORRUPT, STORE_IO; AGENT_INVALID when two agents have one name, or the
 * store or the agents are missing.
 */
export async function openRuntime(options: RuntimeOptions): Promise<Runtime> {
  if (!Array.isArray(options.agents) || options.store === undefined) {
    const message =
      'A runtime needs a store and a list of agents: openRuntime({ store: levelStore("data"), agents: [review] }).'
    throw new AetherisError('AGENT_INVALID', message)
  }
  const agents = new Map(options.agents.map((agent) => [agent.name, agent]))
  if (agents.size < options.agents.length)
    throw new AetherisError('AGENT_INVALID', 'Two agents of the runtime have the same name.')
  const { generation } = await options.store.open()
  const runtime = new Runtime(options, agents, generation)
  await runtime.resume()
  return runtime
}

type Parent = { jobId: string; effect: string }

export class Runtime {
  /** Jobs found unfinished when the runtime was opened. */
  resumed = 0
  /** Commits made since. */
  commits = 0
  private readonly store: JobStore
  private readonly agents: ReadonlyMap<string, AnyAgent>
  private readonly generation: number
  private readonly clock: Clock
  private readonly random: Random
  private readonly roster: Roster
  private readonly host: RuntimeHost
  private readonly channels = new Channels()
  private readonly inspection: Inspection
  /** Channels that are being made, with what was published meanwhile. */
  private readonly lookups = new Map<string, Set<Lookup>>()
  private readonly lookupSlots = new Slots(lookupsMax)
  private readonly options: RuntimeOptions

  /** @internal Use {@link openRuntime}. */
  constructor(options: RuntimeOptions, agents: ReadonlyMap<string, AnyAgent>, generation: number) {
    const { store, clock = systemClock, random = systemRandom } = options
    const { maxJobs = 1_000, maxEffects = 100, snapshotEvery = 100, effects = 'run' } = options
    this.options = options
    this.store = store
    this.agents = agents
    this.generation = generation
    this.clock = clock
    this.random = random
    this.inspection = new Inspection(options.inspect, (jobId, error) => options.onProblem?.({ jobId, error }))
    const roster = { store, agents, generation, clock, random, maxJobs, maxEffects, snapshotEvery }
    this.roster = new Roster(
      { ...roster, isHolding: effects === 'hold' },
      {
        committed: (runner, events) => this.published(runner, events),
        progressed: (jobId, effect, progress) => this.channels.get(jobId)?.progress(effect, progress),
        emitted: (jobId, piece) => this.channels.get(jobId)?.emit(piece),
        threw: (thrown) => this.threw(thrown),
        // A job does not fail since the disk was full when it started another one.
        spawn: async (agent, input, { id, source }, parent) => {
          const options = { id, ...(source === undefined ? {} : { source }) }
          const start = () => this.start(agent, input as never, options, parent)
          return (await this.patiently(start, (error) => this.problem(parent.jobId, error))).id
        },
        stuck: (jobId, error) => this.stuck(jobId, error),
        problem: (jobId, error) => this.problem(jobId, error),
      },
    )
    this.host = new RuntimeHost({ store, clock, random, roster: this.roster })
  }

  /** @internal */
  async resume(): Promise<void> {
    this.resumed = await this.roster.resume()
  }

  /** Performs from here on what was held back by the option `effects`. */
  async release(): Promise<void> {
    this.host.checkOpen()
    await this.roster.stopHolding()
  }

  /**
   * Starts a job, or gives the one that has this id already. Resolves when it is durable.
   * @throws AetherisError AGENT_UNKNOWN, INPUT_INVALID, PLAN_INVALID, MACHINE_IMPURE, MACHINE_UNSUPPORTED (nothing is
   * stored); JOB_EXISTS when the id belongs to a job of another agent; RUNTIME_CLOSED.
   */
  async spawn<A extends AnyAgent>(agent: A, input: InputOf<A>, options: SpawnOptions = {}): Promise<JobHandle<A>> {
    return this.start(agent, input, options, undefined)
  }

  private async start<A extends AnyAgent>(
    agent: A,
    input: InputOf<A>,
    options: SpawnOptions,
    parent: Parent | undefined,
  ): Promise<JobHandle<A>> {
    this.host.checkOpen()
    if (this.agents.get(agent.name) !== agent) {
      const message = `Agent "${agent.name}" was not given to this runtime; add it to openRuntime({ agents }).`
      throw new AetherisError('AGENT_UNKNOWN', message)
    }
    const { id = newId(this.clock.now(), this.random), priority = defaultPriority, source } = options
    checkSpawn(id, priority)
    const birth = { input: parseInput(agent, input), budget: parseBudget(agent, options.budget), source, parent }
    // A new id is nobody's yet.
    const existing = options.id === undefined ? undefined : await this.existing(agent, id)
    if (existing !== undefined) return parent === undefined ? existing : childOf(parent, existing)
    const execution = new Execution(programsOf(this.agents))
    const at = this.clock.now()
    const events = firstEvents(agent, birth, execution, () => ({ id: newId(at, this.random), at }))
    return this.create(agent, id, priority, execution, events)
  }

  /**
   * The job of this id.
   * @throws AetherisError JOB_NOT_FOUND; AGENT_UNKNOWN when its agent was not given to this runtime.
   */
  async job(jobId: string): Promise<JobHandle> {
    this.host.checkOpen()
    const row = keyPart.test(jobId) ? await this.store.get(jobId) : undefined
    if (row === undefined) throw new AetherisError('JOB_NOT_FOUND', `There is no job "${jobId}".`, { jobId })
    const agent = this.roster.agentOf(row)
    return new JobHandle(this.host, agent, this.channels.get(jobId) ?? (await this.lookUp(jobId, agent)))
  }

  /** The channel of a job that nobody holds: from the store, since a runner may be ahead of what is durable. */
  private async lookUp(jobId: string, agent: AnyAgent): Promise<Channel> {
    const lookups = this.lookups.get(jobId) ?? new Set()
    const lookup: Lookup = { published: undefined }
    this.lookups.set(jobId, lookups.add(lookup))
    await new Promise<void>((granted) => this.lookupSlots.acquire(defaultPriority, granted))
    try {
      const row = (await this.store.get(jobId)) as JobRow
      const { execution } = await loadExecution(this.store, programsOf(this.agents), row, snapshotKey(agent))
      return this.channels.open(jobId, lookup.published ?? new JobSnapshot(jobId, execution))
    } finally {
      lookups.delete(lookup)
      if (lookups.size === 0) this.lookups.delete(jobId)
      this.lookupSlots.release()
    }
  }

  /** The jobs of the store, in order of id. */
  jobs(query: JobQuery = {}): AsyncIterable<JobRow> {
    this.host.checkOpen()
    return this.store.list(query)
  }

  get closed(): boolean {
    return this.host.closed
  }

  /** Whether nothing is being done: no step, no load, no attempt. Waiting jobs and timers do not count. */
  get idle(): boolean {
    return this.roster.isIdle
  }

  /** Stops where it is and closes the store. Unfinished jobs go on at the next opening. */
  async close(): Promise<void> {
    if (this.closed) return
    this.host.closed = true
    const error = new AetherisError('RUNTIME_CLOSED', 'The runtime was closed.')
    this.roster.close(error)
    this.channels.closeAll(error)
    await this.store.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async create<A extends AnyAgent>(
    agent: A,
    id: string,
    priority: number,
    execution: Execution,
    events: NewEvent[],
  ): Promise<JobHandle<A>> {
    const status = statusOf(execution)
    const timers = [...execution.timers.values()].map((timer) => ({ id: timer.id, dueAt: timer.dueAt }))
    const lease = { jobId: id, epoch: 1 }
    const create = { agent: agent.name, priority }
    // A plan that asks for nothing has ended already.
    const send = farewells(id, execution, { events, orphans: [] }, this.clock.now())
    if (execution.violation !== undefined) throw execution.violation
    try {
      const commit = { lease, expectedSeq: 0, create, events, status, timers: { set: timers }, send }
      await this.host.write((store) => store.commit(commit))
    } catch (error) {
      const existing = isAetherisError(error, 'JOB_EXISTS') ? await this.existing(agent, id) : undefined
      if (existing !== undefined) return existing
      throw error
    }
    for (const { dueAt } of timers) this.roster.timerSet(dueAt)
    for (const { jobId } of send) this.roster.wake(jobId, { type: 'inbox' })
    performActions(execution, (error) => this.problem(id, error))
    const channel = this.channels.open(id, new JobSnapshot(id, execution))
    if (this.inspection.on) this.inspection.committed(agent, execution, events, channel.snapshot)
    const [{ at }] = events as [NewEvent, ...NewEvent[]]
    const row: JobRow = {
      ...{ id, agent: agent.name, status, priority, seq: events.length, hash: '', epoch: 1 },
      ...{ owner: this.generation, unread: 0, createdAt: at, updatedAt: at },
    }
    if (status === 'running') this.roster.begin(agent, row, execution)
    return new JobHandle(this.host, agent, channel)
  }

  /** Where it cannot be told whether a write took effect, it is found out: somebody has to act on it. */
  private patiently<T>(ask: () => Promise<T>, onWait: (error: unknown) => void): Promise<T> {
    return untilAnswered(this.clock, () => this.closed, ask, onWait)
  }

  private async existing<A extends AnyAgent>(agent: A, id: string): Promise<JobHandle<A> | undefined> {
    const row = await this.store.get(id)
    if (row === undefined) return undefined
    if (row.agent !== agent.name) {
      const message = `Job "${id}" exists and is of agent "${row.agent}"; choose another id.`
      throw new AetherisError('JOB_EXISTS', message, { jobId: id })
    }
    return (await this.job(id)) as unknown as JobHandle<A>
  }

  private published(runner: Runner, events: readonly NewEvent[]): void {
    this.commits += 1
    const channel = this.channels.get(runner.jobId)
    const lookups = this.lookups.get(runner.jobId)
    if (channel === undefined && lookups === undefined && !this.inspection.on) return
    const snapshot = new JobSnapshot(runner.jobId, runner.execution)
    for (const lookup of lookups ?? []) lookup.published = snapshot
    if (this.inspection.on) this.inspection.committed(runner.agent, runner.execution, events, snapshot)
    channel?.publish(snapshot, (error) => this.problem(runner.jobId, error))
  }

  private threw(thrown: Thrown): void {
    try {
      this.options.onThrown?.(thrown)
    } catch (error) {
      this.problem(thrown.jobId, error)
    }
  }

  /** The job cannot go on here. */
  private stuck(jobId: string, error: unknown): void {
    this.problem(jobId, error)
    this.channels.get(jobId)?.fail(error)
  }

  private problem(jobId: string, error: unknown): void {
    this.options.onProblem?.({ jobId, error })
  }
}

/** Jobs that are read at a time for handles: whoever asks for hundreds does not hold up those that are to go on. */
const lookupsMax = 8

interface Lookup {
  published: JobSnapshot | undefined
}

/** A job that has the id of a child, if it is that child. @throws AetherisError JOB_EXISTS */
async function childOf<A extends AnyAgent>(parent: Parent, job: JobHandle<A>): Promise<JobHandle<A>> {
  for await (const { type, data } of job.events()) {
    if (type === 'job.created' && data.parent?.jobId === parent.jobId && data.parent.effect === parent.effect)
      return job
    break
  }
  const message = `Job "${job.id}" exists, but job "${parent.jobId}" did not start it.`
  throw new AetherisError('JOB_EXISTS', message, { jobId: job.id })
}
