import type { AnyActorRef } from 'xstate'
import { type InertLogic, type InertSnapshot, inertLogicOf } from '../../machines/inert.ts'

/**
 * The pending effects of a machine: the inert actors among its actors, each with its path there. Those of a plan are in
 * planned.ts.
 *
 * A path is the ids on the way down, with a slash between them. In an id the slash, the sign that tells occurrences
 * apart, and the tilde itself are written as `~1`, `~2` and `~0`, after JSON pointers.
 */

/** A pending effect, as the machine asks for it. */
export interface Request {
  /** Where it is asked for, below the body: `find`, `read/17`; or `job.planner`. */
  path: string
  logic: InertLogic
  input: unknown
  /** Identity of this occurrence: a state that is left and entered again makes a new one. */
  ref: object
  /** The part of a plan that it belongs to is ending, so it is not to be begun any more. */
  isHalted: boolean
}

interface ParentSnapshot {
  status: string
  children?: Record<string, AnyActorRef>
}

/** Adds the requests of all actors below `ref`, in the order in which its machine holds them. */
export function collectRequests(ref: AnyActorRef, path: string | undefined, found: Request[]): void {
  const { status, children } = ref.getSnapshot() as ParentSnapshot
  if (status !== 'active' || children === undefined) return
  for (const id in children) collectRequest(children[id] as AnyActorRef, joinPath(path, id), found)
}

/** Adds the request of `ref`, or of those below it where it is a machine. */
export function collectRequest(ref: AnyActorRef, path: string, found: Request[], isHalted = false): void {
  const snapshot = ref.getSnapshot() as InertSnapshot
  if (snapshot.status !== 'active') return
  const logic = inertLogicOf(ref)
  if (logic === undefined) collectRequests(ref, path, found)
  else found.push({ path, logic, input: snapshot.input, ref, isHalted })
}

/** The actor at a path below `ref`. */
export function actorAt(ref: AnyActorRef | undefined, path: string): AnyActorRef | undefined {
  return descend(ref, splitPath(path))
}

/** The actor that many ids further down. */
export function descend(ref: AnyActorRef | undefined, ids: readonly string[]): AnyActorRef | undefined {
  return ids.reduce((each, id) => each?.getSnapshot().children?.[id], ref)
}

export function splitPath(path: string): string[] {
  return path.split('/').map((id) => id.replaceAll('~2', '#').replaceAll('~1', '/').replaceAll('~0', '~'))
}

export function joinPath(path: string | undefined, id: string): string {
  const escaped = /[~/#]/.test(id) ? id.replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('#', '~2') : id
  return path === undefined ? escaped : `${path}/${escaped}`
}
