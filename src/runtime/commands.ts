import type { AnyAgent } from '../agent/agent.ts'
import { toErrorData } from '../base/error.ts'
import { optionsOf, verdictOf } from '../event/approval.ts'
import type { Command, CommandBody } from '../event/command.ts'
import type { EventBody, EventData } from '../event/event.ts'
import { nodeOf } from '../replay/effect.ts'
import type { JobSnapshot, Pending } from '../replay/job-snapshot.ts'
import { schemaError } from './admission.ts'
import { childIdOf } from './family.ts'
import { toolOutput } from './perform.ts'

/**
 * What a command means for a job in a given state: an event, nothing since it is so already, or a refusal.
 *
 * Asked twice with the same code: when somebody gives the command, to refuse it at once where it makes no sense, and
 * when the job gets to it, since much may have happened in between.
 */
export type Decision =
  | { type: 'event'; event: EventBody }
  /** It is so already. */
  | { type: 'repeat' }
  | { type: 'refuse'; why: string }

const repeat: Decision = { type: 'repeat' }

function accept(event: EventBody): Decision {
  return { type: 'event', event }
}

function refuse(why: string): Decision {
  return { type: 'refuse', why }
}

/** @param message id of the message that brings it. */
export function decide({ kind, body }: Command, job: JobSnapshot, message: string): Decision {
  switch (kind) {
    case 'signal':
      return accept({ type: 'signal.received', data: { ...body, message } })
    case 'pause':
      return job.isPaused ? repeat : accept({ type: 'job.paused', data: body })
    case 'resume':
      return job.isHeld || body.budget !== undefined ? accept({ type: 'job.resumed', data: body }) : repeat
    case 'cancel':
      return isEnding(job) ? repeat : accept({ type: 'job.cancel_requested', data: body })
    case 'terminate':
      return accept({ type: 'job.terminated', data: body })
    case 'revise':
      return revise(body, job)
    case 'retry':
      return rerun(body, job, true)
    case 'restart':
      return rerun(body, job, false)
    case 'decide':
      return answer(body, job)
    case 'resolve':
      return resolve(body, job)
    case 'child':
      return childEnded(body, job)
  }
}

function isEnding({ phase }: JobSnapshot): boolean {
  return phase === 'cancelling' || phase === 'compensating'
}

function revise(body: CommandBody<'revise'>, job: JobSnapshot): Decision {
  if (job.isRevising || job.phase === 'planning') return repeat
  if (job.graph === undefined) return refuse('The job runs a hand-written machine, which has no plan to be revised.')
  if (job.phase !== 'running' || job.isFailing)
    return refuse(`The job is ${stateOf(job)}; a plan is revised while it runs.`)
  return accept({ type: 'plan.revision_requested', data: body })
}

function rerun({ node, ...who }: CommandBody<'retry'>, job: JobSnapshot, onlyFailed: boolean): Decision {
  const status = job.nodeStatus(node)
  if (job.graph === undefined) return refuse('The job runs a hand-written machine, which has no nodes.')
  if (status === undefined)
    return refuse(`The plan of the job has no node "${node}"${others(node, Object.keys(job.nodes))}.`)
  const isFailed = status === 'failed'
  const is = `Node "${node}" is ${stands(node, job)}`
  if (onlyFailed && !isFailed) return refuse(`${is}; only a node that has failed is tried again.`)
  if (!(node in job.results)) return refuse(`${is}; it has not settled yet.`)
  if (job.wasUndone)
    return refuse('What the job had done was undone, so there is nothing to go on from; start a new job.')
  if (job.phase !== 'failed' && (job.phase !== 'running' || job.isFailing)) {
    return refuse(`The job is ${stateOf(job)}; a node runs again in a job that runs or has failed.`)
  }
  return accept({ type: 'job.restarted', data: { node, ...who } })
}

function answer({ effect, option, digest, by, reason }: CommandBody<'decide'>, job: JobSnapshot): Decision {
  const found = pendingOf(effect, job)
  const approval = found?.approval
  if (approval === undefined) return refuse(`"${effect}" asks for no approval${standing(effect, job)}.`)
  if (approval.option !== undefined) {
    return approval.option === option ? repeat : refuse(`"${effect}" was answered "${approval.option}" already.`)
  }
  const verdict = verdictOf(approval.policy, option)
  if (verdict === undefined) {
    return refuse(
      `"${option}" is no answer to "${effect}"; it takes: ${Object.keys(optionsOf(approval.policy)).join(', ')}.`,
    )
  }
  if (digest !== undefined && digest !== approval.digest) {
    return refuse(`What "${effect}" is about to do has changed since it was shown; look at it again.`)
  }
  const allowed = [...(approval.policy.by ?? []), ...(approval.escalatedTo ?? [])]
  if (approval.policy.by !== undefined && !allowed.includes(by)) {
    return refuse(`"${by}" may not answer "${effect}"; these may: ${allowed.join(', ')}.`)
  }
  const why = reason === undefined ? {} : { reason }
  const data = { effect: found?.effect ?? effect, digest: approval.digest, option, verdict, by, ...why }
  return accept({ type: 'approval.decided', data })
}

