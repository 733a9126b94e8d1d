import type { InertLogic, RequestKind } from '../../machines/inert.ts'
import type { ErrorData, Issue } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import type { CallRequest, SpawnRequest } from '../compile/hydrate.ts'
import type { ApprovalPolicy } from '../event/approval.ts'
import type { EffectClass, TimerPurpose } from '../event/event.ts'

/**
 * Where a pending effect stands.
 * requested: the machine wants it, nothing was done. approving: somebody has to agree first. started: an attempt is
 * under way, or was when its process died. backoff: an attempt failed and a retry timer runs. ready: the next attempt
 * is due. interrupted: its process died, and it may be performed again. waiting, sleeping, awaiting: for a signal, a
 * timer, another job. unknown: an attempt of a `once` effect has no recorded outcome. answered: its outcome is about
 * to be recorded.
 */
export type EffectStatus =
  | 'requested'
  | 'approving'
  | 'started'
  | 'backoff'
  | 'ready'
  | 'interrupted'
  | 'waiting'
  | 'sleeping'
  | 'awaiting'
  | 'unknown'
  | 'answered'

export type EffectKind = RequestKind

/** Something that a job's machine has asked for and that has no outcome yet. */
export interface Effect {
  /** Unique in the job: the path, and `#2`, `#3` … when the machine asks at the same place again. */
  readonly id: string
  /** Node id, `node/item` in a map, or the path of the actor in a hand-written machine. */
  readonly path: string
  readonly kind: EffectKind
  /** By kind: a {@link CallRequest}, a {@link SpawnRequest}, a {@link WaitInput}, or what a promise actor is given. */
  readonly input: unknown
  /** What stands for it in the machine; for a promise actor it knows what to perform. */
  readonly logic: InertLogic
  status: EffectStatus
  /** When it came to stand there, in epoch milliseconds. */
  since: number
  /** The attempt under way or made last; 0 before the first. */
  attempt: number
  /** Attempts that failed; attempts that were cut off by a crash do not count against the retry policy. */
  failures: number
  /** seq of the event that a coming outcome is due to. */
  cause: number
  /** The part of the plan that asked is ending: no further attempt is made. */
  isHalted?: boolean
  /** Declared when it was started. */
  class?: EffectClass
  /** An attempt of the call may have taken effect without a word of it. */
  isUncertain?: boolean
  /** The tool can be asked how a call ended. */
  reconciles?: boolean
  /** It was asked, and could not say. */
  isReconciled?: boolean
  /** Why the next attempt is made, where not since the last one failed. */
  again?: 'resolved' | 'rejected'
  /** Answers of a planner to this request that were no plans. */
  rejected?: readonly Rejected[]
  approval?: Approval
  /** What the last attempt reported of itself. */
  progress?: Json
  /** What the call is known as elsewhere, where it was submitted. */
  task?: Json
  /** The job that it started. */
  childId?: string
}

/** An answer of a planner that is no plan, and why not. */
export interface Rejected {
  /** The begin of what it answered, as text. */
  answer: string
  issues: readonly Issue[]
}

/** What somebody is asked to agree to, and the answer once there is one. */
export interface Approval {
  tool: string
  input: Json
  /** Of the tool and its input. */
  digest: string
  policy: ApprovalPolicy
  /** Those who may answer as well by now. */
  escalatedTo?: string[]
  /** The option that was taken, where the verdict was to go on. */
  option?: string
  by?: string
}

export type CallInput = CallRequest
export type SpawnInput = SpawnRequest

export interface WaitInput {
  signal: string
  timeoutMs?: number
}

export interface PlanRequestInput {
  planner: string
  round: number
}

export interface Timer {
  readonly id: string
  /** Absent where it is the job's own. */
  readonly effect?: string
  readonly purpose: TimerPurpose
  /** Epoch milliseconds. */
  readonly dueAt: number
}

/** A signal that no wait has taken yet. */
export interface BufferedSignal {
  name: string
  payload: Json
  seq: number
}

/** The node of a plan that asks for an effect: `read` for `read/17`, `pay` for `pay#2`. */
export function nodeOf(effect: string): string {
  return effect.split(/[/#]/)[0] as string
}

/** Effects that something is still being done about, or that may have done something. */
const engaged: ReadonlySet<EffectStatus> = new Set<EffectStatus>(['started', 'unknown', 'awaiting', 'answered'])

/** Whether ending the part of the plan that asked for an effect has to wait for it. */
export function isEngaged({ status }: Effect): boolean {
  return engaged.has(status)
}

/** Whether a call that nobody waits for any more may have taken effect all the same. */
export function mayHaveHappened({ kind, status, class: effectClass, isUncertain = false }: Effect): boolean {
  if (kind !== 'call' || effectClass === 'read') return false
  return isUncertain || status === 'started' || status === 'interrupted'
}

/** What an attempt can end with that has done what it was to do: it was too slow, or what it returned is of no use. */
const openErrors: ReadonlySet<string | undefined> = new Set(['TOOL_TIMEOUT', 'OUTPUT_INVALID', 'LIMIT_EXCEEDED'])

/** Whether what was asked for, an attempt of which has failed with `error`, may have taken effect all the same. */
export function isUncertainAfter({ kind, class: effectClass, isUncertain = false }: Effect, error: ErrorData): boolean {
  // The job has completed, and only what it gave is of no use.
  if (kind === 'spawn') return error.code === 'OUTPUT_INVALID'
  if (kind !== 'call' || effectClass === 'read') return false
  return isUncertain || openErrors.has(error.code) || error.name === 'OutcomeUnknownError'
}

const performed: ReadonlySet<EffectKind> = new Set<EffectKind>(['call', 'promise', 'spawn', 'plan'])

/** Whether the next thing to happen to an effect is an attempt. */
export function isRunnable({ kind, status, isHalted }: Effect): boolean {
  if (!performed.has(kind) || isHalted) return false
  return status === 'requested' || status === 'ready' || status === 'interrupted'
}

/** Whether the tool of a call with an unknown outcome is to be asked how it ended. */
export function canReconcile({ status, reconciles, isReconciled }: Effect): boolean {
  return status === 'unknown' && reconciles === true && isReconciled !== true
}
