import type { AnyStateMachine, StateNode } from 'xstate'
import type { AnyAgent } from '../agent/agent.ts'
import { isReserved } from '../agent/signal.ts'
import { isObject, type Json } from '../base/json.ts'
import type { JobSnapshot, Pending } from '../replay/job-snapshot.ts'

/** Something that somebody has to do before a job moves. */
export interface Wait {
  /** What waits; absent where the machine as a whole does. */
  effect?: string
  /** The signal that moves it on. */
  signal?: string
  /** It was started, and nobody knows how it ended. */
  unknown?: true
  /** When it gives up waiting, in epoch milliseconds. */
  dueAt?: number
}

/** Why a job that has not ended is not busy: `someone` has to act, a `timer` runs, or it was `paused`. */
export type Rest = { kind: 'someone'; waits: Wait[] } | { kind: 'timer'; dueAt: number } | { kind: 'paused' }

/** What a job rests on at `now`; undefined while something is under way or due. */
export function restOf(agent: AnyAgent | undefined, snapshot: JobSnapshot, now: number): Rest | undefined {
  const { pending, value, status } = snapshot
  const paused = isObject(value) && 'paused' in value
  if (status !== 'active' || pending.some((each) => isBusy(each, paused, now))) return undefined
  if (paused) return { kind: 'paused' }
  const waits = waitsOf(agent, snapshot)
  const dueAts = pending.flatMap(({ dueAt }) => dueAt ?? [])
  if (waits.length === 0 && dueAts.length > 0) return { kind: 'timer', dueAt: Math.min(...dueAts) }
  return { kind: 'someone', waits }
}

function isBusy({ status, dueAt }: Pending, paused: boolean, now: number): boolean {
  if (dueAt !== undefined && dueAt <= now) return true
  if (status === 'started' || status === 'answered') return true
  return !paused && (status === 'requested' || status === 'ready' || status === 'interrupted')
}

/** Whom or what a job waits for. Without its agent, the events that a hand-written machine takes are not known. */
export function waitsOf(agent: AnyAgent | undefined, { pending, value }: JobSnapshot): Wait[] {
  const waits = pending.flatMap(({ effect, status, signal, dueAt }): Wait[] => {
    const due = dueAt === undefined ? {} : { dueAt }
    if (status === 'waiting') return [{ effect, ...(signal === undefined ? {} : { signal }), ...due }]
    return status === 'unknown' ? [{ effect, unknown: true }] : []
  })
  const body = isObject(value) ? value['running'] : undefined
  if (agent?.program === undefined || body === undefined) return waits
  return [...waits, ...signalsTaken(agent.program.body, body).map((signal) => ({ signal }))]
}

/** The signals for which a hand-written machine has a transition in a state. */
export function signalsTaken(machine: AnyStateMachine, value: Json): string[] {
  const taken = new Set<string>()
  const visit = (node: StateNode, inner: Json | undefined) => {
    for (const event of node.ownEvents as string[]) {
      if (!isReserved(event)) taken.add(event.replace(/^signal\./, ''))
    }
    const active = typeof inner === 'string' ? { [inner]: undefined } : isObject(inner) ? inner : {}
    for (const [name, deeper] of Object.entries(active)) {
      const child = node.states[name]
      if (child !== undefined) visit(child as StateNode, deeper)
    }
  }
  visit(machine.root as StateNode, value)
  return [...taken]
}
