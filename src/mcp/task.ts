import { type CallToolResult, ProtocolError, ProtocolErrorCode, specTypeSchemas } from '@modelcontextprotocol/client'
import { z } from 'zod'
import type { EffectClass } from '../event/event.ts'
import type { Connection } from './connection.ts'
import { fateOf } from './failure.ts'
import type { Session } from './session.ts'

/** A call that a server runs as a task, which is known there by an id. */

const taskId = z.string().min(1).max(1_024)

/** What the history keeps of it. A server over HTTP may know its tasks only in the session that they were begun in. */
export const taskRefSchema = z.object({
  taskId,
  session: z.object({ id: z.string(), version: z.string().optional() }).optional(),
})
export type TaskRef = z.infer<typeof taskRefSchema>

const stateSchema = z.looseObject({
  taskId,
  status: z.enum(['working', 'input_required', 'completed', 'failed', 'cancelled']),
  statusMessage: z.string().optional(),
  pollInterval: z.number().optional(),
})
export type TaskState = z.infer<typeof stateSchema>

/** The answer to a call that is to go on as a task: a server may answer it at once all the same. */
export const createdSchema = z.looseObject({ task: stateSchema.optional() })

/** How long a server is asked to keep a task and its result: long enough for us to come back. It may keep it shorter. */
export const taskTtlMs = 24 * 3_600_000

export interface TaskHost {
  readonly connection: Connection
  readonly effect: EffectClass
  /** For the answer to one question about it. */
  readonly timeoutMs: number
}

/** What can be asked about a task. All of it may be asked again. */
export class Task {
  readonly ref: TaskRef
  private readonly host: TaskHost
  private bound: Promise<Session> | undefined

  constructor(ref: TaskRef, host: TaskHost) {
    this.ref = ref
    this.host = host
  }

  async state(): Promise<TaskState> {
    const { client } = await this.session()
    return await client.request(this.about('tasks/get'), stateSchema, this.patience)
  }

  async result(): Promise<CallToolResult> {
    const { client } = await this.session()
    return await client.request(this.about('tasks/result'), specTypeSchemas.CallToolResult, this.patience)
  }

  /** Asks the server to stop it; gives its state then, or undefined where there is no knowing. */
  async cancel(): Promise<TaskState | undefined> {
    try {
      const { client } = await this.session()
      return await client.request(this.about('tasks/cancel'), stateSchema, this.patience)
    } catch {
      return await this.state().catch(() => undefined)
    }
  }

  /** Whether an error says that the server does not know the task, and never will again. */
  isGone(error: unknown): boolean {
    const isBound = this.ref.session !== undefined
    const fate = fateOf(error, isBound)
    if (fate === 'refused' || (fate === 'stale' && isBound)) return true
    return error instanceof ProtocolError && error.code === ProtocolErrorCode.InvalidParams
  }

  release(): void {
    void this.bound?.then((session) => session.end()).catch(() => {})
  }

  private get patience() {
    return { timeout: this.host.timeoutMs }
  }

  private about(method: string) {
    return { method, params: { taskId: this.ref.taskId } }
  }

  private session(): Promise<Session> {
    const { connection } = this.host
    if (this.ref.session === undefined) return connection.open()
    this.bound ??= connection.resume(this.ref.session)
    return this.bound
  }
}
