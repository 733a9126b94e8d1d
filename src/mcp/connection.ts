import { AetherisError, RetryableError } from '../base/error.ts'
import { saying } from './failure.ts'
import { Session } from './session.ts'
import type { Endpoint, SessionRef } from './transport.ts'

/**
 * The connection to one server, over as many sessions as it takes: one that has ended is replaced when a call needs it.
 *
 * N1 One session is being begun at a time, whoever waits for it.
 * N2 After `close` no process of a server is left, also none that was replaced since it hung.
 * N3 A session that is given out has listed its tools, and again where the server said that they have changed.
 */

export interface ConnectionOptions {
  name: string
  endpoint: Endpoint
  connectTimeoutMs: number
  onLog: (line: string) => void
}

/** What a server said last, for the message that it could not be started. */
const linesKept = 10

export class Connection {
  private readonly options: ConnectionOptions
  private session: Session | undefined
  private opening: Promise<Session> | undefined
  private readonly ending = new Set<Promise<void>>()
  private said: string[] = []
  private isClosed = false

  constructor(options: ConnectionOptions) {
    this.options = options
  }

  /** A session that calls may go to. @throws AetherisError TOOLS_UNAVAILABLE */
  async open(): Promise<Session> {
    this.opening ??= this.next().finally(() => {
      this.opening = undefined
    })
    return await this.opening
  }

  /** The same, for a call that is surely not made where there is none. @throws RetryableError */
  async ready(): Promise<Session> {
    try {
      return await this.open()
    } catch (error) {
      throw new RetryableError(saying(error), { cause: error })
    }
  }

  /** Goes on with a session that another process has begun. */
  resume(ref: SessionRef): Promise<Session> {
    const { endpoint, connectTimeoutMs } = this.options
    return Session.resume(endpoint, connectTimeoutMs, ref)
  }

  /** It is of no more use: the next call begins another one. */
  drop(session: Session): void {
    if (this.session === session) this.session = undefined
    const ending: Promise<void> = session.end().finally(() => this.ending.delete(ending))
    this.ending.add(ending)
  }

  async close(): Promise<void> {
    this.isClosed = true
    await this.opening?.catch(() => {})
    await Promise.all([this.session?.end(), ...this.ending])
  }

  private async next(): Promise<Session> {
    const { endpoint, connectTimeoutMs } = this.options
    try {
      if (this.isClosed) throw new Error('It was closed.')
      if (await this.session?.isUsable()) return this.session as Session
      if (this.session !== undefined) this.drop(this.session)
      this.said = []
      this.session = await Session.begin(endpoint, connectTimeoutMs, (line) => this.log(line))
      return this.session
    } catch (error) {
      throw this.unavailable(saying(error))
    }
  }

  private log(line: string): void {
    this.said = [...this.said, line].slice(-linesKept)
    this.options.onLog(line)
  }

  private unavailable(why: string): AetherisError {
    const message = `The tools of server "${this.options.name}" cannot be had: ${why}`
    const said = this.said.filter((line) => line !== '').join('\n')
    return new AetherisError('TOOLS_UNAVAILABLE', said === '' ? message : `${message}\nThe server said:\n${said}`)
  }
}
