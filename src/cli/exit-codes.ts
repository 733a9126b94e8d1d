import { type ErrorCode, isAetherisError } from '../base/error.ts'

/** What the process says to whoever started it. Documented, so a number never changes its meaning. */
export const exit = {
  done: 0,
  failed: 1,
  usage: 2,
  cancelled: 3,
  waiting: 4,
  diverged: 5,
  damaged: 6,
  inUse: 7,
} as const

/** 128 and the number of the signal, as shells have it. */
export const interruptExit = { SIGINT: 130, SIGTERM: 143 } as const
export type Interrupt = keyof typeof interruptExit

/** The command line was used wrongly: the message says what was expected. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const byCode: Record<ErrorCode, number> = {
  ACCESS_REFUSED: exit.usage,
  AGENT_INVALID: exit.usage,
  AGENT_UNKNOWN: exit.usage,
  APPROVAL_DENIED: exit.failed,
  CALL_CONFLICT: exit.usage,
  CALL_SETTLED: exit.usage,
  COMMAND_REFUSED: exit.usage,
  COMMIT_CONFLICT: exit.failed,
  COMMIT_UNKNOWN: exit.failed,
  COMPENSATION_FAILED: exit.failed,
  EVENT_INVALID: exit.damaged,
  INPUT_INVALID: exit.usage,
  JOB_CANCELLED: exit.cancelled,
  JOB_EXISTS: exit.usage,
  JOB_FAILED: exit.failed,
  JOB_NOT_FOUND: exit.usage,
  JOB_PRUNED: exit.usage,
  JOB_SETTLED: exit.usage,
  LEASE_FENCED: exit.failed,
  LIMIT_EXCEEDED: exit.usage,
  MACHINE_IMPURE: exit.diverged,
  MACHINE_UNSUPPORTED: exit.usage,
  OUTPUT_INVALID: exit.failed,
  PLAN_INVALID: exit.usage,
  REPLAY_DIVERGED: exit.diverged,
  REQUEST_INVALID: exit.usage,
  RUNTIME_CLOSED: exit.failed,
  SIGNAL_INVALID: exit.usage,
  SIGNAL_UNKNOWN: exit.usage,
  STORE_BUSY: exit.failed,
  STORE_CLOSED: exit.failed,
  STORE_CORRUPT: exit.damaged,
  STORE_FAILED: exit.failed,
  STORE_FORMAT: exit.usage,
  STORE_IO: exit.failed,
  STORE_LOCKED: exit.inUse,
  TOOL_CHANGED: exit.failed,
  TOOL_FAILED: exit.failed,
  TOOL_TIMEOUT: exit.failed,
  TOOL_UNKNOWN: exit.usage,
  TOOLS_UNAVAILABLE: exit.failed,
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exit.usage
  return isAetherisError(error) ? (byCode[error.code] ?? exit.failed) : exit.failed
}
