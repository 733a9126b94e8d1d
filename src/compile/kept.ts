import type { AnyActorRef } from 'xstate'
import { inertLogicOf } from '../../machines/inert.ts'
import { AetherisError, isAetherisError, toErrorData } from '../base/error.ts'
import { freezeJson, isKnownJson, toJson } from '../base/json.ts'

/**
 * What a hand-written machine keeps: the contexts of its actors and the inputs of its calls. All of it has to be JSON,
 * or the job would be another one after a restart, without a word.
 */

type Children = Readonly<Record<string, AnyActorRef>>
type Snapshot = { context?: unknown; input?: unknown; children?: Children }

/** MACHINE_UNSUPPORTED or LIMIT_EXCEEDED, naming what cannot be kept and where; undefined where all is well. */
export function findUnkept(actor: AnyActorRef, name: string): AetherisError | undefined {
  try {
    checkKept(actor, name)
    return undefined
  } catch (error) {
    if (isAetherisError(error)) return error
    throw error
  }
}

function checkKept(actor: AnyActorRef, name: string): void {
  const { context, input, children = {} } = actor.getSnapshot() as Snapshot
  if (inertLogicOf(actor) === undefined) check(context, `The context of ${name}`, children)
  check(input, `The input of ${name}`, {})
  for (const [id, child] of Object.entries(children)) checkKept(child, `${name}, actor "${id}"`)
}

/** What an actor has in its context, with a note in place of each actor: nobody outside may send to those. */
export function contextOf(actor: AnyActorRef): unknown {
  const { context } = actor.getSnapshot() as Snapshot
  return replaceActors(context, noteOf)
}

/** A persisted snapshot with its errors as JSON: a child machine that failed stays where its parent caught its error. */
export function withErrorData(state: unknown): unknown {
  const kept = { ...(state as Persisted) }
  if (kept.error !== undefined) kept.error = toErrorData(kept.error)
  if (kept.children === undefined) return kept
  const children = Object.entries(kept.children)
  return {
    ...kept,
    children: Object.fromEntries(
      children.map(([id, child]) => [id, { ...child, snapshot: withErrorData(child.snapshot) }]),
    ),
  }
}

interface Persisted {
  error?: unknown
  children?: Record<string, { snapshot: unknown }>
}

function check(value: unknown, what: string, children: Children): void {
  const plain = replaceActors(value, (actor) => {
    if (children[actor.id] === actor) return noteOf(actor)
    throw new AetherisError(
      'MACHINE_UNSUPPORTED',
      `${what} holds the actor "${actor.id}", which is no child of it, or was stopped. Only running children of its own are found again after a restart: take it out, and use sendParent or a systemId for others.`,
    )
  })
  // Whoever changes it in place from now on is stopped: no event would tell of that, and jobs may share it.
  if (plain === value) freezeJson(value, what, 'MACHINE_UNSUPPORTED')
  else toJson(plain, what, 'MACHINE_UNSUPPORTED')
}

/** The form in which XState keeps an actor in a snapshot. */
function noteOf({ id }: AnyActorRef): unknown {
  return { xstate$$type: 1, id }
}

/** The value itself, or a copy where it holds actors. `open` are the values around it. */
function replaceActors(value: unknown, replace: (actor: AnyActorRef) => unknown, open = new Set<object>()): unknown {
  if (!isObject(value) || isKnownJson(value) || open.has(value)) return value
  if (isActor(value)) return replace(value)
  open.add(value)
  const changed = Object.entries(value)
    .map(([key, part]) => [key, replaceActors(part, replace, open)] as const)
    .filter(([key, part]) => part !== value[key])
  open.delete(value)
  if (changed.length === 0) return value
  return Object.assign(Array.isArray(value) ? [...value] : { ...value }, Object.fromEntries(changed))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isActor(value: object): value is AnyActorRef {
  return 'sessionId' in value && 'send' in value && 'ref' in value
}
