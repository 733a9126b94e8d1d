import { optionsOf } from '../event/approval.ts'
import type { JobSnapshot, Pending } from './job-snapshot.ts'

/** Why a job does not move right now: what it waits for, who owes that, since when, and what would move it on. */
export interface Reason {
  kind:
    | 'ended'
    | 'paused'
    | 'budget'
    | 'cancelling'
    | 'message'
    | 'owner'
    | 'signal'
    | 'timer'
    | 'retry'
    | 'approval'
    | 'outcome'
    | 'call'
    | 'child'
    | 'planner'
    | 'machine'
  /** The effect that is concerned. */
  effect?: string
  /** A sentence. */
  what: string
  /** Who has to do something: names, a tool, a clock, another job, whoever runs the job. */
  owes: string
  /** Epoch milliseconds; absent where that is not known. */
  since?: number
  /** When it moves by itself, in epoch milliseconds. */
  dueAt?: number
  /** What somebody can do, each as a verb with its arguments: `approve pay`, `signal approval`, `resume`. */
  moves: readonly string[]
}

/** What is known beside the history. */
export interface Surroundings {
  /** Messages in the inbox that the job has not got to. */
  unread: number
  /** Somebody runs the job: its owner is alive. */
  isOwned: boolean
  /** Signals that its hand-written machine takes where it stands; undefined where that is not known. */
  takes: readonly string[] | undefined
}

/** Every reason, the ones that hold up all others first. Never empty: a job that moves has a call under way. */
export function why(job: JobSnapshot, around: Surroundings): Reason[] {
  const { unread, isOwned, takes } = around
  if (job.status !== 'active') return [ended(job)]
  const reasons = [...heldUp(job), ...job.pending.map((pending) => reasonOf(pending, job, around))]
  for (const signal of takes ?? []) reasons.push({ kind: 'signal', ...taking(signal) })
  if (unread > 0) reasons.push(unreadMessages(unread, isOwned))
  if (reasons.length === 0 && job.graph === undefined) reasons.push(stuck(takes))
  if (!isOwned || reasons.length === 0) reasons.unshift(unowned())
  return reasons
}

function ended({ phase, error, nodes, wasUndone }: JobSnapshot): Reason {
  const because = error === undefined ? '' : `: ${error.message.replace(/\.$/, '')}`
  const failed = phase === 'failed' && !wasUndone ? Object.keys(nodes).filter((node) => nodes[node] === 'failed') : []
  const moves = failed.map((node) => `retry ${node}`)
  return { kind: 'ended', what: `The job is ${phase}${because}.`, owes: 'nobody', moves }
}

function unowned(): Reason {
  const what = 'Nobody runs the job: the process that did has ended.'
  return { kind: 'owner', what, owes: 'whoever starts the runtime', moves: ['run'] }
}

/** A hand-written machine that is in a state which nothing leaves. */
function stuck(takes: Surroundings['takes']): Reason {
  const known = 'Its machine takes no signal in this state, and no timer runs.'
  const unknown = 'Its machine waits in this state; for what is not known without its module.'
  const moves = ['cancel', 'terminate']
  return { kind: 'machine', what: takes === undefined ? unknown : known, owes: 'somebody', moves }
}

function unreadMessages(unread: number, isOwned: boolean): Reason {
  const what = unread === 1 ? 'A message in its inbox is unread.' : `${unread} messages in its inbox are unread.`
  return { kind: 'message', what, owes: 'whoever runs the job', moves: isOwned ? ['run'] : [] }
}

function heldUp({ held, isHeld, isFailing, phase }: JobSnapshot): Reason[] {
  const reasons: Reason[] = []
  const who = held?.by === undefined ? '' : ` by ${held.by}`
  const because = held?.reason === undefined ? '' : `: ${held.reason}`
  const since = held === undefined ? {} : { since: held.since }
  if (isHeld && held?.type === 'paused') {
    reasons.push({ kind: 'paused', what: `Paused${who}${because}.`, owes: 'somebody', ...since, moves: ['resume'] })
  }
  if (isHeld && held?.type === 'budgetExceeded') {
    const what = `Its budget is used up: ${held.limit} is at ${held.used} of ${held.max}.`
    const moves = [`resume --budget ${held.limit}=NUMBER`, 'cancel']
    reasons.push({ kind: 'budget', what, owes: 'somebody', ...since, moves })
  }
  const ending = { kind: 'cancelling' as const, owes: 'what is under way', ...since, moves: ['terminate'] }
  if (isFailing) reasons.push({ ...ending, what: 'A node has failed; what is under way may end.' })
  if (phase === 'cancelling') reasons.push({ ...ending, what: `Being cancelled${who}${because}.` })
  if (phase === 'compensating') reasons.push({ ...ending, what: 'What it has done is being undone.' })
  return reasons
}

