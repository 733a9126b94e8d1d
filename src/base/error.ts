/**
 * Every error that Aetheris raises on purpose, as one class with a stable code.
 *
 * Codes never change meaning between major versions; messages may. A message says what happened, what was
 * expected and what to do.
 */

/** The codes, each with the sentence that docs/errors.md starts from. */
export const errorCodes = {
  ACCESS_REFUSED: 'A request over HTTP has no valid token, or comes from where none may come from.',
  AGENT_INVALID: 'An agent, tool or signal was defined wrongly.',
  AGENT_UNKNOWN: 'A job names an agent that this runtime was not given.',
  APPROVAL_DENIED: 'A call was not made, since somebody refused it or nobody answered in time.',
  CALL_CONFLICT: 'A call from outside has a key that another call was made under.',
  CALL_SETTLED: 'The call of an external agent is over, so nothing more is called for it.',
  COMMAND_REFUSED: 'A command makes no sense in the state that the job is in.',
  COMMIT_CONFLICT: 'The job has moved on since it was read. Surely not stored.',
  COMMIT_UNKNOWN: 'A write failed half-way: it may or may not be stored. Read back before going on.',
  COMPENSATION_FAILED: 'A job has ended, but not everything that it had done could be undone.',
  EVENT_INVALID: 'An event does not match the schema of its type, or is of no known type.',
  INPUT_INVALID: 'A value given from outside does not match its schema.',
  JOB_CANCELLED: 'The job was cancelled, so it has no result.',
  JOB_EXISTS: 'Another job already has this id.',
  JOB_FAILED: 'The job failed, so it has no result.',
  JOB_NOT_FOUND: 'No job has this id.',
  JOB_PRUNED: 'There was a job of this id, which is deleted; the id is never used again.',
  JOB_SETTLED: 'The job has ended and takes no further input.',
  LEASE_FENCED: 'Another owner has claimed the job since. Surely not stored.',
  LIMIT_EXCEEDED: 'A value is larger than a documented bound.',
  MACHINE_IMPURE: 'A guard, assign or input function of a machine read the clock, randomness or the network.',
  MACHINE_UNSUPPORTED: 'A hand-written machine uses something that cannot be made durable.',
  OUTPUT_INVALID: 'A tool or an agent returned a value that does not match its schema or is not JSON.',
  PLAN_INVALID: 'A TaskGraph has problems; `issues` lists each with its path.',
  REPLAY_DIVERGED: 'Replaying a history gave something else than what was recorded.',
  REQUEST_INVALID: 'An HTTP request is not one that is served here: its path, method, type or body.',
  RUNTIME_CLOSED: 'The runtime was closed.',
  SIGNAL_INVALID: 'The payload of a signal does not match its schema.',
  SIGNAL_UNKNOWN: 'The agent does not know this signal.',
  STORE_BUSY: 'Too many writes are waiting. Surely not stored; try again later.',
  STORE_CLOSED: 'The store is not open.',
  STORE_CORRUPT: 'The data is damaged. The message names the job and the seq where that is known.',
  STORE_FAILED: 'The store stopped after a write error and is opening again. Surely not stored.',
  STORE_FORMAT: 'The data directory was written by another, unknown version, or is not a data directory.',
  STORE_IO: 'The disk or the operating system refused.',
  STORE_LOCKED: 'Another process, or in a browser another tab, has the data open.',
  TOOL_CHANGED: 'A server has changed or withdrawn a tool since it was listed. Surely not called.',
  TOOL_FAILED: 'A tool threw something that is not an Error.',
  TOOL_TIMEOUT: 'One attempt of a tool took longer than its timeout.',
  TOOL_UNKNOWN: 'No tool of this name may be called from outside.',
  TOOLS_UNAVAILABLE: 'A server does not start, answer or list its tools.',
} as const

export type ErrorCode = keyof typeof errorCodes

