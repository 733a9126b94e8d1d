import type { z } from 'zod'
import type { AnyAgent, InputOf } from '../agent/agent.ts'
import { type AnySignal, isReserved } from '../agent/signal.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { AetherisError, isAetherisError } from '../base/error.ts'
import { digest, type Json, pathText, toJson } from '../base/json.ts'
import { newId, type Random, systemRandom } from '../base/random.ts'
import type { EventBody, JobEvent, NewEvent } from '../event/event.ts'
import { Execution } from '../replay/execution.ts'
import { JobSnapshot } from '../replay/job-snapshot.ts'
import { programsOf, snapshotKey } from '../replay/programs.ts'
import { defaultPriority, priorities, Slots } from '../scheduler/slots.ts'
import { Timers } from '../scheduler/timers.ts'
import { endStatuses, type JobQuery, type JobRow, type JobStore, keyPart } from '../store/store.ts'
import { type Channel, Channels } from './channel.ts'
import { type Inspect, Inspection } from './inspection.ts'
import { type HandleHost, JobHandle, type SendOptions, type Who } from './job-handle.ts'
import { loadExecution } from './recovery.ts'
import { type Input, Runner, type RunnerHost, statusOf } from './runner.ts'

/**
 * Opens a store, resumes its jobs and runs new ones: the place where all parts meet.
 *
 * U1 Every job of the store that has not ended is in memory, queued, or parked with something that wakes it.
 * U2 A job has at most one runner.
 */

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
  /** Events of a job between two snapshots. Default 100. */
  snapshotEvery?: number
  /** Gets XState's inspection events (`@xstate.actor`, `@xstate.event`, `@xstate.snapshot`) of every durable step. */
  inspect?: Inspect
  /** Told when a job cannot go on here, with the reason; the job stays as it is in the store. Default: ignored. */
  onProblem?: (problem: { jobId: string; error: unknown }) => void
}

export interface SpawnOptions {
  /** Default: a new ULID. Spawning with an id that exists gives that job. */
  id?: string
  /** 0 to 9, higher first. Default 5. */
  priority?: number
  /** Where the agent was loaded from; kept in the history for whoever needs the definition again. */
  source?: string
}

/**
 * Opens the store and resumes every job in it that has not ended.
 * @throws AetherisError STORE_LOCKED, STORE_FORMAT, STORE_CORRUPT, STORE_IO; AGENT_INVALID when two agents have one name.
 */
export async function openRuntime(options: RuntimeOptions): Promise<Runtime> {
  const agents = new Map(options.agents.map((agent) => [agent.name, agent]))
  if (agents.size < options.agents.length)
    throw new AetherisError('AGENT_INVALID', 'Two agents of the runtime have the same name.')
  const { generation } = await options.store.open()
  const runtime = new Runtime(options, agents, generation)
  await runtime.resume()
  return runtime
}

export class Runtime implements HandleHost {
  /** Jobs found unfinished when the runtime was opened. */
  resumed = 0
  /** Commits made since. */
  commits = 0
  private readonly store: JobStore
  private readonly agents: ReadonlyMap<string, AnyAgent>
  private readonly generation: number
  private readonly clock: Clock
  private readonly random: Random
  private readonly jobSlots: Slots
  private readonly effectSlots: Slots
  /** Jobs being loaded: a few at a time, so that after a restart the first goes on long before the last is there. */
  private readonly loadSlots = new Slots(loadsMax)
  private readonly timers: Timers
  private readonly channels = new Channels()
  private readonly inspection: Inspection
  private readonly runners = new Map<string, Runner>()
  /** Jobs that wait for a slot or are being loaded, with what they were woken for. */
  private readonly waking = new Map<string, Input[]>()
  /** Channels that are being made, with what was published meanwhile. */
  private readonly lookups = new Map<string, Set<Lookup>>()
  private readonly options: RuntimeOptions
  closed = false

