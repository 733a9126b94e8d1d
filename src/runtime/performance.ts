import { prettifyError, type z } from 'zod'
import type { AnyAgent } from '../agent/agent.ts'
import type { PlanRequest } from '../agent/planner.ts'
import type { Reconciled, ToolContext } from '../agent/tool.ts'
import {
  AetherisError,
  type ErrorData,
  OutcomeUnknownError,
  RetryableError,
  TerminalError,
  toErrorData,
} from '../base/error.ts'
import type { Json } from '../base/json.ts'
import type { ApprovalPolicy } from '../event/approval.ts'
import type { EffectClass } from '../event/event.ts'
import type { RetryPolicy, TaskGraph } from '../graph/graph.ts'
import type { SpawnInput } from '../replay/effect.ts'

/** What performing an effect is, whatever kind it has, and what comes of it. */

/** What became of one attempt. */
export type AttemptResult =
  | { type: 'done'; output: Json }
  | { type: 'planned'; graph: TaskGraph }
  /** What the planner answered is no plan. */
  | { type: 'rejected'; answer: string; error: AetherisError; answersMax: number }
  /** The job that it was to start exists. */
  | { type: 'spawned'; jobId: string; onParentEnd: SpawnInput['onParentEnd'] }
  | { type: 'failed'; error: ErrorData; retryable: boolean; retryAfterMs?: number }
  /** The attempt ran out of time, or lost its connection; whether it took effect is not known. */
  | { type: 'unknown'; reason: 'timeout' | 'lost'; error: ErrorData }
  /** It stopped since it was asked to, and has done nothing. */
  | { type: 'stopped' }
  /** It was called off, and nobody waits for what it gives. */
  | { type: 'dropped' }

/** How an effect is to be performed: taken from its tool, its planner, or the policy of its promise actor. */
export interface Performance {
  /** The tool, planner or actor source, for people. */
  name: string
  class: EffectClass
  retry: RetryPolicy
  timeoutMs: number | undefined
  heartbeatMs: number | undefined
  /** What it is given, as the history keeps it. */
  input: Json
  /** What somebody has to agree to first. @throws whatever the tool's own condition throws. */
  approval(): ApprovalPolicy | undefined
  /** `task`: what the call is known as elsewhere, where an attempt before has submitted it. */
  run(context: ToolContext, task: Json | undefined): Promise<AttemptResult>
  /** It can go on with a call that was submitted. */
  polls: boolean
  /** Asks how a call ended whose outcome was lost. May throw. */
  reconcile:
    | ((
        context: Pick<ToolContext, 'jobId' | 'effect' | 'attempt' | 'idempotencyKey' | 'abortSignal'>,
      ) => Promise<Reconciled<Json>>)
    | undefined
}

/** What planners and spawns need of the job that they are for. */
export interface PerformanceHost {
  jobInput: Json
  previousPlan(): PlanRequest['previous']
  /** Starts a job of `agent`, or finds it started. Gives its id. */
  spawn(agent: AnyAgent, input: unknown, effect: string): Promise<string>
}

/** What most performances have. */
export const plain = {
  class: 'read' as EffectClass,
  retry: {} as RetryPolicy,
  timeoutMs: undefined,
  heartbeatMs: undefined,
  approval: () => undefined,
  reconcile: undefined,
  polls: false,
}

/** A performance that cannot be given fails, as a tool would, so that the history says why. */
export function failing(name: string, input: Json, error: unknown): Performance {
  return { ...plain, name, input, run: async () => failed(error, false) }
}

/** What a thrown value means. */
export function failureOf(thrown: unknown): AttemptResult {
  if (thrown instanceof OutcomeUnknownError) return { type: 'unknown', reason: 'lost', error: toErrorData(thrown) }
  if (thrown instanceof TerminalError || thrown instanceof AetherisError) return failed(thrown, false)
  const after = thrown instanceof RetryableError ? thrown.retryAfterMs : undefined
  return { ...failed(thrown, true), ...(after === undefined ? {} : { retryAfterMs: after }) }
}

/** An attempt that surely did nothing that counts. */
export function failed(thrown: unknown, retryable: boolean): Extract<AttemptResult, { type: 'failed' }> {
  return { type: 'failed', error: toErrorData(thrown), retryable }
}

export function schemaError(code: 'INPUT_INVALID' | 'OUTPUT_INVALID', what: string, error: z.ZodError): AetherisError {
  return new AetherisError(code, `${what} does not match its schema: ${prettifyError(error)}`)
}
