import type { AnyAgent } from '../../src/agent/agent.ts'
import type { Clock } from '../../src/base/clock.ts'
import { AetherisError } from '../../src/base/error.ts'
import { seededRandom } from '../../src/base/random.ts'
import { openRuntime, type Runtime } from '../../src/runtime/runtime.ts'
import type { Commit, Committed, InboxMessage, JobRow, JobStore, OpenReport } from '../../src/store/store.ts'
import type { Checker } from './check.ts'
import type { Disk } from './disk.ts'
import type { Kernel } from './kernel.ts'

/** Limits that are drawn small, so that what is rare in life is common here. */
export interface Knobs {
  snapshotEvery: number
  maxJobs: number
  maxEffects: number
  /** The longest that a write takes, in milliseconds. */
  writeMs: number
}

export type WriteKind = 'commit' | 'claim' | 'message'

/** What happens to one write of the whole run. */
export type WriteFault = 'refused' | 'stored' | 'lost' | 'dies before' | 'dies after' | 'slow'

/** Never settles: what a dead process waits for. */
const never = <T>() => new Promise<T>(() => {})

/**
 * One life of the process: its clock, its store and its runtime are the production code, seen through what may be cut
 * off. What a dead life has begun comes to nothing; what it has written stays.
 */
export class Life {
  readonly number: number
  runtime: Runtime | undefined
  isAlive = true
  private isPaused = false
  private held: (() => void)[] = []
  private mourners: (() => void)[] = []
  private readonly kernel: Kernel

  constructor(kernel: Kernel, number: number) {
    this.kernel = kernel
    this.number = number
  }

  /** Calls `callback` after `ms`, unless the process dies before; where it is stopped, when it goes on. */
  after(ms: number, callback: () => void): () => void {
    return this.kernel.clock.setTimer(() => this.run(callback), ms)
  }

  alarm(at: number, callback: () => void): () => void {
    return this.kernel.clock.setAlarm(() => this.run(callback), at)
  }

  wait(ms: number): Promise<void> {
    if (!this.isAlive) return never()
    return ms === 0 ? this.resumed() : new Promise((resolve) => this.after(ms, resolve))
  }

  /** As SIGSTOP does: nothing of it happens until `resume`. */
  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    const { held } = this
    this.held = []
    for (const callback of held) this.run(callback)
  }

  /** Calls back at its end. */
  onDeath(callback: () => void): void {
    this.mourners.push(callback)
  }

  die(): void {
    if (!this.isAlive) return
    this.isAlive = false
    this.held = []
    for (const callback of this.mourners) callback()
  }

  private resumed(): Promise<void> {
    return this.isPaused ? new Promise((resolve) => this.held.push(resolve)) : Promise.resolve()
  }

  private run(callback: () => void): void {
    if (!this.isAlive) return
    if (this.isPaused) this.held.push(callback)
    else callback()
  }
}

/** The computer: a disk, and one life of the process after another. */
export class Machine {
  life: Life | undefined
  lives = 0
  /** The faults of writes, by their kind and number among those of that kind. */
  readonly writeFaults = new Map<string, WriteFault>()
  private readonly writes = { commit: 0, claim: 0, message: 0 }
  private waiting: (() => void)[] = []
  readonly disk: Disk
  private readonly kernel: Kernel
  private readonly checker: Checker
  private readonly agents: readonly AnyAgent[]
  private readonly knobs: Knobs

  constructor(kernel: Kernel, disk: Disk, checker: Checker, agents: readonly AnyAgent[], knobs: Knobs) {
    this.kernel = kernel
    this.disk = disk
    this.checker = checker
    this.agents = agents
    this.knobs = knobs
  }

  boot(): void {
    this.lives += 1
    const life = new Life(this.kernel, this.lives)
    this.life = life
    const clock: Clock = {
      now: () => this.kernel.clock.now(),
      setTimer: (callback, ms) => life.after(Math.max(0, ms), callback),
      setAlarm: (callback, at) => life.alarm(at, callback),
    }
    const store = new LifeStore(life, this.disk.open(clock), this)
    this.kernel.log(`life ${life.number} begins`)
    const { snapshotEvery, maxJobs, maxEffects } = this.knobs
    const limits = { snapshotEvery, maxJobs, maxEffects }
    const random = seededRandom(Math.floor(this.kernel.random.next() * 2 ** 32))
    const onProblem = ({ jobId, error }: { jobId: string; error: unknown }) => this.checker.problem(jobId, error)
    void openRuntime({ store, agents: [...this.agents], clock, random, onProblem, ...limits }).then(
      (runtime) => {
        if (!life.isAlive) return
        life.runtime = runtime
        const { waiting } = this
        this.waiting = []
        for (const callback of waiting) callback()
      },
      (error) => {
        if (!life.isAlive) return
        this.kernel.log(`life ${life.number} cannot open: ${error.message}`)
        // The disk refuses a write; whoever started the process starts it again. A zombie finds its store closed where its
        // successor has died meanwhile: two processes share one store in memory.
        if (error.code === 'STORE_IO' || (life !== this.life && error.code === 'STORE_CLOSED'))
          return this.kill(false, life)
        this.kernel.fail(`cannot open: ${error.code} ${error.message}`)
      },
    )
  }

  /** Calls back when a process has opened its runtime. */
  whenOpen(callback: () => void): void {
    if (this.life?.runtime === undefined) this.waiting.push(callback)
    else callback()
  }