  /** @internal Use {@link openRuntime}. */
  constructor(options: RuntimeOptions, agents: ReadonlyMap<string, AnyAgent>, generation: number) {
    this.options = options
    this.store = options.store
    this.agents = agents
    this.generation = generation
    this.clock = options.clock ?? systemClock
    this.random = options.random ?? systemRandom
    this.jobSlots = new Slots(options.maxJobs ?? 1_000)
    this.effectSlots = new Slots(options.maxEffects ?? 100)
    this.timers = new Timers(this.store, this.clock, (jobId) => this.wake(jobId, { type: 'timers' }))
    this.inspection = new Inspection(options.inspect)
  }

  /** @internal */
  async resume(): Promise<void> {
    for await (const row of this.store.list({ unfinished: true })) {
      this.resumed += 1
      const parked = row.status === 'waiting' || row.status === 'paused'
      if (!parked || row.unread > 0) this.wake(row.id, { type: 'inbox' }, row.priority)
    }
    await this.timers.look()
  }

  /**
   * Starts a job, or gives the one that has this id already. Resolves when it is durable.
   * @throws AetherisError AGENT_UNKNOWN, INPUT_INVALID, PLAN_INVALID (nothing is stored); JOB_EXISTS when the id belongs
   * to a job of another agent; RUNTIME_CLOSED.
   */
  async spawn<A extends AnyAgent>(agent: A, input: InputOf<A>, options: SpawnOptions = {}): Promise<JobHandle<A>> {
    this.checkOpen()
    if (this.agents.get(agent.name) !== agent) {
      throw new AetherisError(
        'AGENT_UNKNOWN',
        `Agent "${agent.name}" was not given to this runtime; add it to openRuntime({ agents }).`,
      )
    }
    const id = options.id ?? newId(this.clock.now(), this.random)
    const priority = options.priority ?? defaultPriority
    checkSpawn(id, priority)
    const given = parseInput(agent, input)
    // A new id is nobody's yet.
    const existing = options.id === undefined ? undefined : await this.existing(agent, id)
    if (existing !== undefined) return existing
    const execution = new Execution(programsOf(this.agents))
    const events = this.firstEvents(agent, given, execution, options.source)
    return this.create(agent, id, priority, execution, events)
  }

  /**
   * The job of this id.
   * @throws AetherisError JOB_NOT_FOUND; AGENT_UNKNOWN when its agent was not given to this runtime.
   */
  async job(jobId: string): Promise<JobHandle> {
    this.checkOpen()
    const row = keyPart.test(jobId) ? await this.store.get(jobId) : undefined
    if (row === undefined) throw new AetherisError('JOB_NOT_FOUND', `There is no job "${jobId}".`, { jobId })
    const agent = this.agentOf(row)
    return new JobHandle(this, agent, this.channels.get(jobId) ?? (await this.lookUp(jobId, agent)))
  }

  /** The channel of a job that nobody holds: from the store, since a runner may be ahead of what is durable. */
  private async lookUp(jobId: string, agent: AnyAgent): Promise<Channel> {
    const lookups = this.lookups.get(jobId) ?? new Set()
    const lookup: Lookup = { published: undefined }
    this.lookups.set(jobId, lookups.add(lookup))
    try {
      const row = (await this.store.get(jobId)) as JobRow
      const { execution } = await loadExecution(this.store, programsOf(this.agents), row, snapshotKey(agent))
      return this.channels.open(jobId, lookup.published ?? new JobSnapshot(jobId, execution))
    } finally {
      lookups.delete(lookup)
      if (lookups.size === 0) this.lookups.delete(jobId)
    }
  }

  /** The jobs of the store, in order of id. */
  jobs(query: JobQuery = {}): AsyncIterable<JobRow> {
    this.checkOpen()
    return this.store.list(query)
  }

  /** Whether nothing is being done: no step, no load, no attempt. Waiting jobs and timers do not count. */
  get idle(): boolean {
    if (this.waking.size > 0 || this.timers.busy || this.effectSlots.inUse > 0) return false
    return [...this.runners.values()].every((runner) => !runner.busy)
  }

