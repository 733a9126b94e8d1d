import { assign, cancel, emit, raise, sendParent, sendTo, spawnChild, stopChild } from 'xstate'
import { deferAction } from './deferred.ts'
import { computing, named } from './purity.ts'

/**
 * The actions and guards of a hand-written machine, made durable: custom actions are deferred, XState's own stay what
 * they are, and every function in them gets a name. What could not be told from the history is refused.
 *
 * XState's own actions and guards are functions that it never calls; what they do hangs on them as properties, which
 * is also how it tells them from custom ones.
 */

export type Part = Record<string, unknown>

/** Throws MACHINE_UNSUPPORTED with the reason. */
export type Refuse = (why: string) => never

/** An action, or a list of them, as they stand in a config. */
export function durableActions(value: unknown, where: string, refuse: Refuse): unknown {
  if (Array.isArray(value)) return value.map((each) => durableAction(each, where, refuse))
  return durableAction(value, where, refuse)
}

function durableAction(value: unknown, where: string, refuse: Refuse): unknown {
  if (typeof value !== 'function') return withParams(value, where)
  if (!('resolve' in value)) return deferAction(value as never)
  const own: Part = { ...value }
  switch (own['type']) {
    case 'xstate.assign':
      return copyOf(value, { assignment: assignment(own['assignment'], where, refuse) })
    case 'xstate.enqueueActions':
      return copyOf(value, { collect: collecting(own['collect'], where, refuse) })
    case 'xstate.spawnChild':
      checkSpawn(own['src'], own, where, refuse)
      break
    case 'xstate.raise':
    case 'xstate.sendTo':
      if (own['delay'] !== undefined) refuse(`${where} sends with a delay; use after, which is kept as a durable timer`)
  }
  return copyOf(
    value,
    Object.fromEntries(
      Object.entries(own).map(([key, each]) => [key, machinery.has(key) ? each : computing(each, where)]),
    ),
  )
}

/** The properties of XState's actions that are XState's code and not the author's. */
const machinery: ReadonlySet<string> = new Set(['resolve', 'retryResolve', 'execute'])

/** A guard, as it stands in a config. */
export function durableGuard(value: unknown, where: string): unknown {
  if (typeof value !== 'function') return withParams(value, where)
  if (!('check' in value)) return computing(value, where)
  // and(), or() and not() hold others; stateIn() holds none.
  const { guards = [] } = value as { guards?: unknown[] }
  return copyOf(value, { guards: guards.map((each) => durableGuard(each, where)) })
}

/**
 * A function that may spawn: its actors must be found again after a restart, by their name in the machine and by an
 * id that does not depend on the process.
 */
export function spawning(value: unknown, where: string, refuse: Refuse): unknown {
  if (typeof value !== 'function') return value
  return ({ spawn, ...args }: Spawning, ...rest: unknown[]) => {
    const checked = (src: unknown, options: Part = {}) => {
      checkSpawn(src, options, where, refuse)
      return spawn(src, options)
    }
    return named(where, () => value({ ...args, spawn: checked }, ...rest))
  }
}

interface Spawning {
  spawn(src: unknown, options: Part): unknown
}

function checkSpawn(src: unknown, { id, syncSnapshot }: Part, where: string, refuse: Refuse): void {
  if (typeof src !== 'string')
    refuse(`${where} spawns an actor that has no name; name it in setup({ actors }), so that it is found again`)
  if (id === undefined)
    refuse(`${where} spawns "${src}" without an id; give it one, so that it is the same actor after a restart`)
  if (syncSnapshot) refuse(`${where} spawns "${src}" with syncSnapshot, whose events are not in the history`)
}

function assignment(value: unknown, where: string, refuse: Refuse): unknown {
  if (typeof value === 'function') return spawning(value, where, refuse)
  return Object.fromEntries(
    Object.entries(value as Part).map(([key, each]) => [key, spawning(each, `${where} to "${key}"`, refuse)]),
  )
}

/** What is enqueued is treated like what stands in a config. */
function collecting(collect: unknown, where: string, refuse: Refuse): unknown {
  return ({ enqueue, ...args }: { enqueue(action: unknown): void }, ...rest: unknown[]) => {
    const add = (action: unknown) => enqueue(durableAction(action, where, refuse))
    for (const [key, create] of Object.entries(creators))
      Object.assign(add, {
        [key]: (...given: unknown[]) => add((create as (...given: unknown[]) => unknown)(...given)),
      })
    return named(where, () => (collect as (...given: unknown[]) => unknown)({ ...args, enqueue: add }, ...rest))
  }
}

const creators = { assign, cancel, emit, raise, sendParent, sendTo, spawnChild, stopChild }

/** `{ type, params }`, where the parameters may be computed. */
function withParams(value: unknown, where: string): unknown {
  if (typeof value !== 'object' || value === null || !('params' in value)) return value
  return { ...value, params: computing(value.params, `params of ${where}`) }
}

function copyOf(builtin: object, changes: Part): unknown {
  return Object.assign(() => {}, builtin, changes)
}
