import type { ActorLogic, AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate'
import { assert } from '../base/error.ts'

/**
 * The body of a job, as the job machine knows it: the machine of whichever job moves. So there is one job machine for
 * all programs, and a job that is given its plan goes on as it is.
 */

let moving: AnyStateMachine | undefined

/** Runs a step of a job that begins or restores `machine` as its body, where it comes to that. */
export function withBody<T>(machine: AnyStateMachine | undefined, step: () => T): T {
  const outer = moving
  moving = machine
  try {
    return step()
  } finally {
    moving = outer
  }
}

function bodyOfStep(): AnyStateMachine {
  assert(moving !== undefined, 'a job has a program when its body begins')
  return moving
}

// What a snapshot is of is known by itself; only a body that begins needs to be told. Casts: a machine's types are narrower.
export const jobBody: ActorLogic<AnyMachineSnapshot, EventObject, never> = {
  getInitialSnapshot: (scope, input) => bodyOfStep().getInitialSnapshot(scope as never, input),
  restoreSnapshot: (snapshot, scope) => bodyOfStep().restoreSnapshot(snapshot as never, scope as never),
  transition: (snapshot, event, scope) => snapshot.machine.transition(snapshot, event, scope as never),
  getPersistedSnapshot: (snapshot, options) => snapshot.machine.getPersistedSnapshot(snapshot, options),
  start: (snapshot) => snapshot.machine.start(snapshot),
}
