import type { EventData, NewEvent } from '../event/event.ts'
import { type Effect, isUncertainAfter } from './effect.ts'
import type { FoldState } from './state.ts'

/**
 * What notes change: where an effect stands, and never the machine. Some lead to an outcome, which is announced.
 */

export function applyNote(state: FoldState, event: NewEvent): void {
  const { pending, seq } = state
  const { at } = event
  switch (event.type) {
    case 'tools.listed':
      state.origins = event.data.tools
      return
    case 'node.started': {
      const { effect, class: effectClass, reconciles = false } = event.data
      pending.change(effect, at, { status: 'started', attempt: 1, class: effectClass, reconciles, cause: seq })
      return
    }
    case 'plan.rejected':
      return rejected(event.data, at, state)
    case 'node.attempted': {
      const { effect, attempt } = event.data
      pending.change(effect, at, { status: 'started', attempt, again: undefined, isReconciled: false, cause: seq })
      return
    }
    case 'node.submitted':
      return pending.change(event.data.effect, at, { task: event.data.task })
    case 'node.progressed':
      return pending.change(event.data.effect, at, { progress: event.data.progress })
    case 'node.retried':
      return retried(event.data, at, state)
    case 'node.outcome_unknown':
      return pending.change(event.data.effect, at, { status: 'unknown', isReconciled: false })
    case 'node.reconciled':
    case 'node.resolved':
      return answered(event, state)
    case 'node.withdrawn':
      return pending.forget(event.data.effect)
    case 'node.waiting':
      return pending.change(event.data.effect, at, { status: 'waiting', cause: seq })
    case 'child.spawned':
      return spawned(event.data, at, state)
    case 'approval.requested':
      return requested(event.data, at, state)
    case 'approval.escalated':
      return escalated(event.data, at, state)
    case 'approval.decided':
      return decided(event.data, at, state)
    case 'job.recovered':
      return interrupted(at, state)
    case 'timer.armed': {
      const { timer, effect, purpose, dueAt } = event.data
      pending.timers.set(timer, { id: timer, purpose, dueAt, ...(effect === undefined ? {} : { effect }) })
      if (purpose === 'sleep' && effect !== undefined) pending.change(effect, at, { status: 'sleeping', cause: seq })
    }
  }
}

function spawned(
  { effect: id, jobId }: EventData<'child.spawned'>,
  at: number,
  { pending, orphans, seq }: FoldState,
): void {
  pending.change(id, at, { status: 'awaiting', childId: jobId, cause: seq })
  const effect = pending.effects.get(id)
  // It was not there yet when it was told that it is not needed.
  if (effect?.isHalted) orphans.add(effect)
}

function rejected(
  { effect: id, answer, issues }: EventData<'plan.rejected'>,
  at: number,
  { pending }: FoldState,
): void {
  const before = pending.effects.get(id)?.rejected ?? []
  pending.change(id, at, { status: 'ready', again: 'rejected', rejected: [...before, { answer, issues }] })
}

function retried({ effect: id, error, delayMs }: EventData<'node.retried'>, at: number, state: FoldState): void {
  const { pending } = state
  const effect = pending.effects.get(id) as Effect
  const isUncertain = isUncertainAfter(effect, error)
  pending.change(id, at, { status: 'backoff', failures: effect.failures + 1, isUncertain })
  state.arm(id, 'retry', at + delayMs)
}

/** Somebody, or the tool itself, has said how a call ended whose outcome was unknown. */
function answered(event: Extract<NewEvent, { type: 'node.reconciled' | 'node.resolved' }>, state: FoldState): void {
  const { pending, seq } = state
  const { effect, attempt, output, error } = event.data
  const answer = event.type === 'node.reconciled' ? event.data.answer : event.data.as
  if (answer === 'unknown') return pending.change(effect, event.at, { isReconciled: true })
  pending.change(effect, event.at, { status: 'answered', isUncertain: false, cause: seq })
  if (answer === 'completed')
    state.announce({ type: 'node.completed', data: { effect, attempt, output: output ?? null } })
  else if (answer === 'failed') {
    const unnamed = { name: 'Error', message: 'The call is said to have failed.' }
    state.announce({ type: 'node.failed', data: { effect, attempt, error: error ?? unnamed } })
  } else if (pending.effects.get(effect)?.isHalted)
    state.announce({ type: 'node.cancelled', data: { effect, attempt } })
  else pending.change(effect, event.at, { status: 'ready', again: 'resolved', task: undefined })
}

function requested(data: EventData<'approval.requested'>, at: number, state: FoldState): void {
  const { effect, tool, input, digest, policy } = data
  state.pending.change(effect, at, {
    status: 'approving',
    approval: { tool, input, digest, policy },
    cause: state.seq,
  })
  if (policy.timeoutMs !== undefined) state.arm(effect, 'approval', at + policy.timeoutMs)
  if (policy.escalate !== undefined) state.arm(effect, 'escalation', at + policy.escalate.afterMs)
}

function escalated({ effect, to }: { effect: string; to: string[] }, at: number, { pending }: FoldState): void {
  const approval = pending.effects.get(effect)?.approval
  if (approval !== undefined) pending.change(effect, at, { approval: { ...approval, escalatedTo: to } })
}

function decided(data: EventData<'approval.decided'>, at: number, state: FoldState): void {
  const { pending, seq } = state
  const { effect, option, verdict, by, reason } = data
  const found = pending.effects.get(effect)
  if (found?.approval === undefined) return
  pending.clearTimers(effect, ['approval', 'escalation'])
  if (verdict === 'approve') {
    const approval = { ...found.approval, option, ...(by === undefined ? {} : { by }) }
    pending.change(effect, at, { status: 'requested', approval, cause: seq })
    return
  }
  pending.change(effect, at, { status: 'answered', cause: seq })
  const who = by === undefined ? 'Nobody answered in time' : `${by} answered "${option}"`
  const message = `The call of "${found.approval.tool}" was not approved. ${who}${reason === undefined ? '' : `: ${reason}`}.`
  const error = { name: 'AetherisError', code: 'APPROVAL_DENIED', message }
  state.announce({ type: 'node.failed', data: { effect, attempt: found.attempt, error } })
}

/** Another owner has taken over: what was under way has lost its process, and only its class says what may follow. */
function interrupted(at: number, state: FoldState): void {
  const { pending, seq } = state
  for (const effect of pending.effects.values()) {
    const { id, attempt } = effect
    if (effect.status !== 'started') continue
    // A call that goes on elsewhere has lost nothing: whoever takes over asks for it.
    if (effect.class === 'once' && effect.task === undefined)
      state.announce({ type: 'node.outcome_unknown', data: { effect: id, attempt, reason: 'crash' } })
    else if (effect.isHalted) {
      state.orphans.add(effect)
      state.callOff(effect, 'crash')
    } else pending.change(id, at, { status: 'interrupted', isUncertain: effect.class !== 'read', cause: seq })
  }
}
