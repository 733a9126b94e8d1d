import { type Effect, mayHaveHappened, type Timer } from './effect.ts'
import type { FoldState } from './state.ts'

/** What it means that a timer was due. */
export function fire(state: FoldState, id: string, at: number): void {
  const { pending } = state
  const timer = pending.timers.get(id) as Timer
  pending.timers.delete(id)
  if (timer.purpose === 'grace') return endGrace(state)
  if (timer.purpose === 'budget') return exceedTime(state, at)
  const effect = pending.effects.get(timer.effect ?? '')
  if (effect === undefined) return
  switch (timer.purpose) {
    case 'retry':
      return pending.change(effect.id, at, { status: 'ready', cause: state.seq })
    case 'sleep':
      return state.settle(effect.id, { type: 'aetheris.done', output: null })
    case 'timeout':
      return state.settle(effect.id, { type: 'aetheris.done', output: { timedOut: true } })
    case 'deadline':
      return passDeadline(state, effect, at)
    case 'approval':
      return closeApproval(state, effect)
    case 'escalation': {
      const to = effect.approval?.policy.escalate?.to ?? []
      return state.announce({ type: 'approval.escalated', data: { effect: effect.id, to } })
    }
  }
}

function passDeadline(state: FoldState, effect: Effect, at: number): void {
  const { id, status, attempt, input } = effect
  if (status === 'unknown' || status === 'answered') return // somebody is asked, or has answered
  if (status === 'started' && effect.class === 'once') {
    return state.announce({ type: 'node.outcome_unknown', data: { effect: id, attempt, reason: 'timeout' } })
  }
  state.orphans.add(effect)
  state.pending.change(id, at, { status: 'answered', isUncertain: mayHaveHappened(effect) })
  const { deadlineMs } = input as { deadlineMs?: number }
  const message = `The node took longer than ${deadlineMs} ms with all its attempts.`
  const error = { name: 'AetherisError', code: 'TOOL_TIMEOUT', message }
  state.announce({ type: 'node.failed', data: { effect: id, attempt, error } })
}

function closeApproval(state: FoldState, { id, approval }: Effect): void {
  if (approval === undefined) return
  const { digest, policy } = approval
  const data = { effect: id, digest, option: 'timeout', verdict: policy.onTimeout ?? 'deny' } as const
  state.announce({ type: 'approval.decided', data })
}

/** What is under way has had its time to end; from here on nobody waits for it. */
function endGrace(state: FoldState): void {
  if (!state.live.isPlan) return state.live.control({ type: 'job.kill' })
  for (const effect of state.pending.effects.values()) {
    if (effect.isHalted && effect.status !== 'answered') state.callOff(effect, 'cancelled')
  }
}

function exceedTime(state: FoldState, at: number): void {
  const { wallMs = 0 } = state.budget
  const used = at - state.createdAt
  // The limit may have been raised since.
  if (used >= wallMs) state.announce({ type: 'budget.exceeded', data: { limit: 'wallMs', max: wallMs, used } })
}
