import type { PlanContext } from '../compile/plan-state.ts'
import type { Request } from '../compile/requests.ts'
import { type Effect, isEngaged, type PlanRequestInput, type SpawnInput, type WaitInput } from './effect.ts'
import type { FoldState } from './state.ts'

/** What the machine makes of an input: compares what it asks for now with what is known, and announces the difference. */
export function observe(state: FoldState, at: number): void {
  const requests = state.live.requests()
  const { gone, fresh } = state.pending.compare(requests)
  for (const effect of gone) withdraw(state, effect)
  announceDecided(state)
  for (const request of requests) {
    if (fresh.has(request)) begin(state, request, at)
    if (request.isHalted) halt(state, request, at)
  }
  armGrace(state, at)
  announceUndoing(state)
  announceEnd(state)
}

function begin(state: FoldState, request: Request, at: number): void {
  const { id, kind, input } = state.pending.add(request, state.seq, at)
  if (kind === 'plan') state.announce({ type: 'plan.requested', data: { ...(input as PlanRequestInput) } })
  if (kind === 'sleep') state.arm(id, 'sleep', at + (input as { ms: number }).ms)
  if (kind === 'wait') {
    const { signal, timeoutMs } = input as WaitInput
    state.announce({ type: 'node.waiting', data: { effect: id, signal } })
    if (timeoutMs !== undefined) state.arm(id, 'timeout', at + timeoutMs)
  }
  if (kind === 'call' || kind === 'spawn') {
    const { deadlineMs } = input as SpawnInput
    if (deadlineMs !== undefined) state.arm(id, 'deadline', at + deadlineMs)
  }
}

/** The machine has left the state that asked: what is under way has to stop. */
function withdraw(state: FoldState, effect: Effect): void {
  const { id, status } = effect
  state.queue = state.queue.filter(({ body }) => !('effect' in body.data && body.data.effect === id))
  state.signals.giveBack(id)
  state.orphans.add(effect)
  if (status === 'requested') state.pending.forget(id)
  else if (state.live.end === undefined) state.announce({ type: 'node.withdrawn', data: { effect: id } })
}

/** The part of the plan that asked is ending: what has not begun never will, and what has is told to stop. */
function halt(state: FoldState, request: Request, at: number): void {
  const { pending } = state
  const effect = pending.effectOf(request)
  if (effect === undefined || effect.isHalted) return
  const { id } = effect
  const outlives = effect.kind === 'spawn' && (effect.input as SpawnInput).onParentEnd === 'abandon'
  state.orphans.add(effect)
  pending.clearTimers(id)
  if (isEngaged(effect) && !outlives) return pending.change(id, at, { isHalted: true })
  state.callOff(effect, 'crash')
  pending.change(id, at, { isHalted: true, status: 'answered' })
}

/** Bounds how long a job that is ending waits for what is under way. */
function armGrace(state: FoldState, at: number): void {
  const { live, pending, queue } = state
  const isDraining = live.isPlan ? pending.isDraining : live.phase === 'cancelling'
  if (!isDraining || some(pending.timers.values(), ({ purpose }) => purpose === 'grace')) return
  if (queue.some(({ body }) => body.type === 'timer.armed' && body.data.purpose === 'grace')) return
  state.arm(undefined, 'grace', at + state.graceMs)
}

function some<T>(all: Iterable<T>, holds: (each: T) => boolean): boolean {
  for (const each of all) if (holds(each)) return true
  return false
}

/** Nodes that settled without an effect. */
function announceDecided(state: FoldState): void {
  if (state.undecided.length === 0) return
  const nodes = (state.live.context as PlanContext | undefined)?.nodes ?? {}
  const open: string[] = []
  for (const node of state.undecided) {
    const result = nodes[node]
    if (result === undefined) open.push(node)
    else if (result.status === 'skipped') state.announce({ type: 'node.skipped', data: { node } })
    else if (result.status === 'completed' && isChoice(state, node)) {
      state.announce({ type: 'node.chosen', data: { node, case: String(result.output) } })
    }
  }
  state.undecided = open
}

function isChoice({ graph }: FoldState, node: string): boolean {
  return graph?.nodes.find(({ id }) => id === node)?.kind === 'choose'
}

function announceUndoing(state: FoldState): void {
  if (state.wasUndone || state.live.phase !== 'compensating') return
  state.wasUndone = true
  const effects = state.live.kept.undo.map(({ id }) => `job.undo/${id}`)
  state.announce({ type: 'compensation.started', data: { effects } })
}

function announceEnd(state: FoldState): void {
  const { end } = state.live
  if (end?.type === 'completed') state.announce({ type: 'job.completed', data: { output: end.output } })
  if (end?.type === 'failed') state.announce({ type: 'job.failed', data: { error: end.error } })
  if (end?.type === 'cancelled') {
    const { by, reason } = state.held ?? {}
    const data = { ...(by === undefined ? {} : { by }), ...(reason === undefined ? {} : { reason }) }
    state.announce({ type: 'job.cancelled', data })
  }
}

/** Gives what was received to who waits for it. */
export function matchSignals(state: FoldState): void {
  for (const { effect, signal } of state.signals.match(state.pending.effects.values())) {
    effect.status = 'answered'
    const data = { effect: effect.id, attempt: 1, output: signal.payload }
    state.queue.push({ cause: signal.seq, body: { type: 'node.completed', data } })
  }
}
