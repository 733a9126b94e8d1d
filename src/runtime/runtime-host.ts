import type { AnyAgent } from '../agent/agent.ts'
import type { AnySignal } from '../agent/signal.ts'
import type { Clock } from '../base/clock.ts'
import { AetherisError } from '../base/error.ts'
import { type Json, toJson } from '../base/json.ts'
import { newId, type Random } from '../base/random.ts'
import { type Command, type CommandBody, type CommandKind, parseCommand } from '../event/command.ts'
import type { JobEvent } from '../event/event.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import { type JobStore, keyPart } from '../store/store.ts'
import { checkSignal } from './admission.ts'
import { decide, fitting, isAbout } from './commands.ts'
import type { HandleHost, JobHandle, SendOptions } from './job-handle.ts'
import { untilKnown } from './patience.ts'
import type { Roster } from './roster.ts'
import type { TextPiece } from './stream.ts'

interface Parts {
  store: JobStore
  clock: Clock
  random: Random
  roster: Roster
}

/** What the handles of jobs ask of their runtime: to send something to a job, and to read of it. */
export class RuntimeHost implements HandleHost {
  closed = false
  private readonly store: JobStore
  private readonly clock: Clock
  private readonly random: Random
  private readonly roster: Roster

  constructor({ store, clock, random, roster }: Parts) {
    this.store = store
    this.clock = clock
    this.random = random
    this.roster = roster
  }

  checkOpen(): void {
    if (this.closed) throw new AetherisError('RUNTIME_CLOSED', 'The runtime was closed; open it again.')
  }

  async signal(
    jobId: string,
    agent: AnyAgent,
    signal: AnySignal | string,
    payload: unknown,
    options: SendOptions,
  ): Promise<void> {
    this.checkOpen()
    const name = typeof signal === 'string' ? signal : signal.name
    await this.send(jobId, 'signal', { name, payload: checkSignal(agent, name, payload) }, options.id)
  }

  async command<K extends CommandKind>(handle: JobHandle, kind: K, body: CommandBody<K>, id?: string): Promise<void> {
    this.checkOpen()
    const command = parseCommand(kind, toJson(body, `The command ${kind}`, 'INPUT_INVALID'))
    const job = handle.getSnapshot()
    const canGoOn = kind === 'retry' || kind === 'restart'
    if (job.status !== 'active' && !canGoOn) throw settled(job)
    const decision = fitting(decide(command, job, ''), handle.agent, job)
    if (decision.type === 'refuse') {
      if (id !== undefined && (await this.wasDone(handle, command))) return
      throw new AetherisError('COMMAND_REFUSED', decision.why, { jobId: handle.id })
    }
    // The inbox of a job that has ended is closed.
    if (job.status !== 'active') await this.deliver(handle.id, command)
    else await this.send(handle.id, kind, command.body as unknown as Json, id)
  }

  /** Whether somebody has decided the same before: to say it again is harmless. */
  private async wasDone(handle: JobHandle, { kind, body }: Command): Promise<boolean> {
    if (kind !== 'decide' && kind !== 'resolve') return false
    for await (const { type, data } of handle.events()) {
      if (
        kind === 'decide' &&
        type === 'approval.decided' &&
        data.option === body.option &&
        isAbout(data.effect, body.effect)
      )
        return true
      if (
        kind === 'resolve' &&
        type === 'node.resolved' &&
        data.as === body.as.type &&
        isAbout(data.effect, body.effect)
      )
        return true
    }
    return false
  }

  private deliver(jobId: string, command: Command): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error?: AetherisError) => (error === undefined ? resolve() : reject(error))
      this.roster.wake(jobId, { type: 'command', command, done })
    })
  }

  read(jobId: string, from: number): AsyncIterable<JobEvent[]> {
    return this.store.read(jobId, { from })
  }

  textsOf(jobId: string): readonly TextPiece[] {
    return this.roster.textsOf(jobId)
  }

  async unread(jobId: string): Promise<number> {
    return (await this.store.inbox(jobId)).length
  }

  private async send(jobId: string, kind: string, body: Json, id?: string): Promise<void> {
    const now = this.clock.now()
    const message = id ?? newId(now, this.random)
    if (!keyPart.test(message)) {
      const why = `The message id ${JSON.stringify(message)} is not valid: ${keyPart.source}.`
      throw new AetherisError('INPUT_INVALID', why)
    }
    await this.write((store) => store.send({ jobId, id: message, at: now, kind, body }))
    // Also where it was there already: whoever sent it may have died before anybody was told.
    this.roster.wake(jobId, { type: 'inbox' })
  }

  /** Where it cannot be told whether a write took effect, it is found out. */
  write<T>(write: (store: JobStore) => Promise<T>): Promise<T> {
    return untilKnown(
      this.clock,
      () => this.closed,
      () => write(this.store),
    )
  }
}

function settled({ jobId, phase }: JobSnapshot): AetherisError {
  return new AetherisError('JOB_SETTLED', `Job "${jobId}" is ${phase} and takes no further input.`, { jobId })
}
