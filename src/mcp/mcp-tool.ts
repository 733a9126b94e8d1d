import { type CallToolResult, type RequestOptions, SdkError, SdkErrorCode } from '@modelcontextprotocol/client'
import type { z } from 'zod'
import { type Tool, type ToolContext, type ToolOrigin, tool } from '../agent/tool.ts'
import { AetherisError, OutcomeUnknownError, RetryableError, TerminalError } from '../base/error.ts'
import type { JsonObject } from '../base/json.ts'
import type { EffectClass } from '../event/event.ts'
import type { RetryPolicy } from '../graph/graph.ts'
import type { Connection } from './connection.ts'
import type { Definition } from './definition.ts'
import { fateOf, saying } from './failure.ts'
import { follow, TaskGoneError } from './follow.ts'
import { type McpResult, resultOf, resultSchema } from './result.ts'
import { fromServer } from './schema.ts'
import type { Session } from './session.ts'
import { createdSchema, Task, type TaskRef, taskRefSchema, taskTtlMs } from './task.ts'
import { orAborted, type Turns } from './waiting.ts'

/** A tool of an MCP server. It takes what the server's schema says, and gives what the server answers. */
// biome-ignore lint/suspicious/noExplicitAny: what it takes is known when the server has said so.
export type McpTool = Tool<z.ZodType<JsonObject, Record<string, any>>, z.ZodType<McpResult, McpResult>>

export interface McpToolParts {
  name: string
  /** As the server listed it. It is not called where it has become another one. */
  definition: Definition
  effect: EffectClass
  needsApproval: boolean
  retry: RetryPolicy
  /** For an answer, from when the request is sent. */
  timeoutMs: number
  origin: ToolOrigin
  connection: Connection
  /** Of all calls of the server that change something. */
  turns: Turns
  /** Whether its calls go on as tasks. */
  isTask: boolean
}

export function mcpTool(parts: McpToolParts): McpTool {
  const { name, definition, effect, needsApproval, retry, origin, isTask } = parts
  const output = resultSchema(definition.output)
  const calls = new Calls(parts, output)
  return tool({
    ...{ name, effect, retry, origin, output },
    input: fromServer<JsonObject>(definition.input),
    ...(definition.description === undefined ? {} : { description: definition.description }),
    ...(needsApproval ? { approval: 'always' as const } : {}),
    run: (input, context) => calls.run(input, context),
    ...(isTask ? { poll: (task, input, context) => calls.poll(taskRefSchema.parse(task), input, context) } : {}),
  })
}

/** A request that calls the tool, made over a session. */
type Request<T> = (session: Session, options: RequestOptions) => Promise<T>

class Calls {
  private readonly parts: McpToolParts
  private readonly output: z.ZodType<McpResult>

  constructor(parts: McpToolParts, output: z.ZodType<McpResult>) {
    this.parts = parts
    this.output = output
  }

  async run(input: JsonObject, context: ToolContext): Promise<McpResult> {
    const made = await this.inTurn(context, () => this.send(context, this.requestOf(input)))
    if ('result' in made) return resultOf(made.result, this.parts.effect, this.output)
    try {
      await context.submitted({ ...made.task })
    } catch (error) {
      const task = new Task(made.task, this.parts)
      void task.cancel().then(() => task.release())
      throw error
    }
    return await this.follow(made.task, context)
  }

  /** An attempt after the one that has begun the task. */
  async poll(task: TaskRef, input: JsonObject, context: ToolContext): Promise<McpResult> {
    try {
      return await this.follow(task, context)
    } catch (error) {
      if (error instanceof TaskGoneError) return await this.run(input, context)
      throw error
    }
  }

  private async follow(task: TaskRef, context: ToolContext): Promise<McpResult> {
    return resultOf(await follow(task, this.parts, context), this.parts.effect, this.output)
  }

  /** Calls that only read go side by side. Others might lose what each other have changed. */
  private inTurn<T>({ abortSignal }: ToolContext, body: () => Promise<T>): Promise<T> {
    return this.parts.effect === 'read' ? body() : this.parts.turns.inTurn(abortSignal, body)
  }

  private requestOf(input: JsonObject): Request<{ result: CallToolResult } | { task: TaskRef }> {
    const { definition, isTask } = this.parts
    const call = { name: definition.name, arguments: input }
    if (!isTask) {
      // Given the definition, the SDK sends no request but this one, and leaves the checking of its answer to us.
      const toolDefinition = { name: call.name, inputSchema: definition.input as { type: 'object' } }
      return async ({ client }, options) => ({ result: await client.callTool(call, { ...options, toolDefinition }) })
    }
    const request = { method: 'tools/call', params: { ...call, task: { ttl: taskTtlMs } } }
    return async ({ client, ref: session }, options) => {
      const answer = await client.request(request, createdSchema, options)
      if (answer.task === undefined) return { result: answer as unknown as CallToolResult }
      return { task: { taskId: answer.task.taskId, ...(session === undefined ? {} : { session }) } }
    }
  }

  /** Over another session where the one that there is turns out to be over. */
  private async send<T>(context: ToolContext, request: Request<T>, isAgain = false): Promise<T> {
    const { connection, timeoutMs: timeout } = this.parts
    const { abortSignal: signal } = context
    const session = await orAborted(connection.ready(), signal)
    this.checkStill(session)
    try {
      return await request(session, { signal, timeout, onprogress: (progress) => context.progress({ ...progress }) })
    } catch (error) {
      const fate = fateOf(error, session.ref !== undefined)
      if (fate === 'stale') connection.drop(session)
      if (fate === 'stale' && !isAgain && !signal.aborted) return await this.send(context, request, true)
      if (error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout) session.doubt()
      throw this.failure(error, fate, signal)
    }
  }

  /** Nothing is called that is not what was asked for. */
  private checkStill(session: Session): void {
    const { definition, origin } = this.parts
    const now = session.definitions.get(definition.name)
    if (now !== undefined && 'digest' in now && now.digest === definition.digest) return
    const what = now === undefined ? 'no longer has' : 'has changed the description, the schemas or the hints of'
    const message = `Server "${origin.server}" ${what} the tool "${definition.name}" since it was listed, so it was not called. Open the server anew to see its tools as they are.`
    throw new AetherisError('TOOL_CHANGED', message)
  }

  private failure(error: unknown, fate: ReturnType<typeof fateOf>, abortSignal: AbortSignal): Error {
    const message = `Server "${this.parts.origin.server}": ${saying(error)}`
    const isHarmless = fate !== 'unknown' || this.parts.effect === 'read'
    if (abortSignal.aborted && isHarmless) return abortSignal.reason
    if (abortSignal.aborted)
      return new OutcomeUnknownError(`${message} The call was called off while it was under way.`)
    if (fate === 'refused') return new TerminalError(message)
    return fate === 'unknown' ? new OutcomeUnknownError(message) : new RetryableError(message)
  }
}