  /** Stops where it is and closes the store. Unfinished jobs go on at the next opening. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.timers.stop()
    const error = new AetherisError('RUNTIME_CLOSED', 'The runtime was closed.')
    for (const runner of this.runners.values()) runner.stop(error)
    this.runners.clear()
    this.channels.closeAll(error)
    await this.store.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // --- what handles ask for

  /** @internal */
  async signal(
    jobId: string,
    agent: AnyAgent,
    signal: AnySignal | string,
    payload: unknown,
    options: SendOptions,
  ): Promise<void> {
    this.checkOpen()
    const name = typeof signal === 'string' ? signal : signal.name
    const body = { name, payload: checkSignal(agent, name, payload, this.machineAccepts(agent, name)) }
    await this.send(jobId, 'signal', body, options.id)
  }

  /** @internal */
  async command(jobId: string, kind: 'pause' | 'resume' | 'cancel', { by, reason }: Who): Promise<void> {
    this.checkOpen()
    await this.send(jobId, kind, toJson({ by, reason }, `The ${kind} command`, 'INPUT_INVALID'))
  }

  /** @internal */
  read(jobId: string, from: number): AsyncIterable<JobEvent[]> {
    return this.store.read(jobId, { from })
  }

  private async send(jobId: string, kind: string, body: Json, id?: string): Promise<void> {
    const now = this.clock.now()
    const message = id ?? newId(now, this.random)
    if (!keyPart.test(message))
      throw new AetherisError(
        'INPUT_INVALID',
        `The message id ${JSON.stringify(message)} is not valid: ${keyPart.source}.`,
      )
    if (await this.store.send({ jobId, id: message, at: now, kind, body })) this.wake(jobId, { type: 'inbox' })
  }

  // --- how jobs come into memory and go

  private firstEvents(agent: AnyAgent, input: Json, execution: Execution, source: string | undefined): NewEvent[] {
    const at = this.clock.now()
    const stamp = () => ({ id: newId(at, this.random), at })
    const created: EventBody = {
      type: 'job.created',
      data: {
        agent: agent.name,
        agentVersion: agent.version,
        input,
        ...(agent.program === undefined ? {} : { machine: agent.program.hash }),
        ...(source === undefined ? {} : { source }),
      },
    }
    const events = execution.record(created, null, stamp)
    if (agent.plan === undefined) return events
    const graph = agent.plan(input) as unknown as Json
    return [
      ...events,
      ...execution.record({ type: 'plan.adopted', data: { graph, hash: digest(graph) } }, events.length - 1, stamp),
    ]
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
    if (status !== 'running') execution.persist() // refuses a machine whose state cannot be kept, before anything is stored
    try {
      await this.store.commit({
        lease,
        expectedSeq: 0,
        create: { agent: agent.name, priority },
        events,
        status,
        timers: { set: timers },
      })
    } catch (error) {
      const existing = isAetherisError(error, 'JOB_EXISTS') ? await this.existing(agent, id) : undefined
      if (existing !== undefined) return existing
      throw error
    }
    for (const { dueAt } of timers) this.timers.notice(dueAt)
    const channel = this.channels.open(id, new JobSnapshot(id, execution))
    this.inspection.events(id, agent, events, channel.snapshot)
    if (status === 'running') {
      // Somebody who knew the id may have woken the job already.
      if (!this.waking.has(id) && this.jobSlots.tryAcquire()) {
        const now = this.clock.now()
        const row: JobRow = {
          id,
          agent: agent.name,
          status,
          priority,
          seq: events.length,
          hash: '',
          epoch: 1,
          owner: this.generation,
          unread: 0,
          createdAt: now,
          updatedAt: now,
        }
        // Whoever sends something from now on finds the runner.
        this.run(new Runner(this.host(agent), agent, row, execution, 0), [{ type: 'look' }])
      } else this.wake(id, { type: 'inbox' }, priority)
    }
    return new JobHandle(this, agent, channel)
  }