function reasonOf(pending: Pending, job: JobSnapshot, around: Surroundings): Reason {
  const { effect, since, dueAt } = pending
  const common = { effect, since, ...(dueAt === undefined ? {} : { dueAt }) }
  switch (pending.status) {
    case 'waiting':
    case 'answered':
      return { ...common, kind: 'signal', ...waitingFor(pending) }
    case 'sleeping':
      return { ...common, kind: 'timer', what: `${effect} sleeps.`, owes: 'the clock', moves: [] }
    case 'backoff':
      return { ...common, kind: 'retry', ...backingOff(pending) }
    case 'approving':
      return { effect, since, kind: 'approval', ...approving(pending) }
    case 'unknown':
      return { ...common, kind: 'outcome', ...unknown(pending) }
    case 'awaiting': {
      const what = `${effect} waits for job ${pending.childId}.`
      return { ...common, kind: 'child', what, owes: `job ${pending.childId}`, moves: [`why ${pending.childId}`] }
    }
    default:
      return { ...common, ...underWay(pending, job, around) }
  }
}

function waitingFor({ effect, signal }: Pending) {
  return { ...taking(String(signal)), what: `${effect} waits for the signal "${signal}".` }
}

function taking(signal: string) {
  const what = `The job takes the signal "${signal}".`
  return { what, owes: 'whoever sends the signal', moves: [`signal ${signal} JSON`] }
}

function backingOff({ effect, attempt, tool }: Pending) {
  const what = `Attempt ${attempt} of ${effect} failed; the next one follows.`
  return { what, owes: tool === undefined ? 'the clock' : `the clock, then the tool ${tool}`, moves: [] }
}

function approving({ effect, approval, since }: Pending) {
  const { tool = '', policy = {}, escalatedTo = [] } = approval ?? {}
  const names = [...(policy.by ?? []), ...escalatedTo]
  const what = `${effect} needs somebody to agree to a call of ${tool}.`
  const moves = Object.entries(optionsOf(policy)).map(([option, verdict]) =>
    option === verdict ? `${verdict} ${effect}` : `${verdict} ${effect} --option ${option}`,
  )
  // Also the timer of an escalation runs, which moves nothing.
  const until = policy.timeoutMs === undefined ? {} : { dueAt: since + policy.timeoutMs }
  return { what, owes: names.length === 0 ? 'somebody' : names.join(' or '), moves, ...until }
}

function unknown({ effect, tool, attempt }: Pending) {
  const what = `Nobody knows how attempt ${attempt} of ${effect} ended, and it must not be made twice.`
  const moves = ['--completed JSON', '--failed MESSAGE', '--again'].map((as) => `resolve ${effect} ${as}`)
  return { what, owes: `somebody who can find out${tool === undefined ? '' : ` what ${tool} did`}`, moves }
}

function underWay(pending: Pending, { isHeld }: JobSnapshot, { isOwned }: Surroundings) {
  const { effect, kind, status, attempt, tool, progress } = pending
  const isPlanner = kind === 'plan'
  const isUnderWay = status === 'started' && isOwned
  const reported = progress === undefined ? '' : ` It reported ${JSON.stringify(progress).slice(0, 200)}.`
  const is = isUnderWay ? 'is under way' : 'was under way when its process ended'
  const next = isHeld ? 'is held up.' : 'is about to begin.'
  const where = status === 'started' ? `attempt ${attempt} ${is}.${reported}` : next
  const name = isPlanner ? 'the planner' : tool === undefined ? effect : `the tool ${tool}`
  return {
    kind: isPlanner ? ('planner' as const) : ('call' as const),
    what: `${isPlanner ? 'The plan is being made' : effect}: ${where}`,
    owes: isUnderWay ? name : isHeld ? 'nobody until the job goes on' : 'whoever runs the job',
    moves: [],
  }
}