  /** Ends the process, and begins the next one a little later. */
  kill(power: boolean, life = this.life): void {
    if (life === undefined) return
    life.die()
    if (life !== this.life) return
    this.life = undefined
    this.kernel.log(`life ${life.number} dies${power ? ' with the power' : ''}`)
    this.disk.died(power, (unsynced) => this.kernel.between(0, unsynced))
    this.kernel.after(this.kernel.between(0, 2_000), () => this.life ?? this.boot())
  }

  /** The next process begins while this one still believes that it is the only one. */
  usurp(forMs: number): void {
    const zombie = this.life
    if (zombie === undefined) return
    this.kernel.log(`life ${zombie.number} is a zombie`)
    this.kernel.after(forMs, () => zombie.die())
    this.disk.died(false, () => 0)
    this.life = undefined
    this.boot()
  }

  /** A write of a process, with whatever happens to it. */
  async write<T>(life: Life, of: WriteKind, apply: () => Promise<T>): Promise<T> {
    const fault = this.writeFaults.get(`${of} ${this.writes[of]}`)
    this.writes[of] += 1
    if (fault !== undefined) this.kernel.inject(`write ${fault}`)
    await life.wait(fault === 'slow' ? this.kernel.between(1_000, 30_000) : this.kernel.between(0, this.knobs.writeMs))
    if (fault === 'dies before') {
      this.kill(false, life)
      return never()
    }
    const isOnLevel = this.disk.kind === 'level'
    if (isOnLevel && (fault === 'lost' || fault === 'refused')) this.disk.failNext('before')
    if (isOnLevel && fault === 'stored') this.disk.failNext('after')
    if (!isOnLevel && fault === 'refused') throw new AetherisError('STORE_FAILED', 'The disk is full.')
    if (!isOnLevel && fault === 'lost') throw new AetherisError('COMMIT_UNKNOWN', 'EIO, and nothing is there.')
    const result = await apply()
    if (!life.isAlive) return never()
    if (fault === 'dies after') {
      this.kill(false, life)
      return never()
    }
    if (!isOnLevel && fault === 'stored') throw new AetherisError('COMMIT_UNKNOWN', 'EIO, but all of it is there.')
    await life.wait(this.kernel.between(0, 1))
    return result
  }

  observed(): Checker {
    return this.checker
  }
}

/** The store as one life sees it. */
class LifeStore implements JobStore {
  readonly caps: JobStore['caps']
  private readonly life: Life
  private readonly inner: JobStore
  private readonly machine: Machine

  constructor(life: Life, inner: JobStore, machine: Machine) {
    this.caps = inner.caps
    this.life = life
    this.inner = inner
    this.machine = machine
  }

  async open(): Promise<OpenReport> {
    const report = await this.ask(() => this.inner.open())
    await this.machine.observed().recovered(this.inner)
    return report
  }

  async close(): Promise<void> {
    if (this.life.isAlive) await this.inner.close()
  }

  async commit(commit: Commit): Promise<Committed> {
    const checker = this.machine.observed()
    const committed = await this.machine.write(this.life, 'commit', async () => {
      const result = await this.inner.commit(commit)
      await checker.stored(commit, this.inner)
      return result
    })
    checker.acked(commit.lease.jobId, committed.seq)
    return committed
  }

  claim(jobId: string): Promise<JobRow> {
    return this.machine.write(this.life, 'claim', async () => {
      const row = await this.inner.claim(jobId)
      this.machine.observed().claimed(row)
      return row
    })
  }

  send(message: InboxMessage): Promise<boolean> {
    this.machine.observed().sending(message)
    return this.machine.write(this.life, 'message', async () => {
      const isNew = await this.inner.send(message)
      this.machine.observed().sent(message, isNew)
      return isNew
    })
  }

  get(jobId: string): ReturnType<JobStore['get']> {
    return this.ask(() => this.inner.get(jobId))
  }

  list(query?: Parameters<JobStore['list']>[0]): ReturnType<JobStore['list']> {
    return this.inner.list(query)
  }

  read(...args: Parameters<JobStore['read']>): ReturnType<JobStore['read']> {
    return this.inner.read(...args)
  }

  snapshot(...args: Parameters<JobStore['snapshot']>): ReturnType<JobStore['snapshot']> {
    return this.ask(() => this.inner.snapshot(...args))
  }

  inbox(...args: Parameters<JobStore['inbox']>): ReturnType<JobStore['inbox']> {
    return this.ask(() => this.inner.inbox(...args))
  }

  dueTimers(...args: Parameters<JobStore['dueTimers']>): ReturnType<JobStore['dueTimers']> {
    return this.ask(() => this.inner.dueTimers(...args))
  }

  nextTimer(): ReturnType<JobStore['nextTimer']> {
    return this.ask(() => this.inner.nextTimer())
  }

  copies(jobId?: string): ReturnType<JobStore['copies']> {
    return this.inner.copies(jobId)
  }

  prune(...args: Parameters<JobStore['prune']>): Promise<void> {
    return this.machine.write(this.life, 'commit', () => this.inner.prune(...args))
  }

  verify(jobId?: string): ReturnType<JobStore['verify']> {
    return this.inner.verify(jobId)
  }

  /** A dead process hears no answer. */
  private async ask<T>(question: () => Promise<T>): Promise<T> {
    await this.life.wait(0)
    const answer = await question()
    await this.life.wait(0)
    return answer
  }
}