  private async existing<A extends AnyAgent>(agent: A, id: string): Promise<JobHandle<A> | undefined> {
    const row = await this.store.get(id)
    if (row === undefined) return undefined
    if (row.agent !== agent.name)
      throw new AetherisError('JOB_EXISTS', `Job "${id}" exists and is of agent "${row.agent}"; choose another id.`, {
        jobId: id,
      })
    return (await this.job(id)) as unknown as JobHandle<A>
  }

  private wake(jobId: string, input: Input, priority = defaultPriority): void {
    if (this.closed) return
    const runner = this.runners.get(jobId)
    const waking = this.waking.get(jobId)
    if (runner !== undefined) {
      runner.receive(input)
    } else if (waking === undefined) {
      this.waking.set(jobId, [input])
      const load = () => void this.load(jobId)
      this.jobSlots.acquire(priority, () => this.loadSlots.acquire(priority, load))
    } else if (input.type === 'outcome' || !waking.some(({ type }) => type === input.type)) waking.push(input)
  }

  private async load(jobId: string): Promise<void> {
    try {
      const loaded = await this.loadRunner(jobId)
      const inputs = this.waking.get(jobId) ?? []
      this.waking.delete(jobId)
      if (loaded === undefined || this.closed) this.jobSlots.release()
      else this.run(loaded.runner, loaded.recovered ? [{ type: 'recovered' }, ...inputs] : inputs)
    } catch (error) {
      this.waking.delete(jobId)
      this.jobSlots.release()
      if (!this.closed) this.problem(jobId, error)
    } finally {
      this.loadSlots.release()
    }
  }

  private async loadRunner(jobId: string): Promise<{ runner: Runner; recovered: boolean } | undefined> {
    const found = await this.store.get(jobId)
    const isLate = this.waking.get(jobId)?.some(({ type }) => type === 'outcome') ?? false
    if (found === undefined || (endStatuses.has(found.status) && !isLate) || this.closed) {
      this.timers.cleared(jobId)
      return undefined
    }
    const agent = this.agentOf(found)
    const mine = found.owner === this.generation
    // Loaded before it is claimed: a job that cannot be loaded here is left as it is.
    const { execution, snapshotSeq } = await loadExecution(
      this.store,
      programsOf(this.agents),
      found,
      snapshotKey(agent),
    )
    const row = mine ? found : await this.store.claim(jobId)
    const runner = new Runner(this.host(agent), agent, row, execution, snapshotSeq)
    return { runner, recovered: !mine && found.status === 'running' }
  }

  private run(runner: Runner, inputs: Input[]): void {
    this.runners.set(runner.jobId, runner)
    for (const input of inputs) runner.receive(input)
  }

  private host(agent: AnyAgent): RunnerHost {
    return {
      store: this.store,
      clock: this.clock,
      random: this.random,
      effectSlots: this.effectSlots,
      snapshotEvery: this.options.snapshotEvery ?? 100,
      snapshotKey: snapshotKey(agent),
      committed: (runner, events) => this.published(runner, events),
      timerSet: (dueAt) => this.timers.notice(dueAt),
      parked: (runner) => this.release(runner),
      deliver: (jobId, input) => this.wake(jobId, input),
      lost: (runner, error) => {
        this.release(runner)
        runner.stop(error)
        if (!isAetherisError(error, 'STORE_CLOSED')) this.problem(runner.jobId, error)
      },
      problem: (jobId, error) => this.problem(jobId, error),
    }
  }

  private published(runner: Runner, events: readonly NewEvent[]): void {
    this.commits += 1
    this.timers.cleared(runner.jobId)
    const channel = this.channels.get(runner.jobId)
    const lookups = this.lookups.get(runner.jobId)
    if (channel === undefined && lookups === undefined && !this.inspection.on) return
    const snapshot = new JobSnapshot(runner.jobId, runner.execution)
    for (const lookup of lookups ?? []) lookup.published = snapshot
    this.inspection.events(runner.jobId, runner.agent, events, snapshot)
    channel?.publish(snapshot, (error) => this.problem(runner.jobId, error))
  }

