import type { AnyStateMachine, StateNode } from 'xstate'
import type { AnyAgent } from '../agent/agent.ts'
import { isReserved } from '../agent/signal.ts'
import { isObject, type Json } from '../base/json.ts'
import type { JobSnapshot, Pending } from '../replay/job-snapshot.ts'
import { why } from '../replay/why.ts'
import { examplePayload } from './form.ts'

/** Something that somebody has to do before a job moves. */
export interface Wait {
  jobId: string
  /** What waits; absent where the machine as a whole does. */
  effect?: string
  /** The signal that moves it on, and a payload to start from. */
  signal?: string
  payload?: string
  /** It calls this tool once somebody agrees. */
  approval?: string
  /** It was started, and nobody knows how it ended. */
  unknown?: true
  /** When it gives up waiting, in epoch milliseconds. */
  dueAt?: number
}

/** Why a job that has not ended is not busy. */
export interface Rest {
  waits: Wait[]
  /** Sentences on what holds up the whole job: it is paused, or over its budget. */
  held: string[]
  /** When the first timer moves it on, in epoch milliseconds. */
  dueAt: number | undefined
  /** The jobs that it waits for. */
  children: string[]
}

/** What a job rests on at `now`; undefined while something is under way or due. */
export function restOf(agent: AnyAgent | undefined, snapshot: JobSnapshot, now: number): Rest | undefined {
  const { pending, isHeld, status } = snapshot
  if (status !== 'active' || pending.some((each) => isBusy(each, isHeld, now))) return undefined
  const held = why(snapshot, { unread: 0, isOwned: true }).filter(({ kind }) => kind === 'paused' || kind === 'budget')
  return {
    waits: waitsOf(agent, snapshot),
    held: held.map(({ what }) => what),
    dueAt: first(pending.flatMap(({ dueAt }) => dueAt ?? [])),
    children: pending.flatMap(({ status: stands, childId }) => (stands === 'awaiting' ? (childId ?? []) : [])),
  }
}

function isBusy({ status, dueAt }: Pending, isHeld: boolean, now: number): boolean {
  if (dueAt !== undefined && dueAt <= now) return true
  if (status === 'started' || status === 'answered') return true
  return !isHeld && (status === 'requested' || status === 'ready' || status === 'interrupted')
}

function first(times: readonly number[]): number | undefined {
  return times.length === 0 ? undefined : Math.min(...times)
}

/** What several jobs rest on that wait for each other. */
export function together(rests: readonly Rest[]): Rest {
  return {
    waits: rests.flatMap(({ waits }) => waits),
    held: rests.flatMap(({ held }) => held),
    dueAt: first(rests.flatMap(({ dueAt }) => dueAt ?? [])),
    children: rests.flatMap(({ children }) => children),
  }
}

/** Whether a timer alone moves it on. */
export function isAsleep({ waits, held, dueAt }: Rest): boolean {
  return waits.length === 0 && held.length === 0 && dueAt !== undefined
}

/** Whom a job waits for. Without its agent, the events that a hand-written machine takes are not known. */
export function waitsOf(agent: AnyAgent | undefined, { jobId, pending, value, isHeld }: JobSnapshot): Wait[] {
  const waits = pending.flatMap((each): Wait[] => {
    const common = { jobId, effect: each.effect, ...(each.dueAt === undefined ? {} : { dueAt: each.dueAt }) }
    if (each.status === 'waiting') return [{ ...common, ...signalled(agent, each.signal as string) }]
    if (each.status === 'approving') return [{ ...common, approval: each.tool ?? each.effect }]
    return each.status === 'unknown' ? [{ ...common, unknown: true }] : []
  })
  const body = isObject(value) ? value['running'] : undefined
  if (agent?.program === undefined || body === undefined || isHeld) return waits
  const signals = signalsTaken(agent.program.body, body)
  return [...waits, ...signals.map((signal) => ({ jobId, ...signalled(agent, signal) }))]
}

function signalled(agent: AnyAgent | undefined, signal: string) {
  return { signal, payload: examplePayload(agent?.signals.get(signal)?.payload) }
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
