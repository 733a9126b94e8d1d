import type { InertLogic, RequestKind } from '../../machines/inert.ts'
import type { Json } from '../base/json.ts'
import type { EffectClass } from '../event/event.ts'
import type { RetryPolicy } from '../graph/graph.ts'

/**
 * Where a pending effect stands.
 * requested: the machine wants it, nothing was done. started: an attempt is under way, or was when its process died.
 * backoff: an attempt failed and a retry timer runs. ready: the retry is due. interrupted: its process died, and it may
 * be performed again. waiting, sleeping: for a signal, a
 * timer. unknown: an attempt of a `once` effect has no recorded outcome. answered: its outcome is about to be recorded.
 */
export type EffectStatus =
  | 'requested'
  | 'started'
  | 'backoff'
  | 'ready'
  | 'interrupted'
  | 'waiting'
  | 'sleeping'
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
  /** For a call: `{ tool, input, retry?, timeoutMs? }`. For a wait: `{ signal, timeoutMs? }`. */
  readonly input: unknown
  /** What stands for it in the machine; for a promise actor it knows what to perform. */
  readonly logic: InertLogic
  status: EffectStatus
  /** The attempt under way or made last; 0 before the first. */
  attempt: number
  /** Attempts that failed; attempts that were cut off by a crash do not count against the retry policy. */
  failures: number
  /** seq of the event that a coming outcome is due to. */
  cause: number
  /** Declared when it was started. */
  class?: EffectClass
}

export interface CallInput {
  tool: string
  input: Json
  retry?: RetryPolicy
  timeoutMs?: number
}

export interface WaitInput {
  signal: string
  timeoutMs?: number
}

export interface Timer {
  readonly id: string
  readonly effect: string
  readonly purpose: 'sleep' | 'timeout' | 'retry'
  /** Epoch milliseconds. */
  readonly dueAt: number
}

/** A signal that no wait has taken yet. */
export interface BufferedSignal {
  name: string
  payload: Json
  seq: number
}