/** One problem in a plan or a value: where (JSON path of keys), which kind, and a sentence. */
export interface Issue {
  path: (string | number)[]
  code: string
  message: string
}

export interface ErrorDetails {
  cause?: unknown
  jobId?: string
  seq?: number
  issues?: Issue[]
  /** COMMIT_CONFLICT: the head that was found. LEASE_FENCED: the epoch that was found. */
  actual?: number
  /** STORE_LOCKED: the process that has the data directory open, where known. */
  pid?: number
}

const brand = Symbol.for('aetheris.error')

/** The one error class of Aetheris. Tell errors apart by {@link AetherisError.code}. */
export class AetherisError extends Error {
  override readonly name = 'AetherisError'
  readonly code: ErrorCode
  readonly jobId: string | undefined
  readonly seq: number | undefined
  readonly issues: readonly Issue[]
  readonly actual: number | undefined
  readonly pid: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.code = code
    this.jobId = details.jobId
    this.seq = details.seq
    this.issues = details.issues ?? []
    this.actual = details.actual
    this.pid = details.pid
    Object.defineProperty(this, brand, { value: true })
  }
}

/** Whether `error` is an {@link AetherisError}, of `code` if given. Works across copies of the package. */
export function isAetherisError(error: unknown, code?: ErrorCode): error is AetherisError {
  if (typeof error !== 'object' || error === null || !(brand in error)) return false
  return code === undefined || (error as unknown as AetherisError).code === code
}

/** Thrown by a tool or planner: do not try again. */
export class TerminalError extends Error {
  override readonly name: string = 'TerminalError'
}

/** Thrown by a tool or planner: try again, after `retryAfterMs` if given (else by the retry policy). */
export class RetryableError extends Error {
  override readonly name: string = 'RetryableError'
  readonly retryAfterMs: number | undefined
  constructor(message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.retryAfterMs = options.retryAfterMs
  }
}

/**
 * Thrown by a tool that cannot know whether its call took effect: the connection broke after the request was sent, the
 * answer never came. A `once` call is then not repeated by itself; others are, by their retry policy.
 */
export class OutcomeUnknownError extends Error {
  override readonly name: string = 'OutcomeUnknownError'
}

/** An error as it is kept in a history: plain data, bounded in size. */
export interface ErrorData {
  name: string
  message: string
  code?: string
}

const messageMax = 4096

/** Turns whatever was thrown into {@link ErrorData}; never throws itself, not even for hostile values. */
export function toErrorData(thrown: unknown): ErrorData {
  try {
    if (thrown instanceof Error) {
      const code = (thrown as { code?: unknown }).code
      return {
        name: clip(String(thrown.name)),
        message: clip(String(thrown.message)),
        ...(typeof code === 'string' ? { code: clip(code) } : {}),
      }
    }
    if (isErrorData(thrown)) return { ...thrown, message: clip(thrown.message) }
    return { name: 'Error', code: 'TOOL_FAILED', message: `Thrown was no Error but: ${clip(String(thrown))}` }
  } catch {
    return { name: 'Error', code: 'TOOL_FAILED', message: 'Thrown was a value that cannot be described.' }
  }
}

/** An Error made from stored {@link ErrorData}, to be thrown to a caller. */
export function fromErrorData(data: ErrorData): Error {
  const error = new Error(data.message)
  error.name = data.name
  return data.code === undefined ? error : Object.assign(error, { code: data.code })
}

function isErrorData(value: unknown): value is ErrorData {
  if (typeof value !== 'object' || value === null) return false
  const { name, message } = value as Partial<ErrorData>
  return typeof name === 'string' && typeof message === 'string'
}

/** Cuts at a whole character and mends lone surrogates, so that the text is always valid UTF-8. */
function clip(text: string): string {
  return text.slice(0, messageMax).toWellFormed()
}

/** A bug in Aetheris itself: a condition that the code relies on does not hold. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** Throws {@link InvariantError} unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
