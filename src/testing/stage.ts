import type { AnyAgent, InputOf } from '../agent/agent.ts'
import { isAetherisError } from '../base/error.ts'
import type { SpawnOptions } from '../runtime/admission.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import { memoryStore } from '../store/memory-store.ts'
import { eventLine } from './event-line.ts'
import { type Death, Life, mortalStore, never, type Write } from './mortal-store.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { type JobStage, stagedJob } from './staged-job.ts'
import { type TestRuntime, testRuntime } from './test-runtime.ts'
import { World } from './world.ts'
import { type Around, familyOf, wrapFamily } from './wrap-agent.ts'

/**
 * Where a scenario is played: a runtime whose process may die at any time, and the next one takes over. Whoever asks
 * it something gets an answer all the same, from the process that lives then.
 *
 * T1 A call into a process that dies is made again in the next one; what was done twice by that is refused there, and
 *    the refusal is not passed on. So that it is the same message, a signal gets an id.
 * T2 Each process has its own store, tools and planners, which are dead with it.
 * T3 What a tool was doing when its process died goes on outside.
 */

export interface StageOptions {
  agents: readonly AnyAgent[]
  seed: number
  /** Between the tools and whoever calls them; `life` is the process that does. Innermost are the tools themselves. */
  around(life: Life, stage: Stage): Around
  /** Of which writes a process dies. */
  fate?(write: Write): Death | undefined
  /** Whether to go on where something that was asked for makes no sense any more: refused, or too late. */
  isForgiving?: boolean
  /** Called whenever nothing moves any more: true where it has done something about it. */
  onRest?(stage: Stage): Promise<boolean>
}

export class Stage implements JobStage {
  readonly clock = new SimulatedClock()
  /** @internal */
  readonly world: World
  /** Jobs that could not go on, with the reason. @internal */
  readonly problems: string[] = []
  private readonly options: StageOptions
  private readonly agents: ReadonlyMap<string, AnyAgent>
  private readonly store = memoryStore()
  private readonly handles = new Map<string, JobHandle>()
  private life = new Life()
  private next: Promise<void> | undefined
  private runtime!: TestRuntime
  /** The agents as the process that lives now has them. */
  private present: ReadonlyMap<string, AnyAgent> = new Map()
  private spawned = 0
  private sent = 0

  private constructor(options: StageOptions) {
    this.options = options
    this.agents = familyOf(options.agents)
    this.world = new World(() => this.clock.elapsed)
  }

  /** @internal */
  static async open(options: StageOptions): Promise<Stage> {
    const stage = new Stage(options)
    const onProblem = ({ jobId, error }: { jobId: string; error: unknown }) => {
      if (!isAetherisError(error, 'RUNTIME_CLOSED'))
        stage.problems.push(`Job "${jobId}" cannot go on: ${String(error)}`)
    }
    const { clock } = stage
    stage.runtime = await testRuntime({ ...stage.process(), seed: options.seed, clock, onProblem })
    return stage
  }

  /** As `Runtime.spawn`. An id that is not given is `job`, then `job-2`, `job-3` … */
  async spawn<A extends AnyAgent>(agent: A, input: InputOf<A>, options: SpawnOptions = {}): Promise<JobHandle<A>> {
    this.spawned += 1
    const id = options.id ?? (this.spawned === 1 ? 'job' : `job-${this.spawned}`)
    const isOurs = this.agents.get(agent.name) === agent
    await this.ask((runtime) => {
      const present = isOurs ? this.present.get(agent.name) : undefined
      return runtime.spawn(present ?? agent, input, { ...options, id })
    })
    return (await this.job(id)) as unknown as JobHandle<A>
  }

  /** As `Runtime.job`. */
  async job(jobId: string): Promise<JobHandle> {
    // Kept before anybody can die: a process begins with the handles of the one before.
    await this.ask(async (runtime) => void this.handles.set(jobId, await runtime.job(jobId)))
    return stagedJob(this, jobId)
  }

