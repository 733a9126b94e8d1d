import type { ActorLogic, AnyActorLogic, AnyActorRef, EventObject, NonReducibleUnknown, Snapshot } from 'xstate'
import type { EndedError } from './outcome.ts'

/**
 * Actors that do nothing.
 *
 * An `invoke` in a job's machine requests an effect; the actor behind it only stands for the request until the
 * runtime, having performed it, tells it the outcome. So the children of a snapshot are the pending effects, as
 * data, on a live actor and after a restore alike, and XState itself tells the parent when one is done.
 */

/** What an inert actor asks the runtime for. */
export type RequestKind = 'call' | 'promise' | 'wait' | 'sleep' | 'spawn' | 'plan'

export type InertSnapshot = Snapshot<unknown> & { input: unknown }

/** How the runtime ends an inert actor. */
export type Outcome = { type: 'aetheris.done'; output: unknown } | { type: 'aetheris.error'; error: EndedError }

export interface InertLogic extends ActorLogic<InertSnapshot, EventObject, NonReducibleUnknown> {
  readonly requests: RequestKind
  /** For `promise`: the author's logic, which the runtime performs in a throw-away actor. */
  readonly performs: AnyActorLogic | undefined
  /** The name of that logic in its machine, where it has one. */
  readonly source: string | undefined
  /** For a `call` of one tool alone: that tool. */
  readonly tool?: { readonly name: string }
}

/** Logic that asks for `kind` and waits for its {@link Outcome}. */
export function inert(kind: RequestKind, performs?: AnyActorLogic, source?: string): InertLogic {
  return {
    requests: kind,
    performs,
    source,
    getInitialSnapshot: (_, input) => ({ status: 'active', output: undefined, error: undefined, input }),
    transition(snapshot, event) {
      const outcome = event as Outcome
      if (outcome.type === 'aetheris.done') {
        return { status: 'done', output: outcome.output, error: undefined, input: undefined }
      }
      if (outcome.type === 'aetheris.error') {
        return { status: 'error', output: undefined, error: outcome.error, input: undefined }
      }
      return snapshot
    },
    // What is done has told its parent, which keeps the output where it is of use.
    getPersistedSnapshot: (snapshot) => (snapshot.status === 'done' ? { ...snapshot, output: undefined } : snapshot),
    restoreSnapshot: (snapshot) => snapshot as InertSnapshot,
  }
}

/** The inert logic behind an actor, or undefined where the actor is a machine or a reducer. */
export function inertLogicOf(ref: AnyActorRef): InertLogic | undefined {
  const logic = (ref as { logic?: unknown }).logic
  return typeof logic === 'object' && logic !== null && 'requests' in logic ? (logic as InertLogic) : undefined
}
