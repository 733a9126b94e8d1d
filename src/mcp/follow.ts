import type { CallToolResult } from '@modelcontextprotocol/client'
import type { ToolContext } from '../agent/tool.ts'
import { isAetherisError, OutcomeUnknownError, RetryableError, TerminalError } from '../base/error.ts'
import { saying, unusable } from './failure.ts'
import { Task, type TaskHost, type TaskRef, type TaskState } from './task.ts'
import { orAborted, pause } from './waiting.ts'

/** Waits for a task until it has ended: in the process that began it, or in the one that comes after. */

type Context = Pick<ToolContext, 'abortSignal' | 'progress'>

/** Where the server does not say how often it wants to be asked, and the bounds of what it may say. */
const [intervalMs, intervalMsMin, intervalMsMax] = [1_000, 100, 60_000]

/** Questions in a row that are not answered: over about three minutes. */
const failuresMax = 10

/** The server does not know the task any more, as when it was started again. The call may be made anew. */
export class TaskGoneError extends RetryableError {
  override readonly name = 'TaskGoneError'
}

/** What the call has given. @throws OutcomeUnknownError, TerminalError, TaskGoneError where the server does not say */
export async function follow(ref: TaskRef, host: TaskHost, context: Context): Promise<CallToolResult> {
  const task = new Task(ref, host)
  try {
    return await ended(task, host, context)
  } catch (error) {
    const { abortSignal } = context
    if (!abortSignal.aborted || error !== abortSignal.reason) throw error
    return await calledOff(task, error)
  } finally {
    task.release()
  }
}

async function ended(task: Task, host: TaskHost, context: Context): Promise<CallToolResult> {
  let reported = ''
  for (;;) {
    const state = await persistently(task, host, context, () => task.state())
    const { status, statusMessage, pollInterval = intervalMs } = state
    const progress = { status, ...(statusMessage === undefined ? {} : { message: statusMessage }) }
    if (JSON.stringify(progress) !== reported) context.progress(progress)
    reported = JSON.stringify(progress)
    if (status === 'input_required') throw await withoutInput(task, host, state)
    if (status === 'cancelled') throw new TerminalError(`The task was cancelled at its server. ${statusMessage ?? ''}`)
    if (status !== 'working') return await persistently(task, host, context, () => task.result())
    await pause(Math.min(Math.max(pollInterval, intervalMsMin), intervalMsMax), context.abortSignal)
  }
}

/** Asking has no effect, so it is done again where there is no answer. */
async function persistently<T>(task: Task, { effect }: TaskHost, { abortSignal }: Context, ask: () => Promise<T>) {
  for (let failures = 1; ; failures += 1) {
    try {
      return await orAborted(ask(), abortSignal)
    } catch (error) {
      if (abortSignal.aborted) throw abortSignal.reason
      const message = `What has become of task ${task.ref.taskId} cannot be found out: ${saying(error)}`
      if (task.isGone(error)) throw effect === 'once' ? new OutcomeUnknownError(message) : new TaskGoneError(message)
      if (failures === failuresMax) throw new OutcomeUnknownError(message)
      await pause(Math.min(500 * 2 ** failures, 30_000), abortSignal)
    }
  }
}

async function withoutInput(task: Task, { effect }: TaskHost, { statusMessage = '' }: TaskState): Promise<Error> {
  await task.cancel()
  return unusable(effect, `The task asks for input, which is not offered. ${statusMessage}`)
}

/** The job may not want it any more, or another attempt will ask about it. */
async function calledOff(task: Task, reason: unknown): Promise<CallToolResult> {
  // Reasons of the runtime itself: time ran out, it closes, another process has taken over. The task goes on.
  if (isAetherisError(reason)) throw reason
  const state = await task.cancel()
  if (state?.status === 'cancelled') throw reason
  if (state?.status === 'completed') return await task.result()
  const message = `Task ${task.ref.taskId} was called off, and its server does not say what has become of it.`
  throw new OutcomeUnknownError(message)
}
