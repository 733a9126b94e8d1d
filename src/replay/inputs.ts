import type { EndedError } from '../../machines/outcome.ts'
import { assert } from '../base/error.ts'
import { JobActor, plannerPath } from '../compile/actor.ts'
import type { EventData, NewEvent } from '../event/event.ts'
import type { TaskGraph } from '../graph/graph.ts'
import { type Effect, isUncertainAfter } from './effect.ts'
import { fire } from './fire.ts'
import { type Kept, keptAfter, keptForRevision, remaining, sameIn } from './rerun.ts'
import type { FoldState } from './state.ts'

/** What inputs do: they move the machine, or the life around it. */

/** False where the event is no input. */
export function applyInput(state: FoldState, event: NewEvent): boolean {
  switch (event.type) {
    case 'job.created':
      create(state, event.data, event.at)
      return true
    case 'plan.adopted':
      adopt(state, event.data)
      return true
    case 'plan.revised':
      revise(state, event.data)
      return true
    case 'plan.revision_requested':
      state.live.control({ type: 'job.replan' })
      return true
    case 'node.completed':
      complete(state, event.data)
      return true
    case 'node.failed':
      fail(state, event.data)
      return true
    case 'node.cancelled':
      cancelEffect(state, event.data.effect)
      return true
    case 'signal.received':
      receive(state, event.data)
      return true
    case 'timer.fired':
      fire(state, event.data.timer, event.at)
      return true
    default:
      return applyControl(state, event)
  }
}

function applyControl(state: FoldState, event: NewEvent): boolean {
  const { live } = state
  const { at: since } = event
  switch (event.type) {
    case 'job.paused':
      state.held = { type: 'paused', since, ...event.data }
      live.control({ type: 'job.pause' })
      return true
    case 'job.resumed':
      state.budget = { ...state.budget, ...event.data.budget }
      state.held = undefined
      live.control({ type: 'job.resume' })
      return true
    case 'budget.exceeded':
      state.held = { type: 'budgetExceeded', since, ...event.data }
      live.control({ type: 'job.exceed' })
      return true
    case 'job.restarted':
      restart(state, event.data.node)
      return true
    case 'job.cancel_requested':
      cancel(state, event.data, since)
      return true
    case 'job.terminated':
      live.control({ type: 'job.terminate' })
      return true
    case 'job.failed':
      if (live.end === undefined) live.control({ type: 'job.fail', error: event.data.error })
      return true
    default:
      return false
  }
}

function cancel(state: FoldState, data: EventData<'job.cancel_requested'>, since: number): void {
  const { graceMs = state.graceMs, ...who } = data
  state.graceMs = graceMs
  state.held = { type: 'cancelling', since, ...who }
  state.live.cancel()
}

function create(state: FoldState, data: EventData<'job.created'>, at: number): void {
  const { agent, input, machine, budget = {}, graceMs } = data
  const program = machine === undefined ? undefined : state.programs.ofMachine(agent)
  assert(machine === undefined || program !== undefined, `agent "${agent}" has no machine`)
  Object.assign(state, { created: data, createdAt: at, budget, graceMs })
  state.actor = JobActor.start(program, input, agent)
  if (budget.wallMs !== undefined) state.arm(undefined, 'budget', at + budget.wallMs)
}

function adopt(state: FoldState, { graph, hash }: EventData<'plan.adopted'>): void {
  const plan = setPlan(state, graph as unknown as TaskGraph)
  state.live.adopt(state.programs.ofPlan(plan, hash))
}

/** The next plan: the body goes on with what has settled, and what is under way for the same nodes goes on as well. */
function revise(state: FoldState, { graph, hash }: EventData<'plan.revised'>): void {
  const isBetween = state.live.phase === 'planning'
  const before = state.graph as TaskGraph
  const kept = isBetween ? undefined : keptForRevision(before, state.live)
  const plan = setPlan(state, graph as unknown as TaskGraph)
  if (kept === undefined) {
    state.live.adopt(state.programs.ofPlan(plan, hash))
    return
  }
  state.live.settle(plannerPath, { type: 'aetheris.done', output: null })
  // Some of its nodes may have settled since the planner was asked.
  rerun(state, kept, remaining(plan, kept.results, hash), sameIn(before, plan))
}

function setPlan(state: FoldState, graph: TaskGraph): TaskGraph {
  state.graph = graph
  state.planSeq = state.seq
  state.undecided = decidable(graph)
  for (const effect of state.pending.effects.values()) if (effect.kind === 'plan') state.pending.forget(effect.id)
  return graph
}

function restart(state: FoldState, node: string): void {
  const graph = state.graph as TaskGraph
  const kept = keptAfter(graph, state.live, node)
  state.isEnded = false
  // What comes after the node waits for it again; all else has begun with the same.
  rerun(state, kept, remaining(graph, kept.results), () => true)
}

function rerun(
  state: FoldState,
  kept: Kept,
  { graph, hash }: ReturnType<typeof remaining>,
  goesOn: (node: string) => boolean,
): void {
  state.undecided = decidable(graph)
  state.actor = state.live.rerun(state.programs.ofPlan(graph, hash), kept, goesOn)
  state.pending.rebind(state.actor.requests())
}

/** Nodes of a plan that settle without an effect, so that only the machine knows how. */
function decidable(graph: TaskGraph): string[] {
  return graph.nodes.filter((node) => node.when !== undefined || node.kind === 'choose').map(({ id }) => id)
}

function complete(state: FoldState, { effect, output }: EventData<'node.completed'>): void {
  const isWait = state.pending.effects.get(effect)?.kind === 'wait'
  if (isWait) state.signals.taken(effect)
  state.settle(effect, { type: 'aetheris.done', output: isWait ? { payload: output } : output })
}

function fail(state: FoldState, { effect: id, error }: EventData<'node.failed'>): void {
  const effect = state.pending.effects.get(id) as Effect
  const isUncertain = effect.status === 'answered' ? effect.isUncertain === true : isUncertainAfter(effect, error)
  state.settle(id, { type: 'aetheris.error', error: isUncertain ? { ...error, isUncertain } : error })
}

function cancelEffect(state: FoldState, id: string): void {
  const { status } = state.pending.effects.get(id) as Effect
  const ended: EndedError['ended'] = status === 'unknown' ? 'unknown' : 'cancelled'
  const error: EndedError = { name: 'AetherisError', code: 'JOB_CANCELLED', message: 'The job was ending.', ended }
  state.settle(id, { type: 'aetheris.error', error })
}

function receive(state: FoldState, { name, payload }: EventData<'signal.received'>): void {
  if (state.created?.machine === undefined) {
    state.signals.receive({ name, payload, seq: state.seq })
    return
  }
  state.live.signal(name, payload)
}