  private release(runner: Runner): void {
    if (this.runners.get(runner.jobId) !== runner) return
    this.runners.delete(runner.jobId)
    this.timers.cleared(runner.jobId)
    this.jobSlots.release()
  }

  private problem(jobId: string, error: unknown): void {
    this.options.onProblem?.({ jobId, error })
    if (isAetherisError(error)) this.channels.get(jobId)?.fail(error)
  }

  private agentOf(row: JobRow): AnyAgent {
    const agent = this.agents.get(row.agent)
    if (agent !== undefined) return agent
    throw new AetherisError(
      'AGENT_UNKNOWN',
      `Job "${row.id}" is of agent "${row.agent}", which was not given to this runtime.`,
      { jobId: row.id },
    )
  }

  private machineAccepts(agent: AnyAgent, name: string): boolean {
    const events: readonly string[] = agent.program?.body.events ?? []
    return events.includes(name) || events.includes(`signal.${name}`) || events.includes('*')
  }

  private checkOpen(): void {
    if (this.closed) throw new AetherisError('RUNTIME_CLOSED', 'The runtime was closed; open it again.')
  }
}

const loadsMax = 32

interface Lookup {
  published: JobSnapshot | undefined
}

function checkSpawn(id: string, priority: number): void {
  if (typeof id !== 'string' || !keyPart.test(id)) {
    throw new AetherisError(
      'INPUT_INVALID',
      `The job id ${JSON.stringify(id)} is not valid: it needs to match ${keyPart.source}.`,
    )
  }
  if (!Number.isInteger(priority) || priority < 0 || priority >= priorities) {
    throw new AetherisError(
      'INPUT_INVALID',
      `The priority ${String(priority)} is not valid: it goes from 0 to ${priorities - 1}.`,
    )
  }
}

function parseInput(agent: AnyAgent, input: unknown): Json {
  const parsed = agent.input.safeParse(input)
  if (!parsed.success) throw schemaError('INPUT_INVALID', `The input of agent "${agent.name}"`, parsed.error)
  return toJson(parsed.data, `The input of agent "${agent.name}"`, 'INPUT_INVALID')
}

function checkSignal(agent: AnyAgent, name: string, payload: unknown, machineAccepts: boolean): Json {
  if (isReserved(name))
    throw new AetherisError('SIGNAL_INVALID', `The signal name "${name}" is reserved for the runtime.`)
  const known = agent.signals.get(name)
  if (known === undefined) {
    if (machineAccepts) return toJson(payload, `The payload of signal "${name}"`, 'SIGNAL_INVALID')
    const names = [...agent.signals.keys()].join(', ') || 'none'
    throw new AetherisError('SIGNAL_UNKNOWN', `Agent "${agent.name}" knows no signal "${name}"; it knows: ${names}.`)
  }
  const parsed = known.payload.safeParse(payload)
  if (!parsed.success) throw schemaError('SIGNAL_INVALID', `The payload of signal "${name}"`, parsed.error)
  return toJson(parsed.data, `The payload of signal "${name}"`, 'SIGNAL_INVALID')
}

function schemaError(code: 'INPUT_INVALID' | 'SIGNAL_INVALID', what: string, error: z.ZodError): AetherisError {
  const issues = error.issues.map(({ path, code: kind, message }) => ({
    path: path.map((key) => (typeof key === 'number' ? key : String(key))),
    code: String(kind),
    message,
  }))
  const list = issues
    .map((issue) => `${issue.path.length === 0 ? '' : `${pathText(issue.path)}: `}${issue.message}`)
    .join('; ')
  return new AetherisError(code, `${what} is not valid: ${list}.`, { issues })
}