function resolve({ effect, as, by, reason }: CommandBody<'resolve'>, job: JobSnapshot): Decision {
  const found = pendingOf(effect, job)
  if (found?.status !== 'unknown') return refuse(`The outcome of "${effect}" is not in doubt${standing(effect, job)}.`)
  if (as.type === 'again' && (isEnding(job) || job.isFailing)) {
    return refuse(`The job is ${stateOf(job)}, so nothing is run again; say whether "${effect}" completed or failed.`)
  }
  const said =
    as.type === 'completed'
      ? { output: as.output }
      : as.type === 'failed'
        ? { error: { name: 'Error', message: as.message } }
        : {}
  const { effect: id, attempt } = found
  return accept({ type: 'node.resolved', data: { effect: id, attempt, as: as.type, ...said, by, reason } })
}

function childEnded({ effect, end }: CommandBody<'child'>, job: JobSnapshot): Decision {
  const found = job.pending.find((each) => each.effect === effect)
  // The parent no longer waits for it, or never did.
  if (found === undefined || found.kind !== 'spawn' || found.status === 'answered' || found.isDetached) return repeat
  const { attempt } = found
  if (end.type === 'completed') return accept({ type: 'node.completed', data: { effect, attempt, output: end.output } })
  return accept({ type: 'node.failed', data: { effect, attempt, error: end.error } })
}

/** A pending effect by its id, or by the node where that asks for one thing only. */
export function pendingOf(id: string, { pending }: JobSnapshot): Pending | undefined {
  const exact = pending.find(({ effect }) => effect === id)
  if (exact !== undefined) return exact
  const [only, second] = pending.filter(({ effect }) => isAbout(effect, id))
  return second === undefined ? only : undefined
}

/** Whether somebody who named `id`, a node or an effect, meant `effect`. */
export function isAbout(effect: string, id: string): boolean {
  return effect === id || nodeOf(effect) === id
}

/** Where a node stands, for the end of a sentence. */
function standing(id: string, job: JobSnapshot): string {
  const several = job.pending.filter(({ effect }) => isAbout(effect, id))
  if (several.length > 1)
    return `; name one of ${several
      .slice(0, 5)
      .map(({ effect }) => effect)
      .join(', ')}`
  const status = stands(id, job) ?? several[0]?.status
  if (status !== undefined) return `: it is ${status}`
  const names = new Set([...Object.keys(job.nodes), ...job.pending.map(({ effect }) => effect)])
  return `; the job has no such node${others(id, [...names])}`
}

/** Where a node stands, in words. */
function stands(node: string, job: JobSnapshot): string | undefined {
  const pending = pendingOf(node, job)
  return pending !== undefined && toBegin.has(pending.status) ? 'about to begin' : job.nodeStatus(node)
}

const toBegin: ReadonlySet<Pending['status']> = new Set(['requested', 'ready', 'interrupted'])

const othersMax = 5

/** What there is instead of a node that there is not: first what begins as its name does. */
function others(id: string, names: readonly string[]): string {
  const near = names.map((name) => ({ name, shared: sharedStart(name, id) })).sort((a, b) => b.shared - a.shared)
  const first = near.slice(0, othersMax).map(({ name }) => name)
  const more = names.length > othersMax ? `, and ${names.length - othersMax} more` : ''
  return names.length === 0 ? '' : ` (it has: ${first.join(', ')}${more})`
}

function sharedStart(one: string, other: string): number {
  let length = 0
  while (length < one.length && one[length] === other[length]) length += 1
  return length
}

function stateOf(job: JobSnapshot): string {
  return job.isFailing ? 'failing' : job.phase
}

/**
 * A decision, once it fits the agent: the schema of the tool that it speaks for, or of the agent whose job has ended, the
 * planner that it wants asked.
 */
export function fitting(decision: Decision, agent: AnyAgent, job: JobSnapshot): Decision {
  if (decision.type !== 'event') return decision
  if (decision.event.type === 'plan.revision_requested' && agent.planner === undefined) {
    return refuse(`Agent "${agent.name}" makes its plans in code; there is no planner that could be asked.`)
  }
  if (decision.event.type === 'node.completed') return fittingChild(decision.event.data, agent, job)
  if (decision.event.type !== 'node.resolved' || decision.event.data.as !== 'completed') return decision
  const { data } = decision.event
  const tool = agent.tools.get(pendingOf(data.effect, job)?.tool ?? '')
  if (tool === undefined) return decision
  const output = toolOutput(tool, data.output)
  if ('error' in output) return refuse(output.error.message)
  return accept({ type: 'node.resolved', data: { ...data, output: output.json } })
}

/** What a job gave that was waited for, where it is what its agent promises; else its node fails. */
function fittingChild(data: EventData<'node.completed'>, agent: AnyAgent, job: JobSnapshot): Decision {
  const { effect, attempt, output } = data
  const name = pendingOf(effect, job)?.agent ?? ''
  const parsed = agent.agents.get(name)?.output.safeParse(output)
  if (parsed?.success !== false) return accept({ type: 'node.completed', data })
  const childId = childIdOf(job.jobId, effect)
  const error = schemaError('OUTPUT_INVALID', `The output of job "${childId}", for agent "${name}",`, parsed.error)
  return accept({ type: 'node.failed', data: { effect, attempt, error: toErrorData(error) } })
}