  /** As `TestRuntime.settle`; also through the death of a process. */
  async settle(): Promise<void> {
    for (;;) {
      await this.runtime.settle()
      if (this.life.isOver) await this.succeed(this.life)
      else if (!((await this.options.onRest?.(this)) ?? false)) return
    }
  }

  /** As `TestRuntime.advance`; also through the death of a process. */
  async advance(ms: number): Promise<void> {
    const { clock } = this
    const end = clock.now() + ms
    await this.settle()
    for (let next = clock.nextAt; next !== undefined && next <= end; next = clock.nextAt) {
      clock.goTo(next)
      await this.settle()
    }
    clock.goTo(end)
    await this.settle()
  }

  /** Goes on until nothing is due any more, or all jobs have ended; false where that never is. @internal */
  async finish(): Promise<boolean> {
    for (let timers = 0; timers < timersMax; timers += 1) {
      await this.settle()
      const next = this.clock.nextAt
      if (next === undefined || (await this.jobIds(true)).length === 0) return true
      this.clock.goTo(next)
    }
    return false
  }

  /** @internal */
  async jobIds(unfinished = false): Promise<string[]> {
    const ids: string[] = []
    for await (const { id } of this.runtime.store.list({ unfinished })) ids.push(id)
    return ids
  }

  /** @internal */
  async close(): Promise<void> {
    this.life.end()
    await this.runtime.crash()
  }

  /** @internal */
  handle(jobId: string): JobHandle {
    return this.handles.get(jobId) as JobHandle
  }

  /** @internal */
  askJob<T>(jobId: string, question: (job: JobHandle) => Promise<T>): Promise<T> {
    return this.ask(async (runtime) => question(await runtime.job(jobId)))
  }

  /** @internal */
  nextSignalId(): string {
    this.sent += 1
    return `signal-${this.sent}`
  }

  private async ask<T>(question: (runtime: TestRuntime) => Promise<T>): Promise<T> {
    for (let isRepeated = false; ; isRepeated = true) {
      const { life, runtime } = this
      let answer: { value: T } | undefined
      const answered = question(runtime).then(
        (value) => {
          answer = { value }
        },
        (error) => {
          if (!(isRepeated || this.options.isForgiving) || !isTooLate(error)) throw error
          answer = { value: undefined as T }
        },
      )
      await Promise.race([answered, life.over])
      // What was acknowledged before the process died is heard.
      if (life.isOver) await runtime.settle(1)
      if (life.isOver) await this.succeed(life)
      if (answer !== undefined) return answer.value
    }
  }

  /** Waits for the process that comes after `life`, which begins once however many ask for it. */
  private async succeed(life: Life): Promise<void> {
    if (life === this.life) this.next = this.reopen()
    await this.next
  }

  private async reopen(): Promise<void> {
    this.world.process += 1
    this.world.say('CRASH; the next process takes over')
    this.life = new Life()
    this.runtime = await this.runtime.reopen(this.process())
    for (const id of this.handles.keys()) this.handles.set(id, await this.runtime.job(id))
  }

  /** What a new process is made of. */
  private process() {
    const { life } = this
    const around = this.options.around(life, this)
    const alive: Around = (call, perform, abortSignal) => (life.isOver ? never() : around(call, perform, abortSignal))
    this.present = wrapFamily(this.options.agents, alive)
    const store = mortalStore(this.store, life, (write) => {
      const death = this.options.fate?.(write)
      this.sayWrite(write, death)
      return death
    })
    return { agents: [...this.present.values()], store }
  }

  private sayWrite(write: Write, death: Death | undefined): void {
    if (write.kind === 'message') return
    const isLost = death === 'before' ? ' (not stored)' : ''
    for (const event of write.commit.events) this.world.say(`${write.commit.lease.jobId}: ${eventLine(event)}${isLost}`)
  }
}

/** Asked of a job that has gone on since. */
function isTooLate(error: unknown): boolean {
  return isAetherisError(error, 'COMMAND_REFUSED') || isAetherisError(error, 'JOB_SETTLED')
}

/** More than any scenario in good order needs. */
const timersMax = 1_000
