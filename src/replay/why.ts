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
}

/** Every reason, the ones that hold up all others first. Never empty: a job that moves has a call under way. */
export function why(job: JobSnapshot, { unread, isOwned }: Surroundings): Reason[] {
  if (job.status !== 'active') return [ended(job)]
  const reasons = [...heldUp(job), ...job.pending.map((pending) => reasonOf(pending, job))]
  if (unread > 0) reasons.push(unreadMessages(unread))
  if (!isOwned) reasons.unshift(unowned())
  return reasons.length > 0 ? reasons : [unowned()]
}

function ended({ phase, error }: JobSnapshot): Reason {
  const because = error === undefined ? '' : `: ${error.message}`
  return { kind: 'ended', what: `The job is ${phase}${because}.`, owes: 'nobody', moves: [] }
}

function unowned(): Reason {
  const what = 'Nobody runs the job: the process that did has ended.'
  return { kind: 'owner', what, owes: 'whoever starts the runtime', moves: ['run'] }
}

function unreadMessages(unread: number): Reason {
  const what = `${unread} message${unread === 1 ? '' : 's'} in its inbox have not been taken yet.`
  return { kind: 'message', what, owes: 'whoever runs the job', moves: ['run'] }
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
  if (isFailing || phase === 'cancelling') {
    const what = isFailing ? 'A node has failed; what is under way may end.' : `Being cancelled${who}${because}.`
    reasons.push({ kind: 'cancelling', what, owes: 'what is under way', ...since, moves: ['terminate'] })
  }
  return reasons
}

function reasonOf(pending: Pending, job: JobSnapshot): Reason {
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
      return { ...common, kind: 'approval', ...approving(pending) }
    case 'unknown':
      return { ...common, kind: 'outcome', ...unknown(pending) }
    case 'awaiting': {
      const what = `${effect} waits for job ${pending.childId}.`
      return { ...common, kind: 'child', what, owes: `job ${pending.childId}`, moves: [`why ${pending.childId}`] }
    }
    default:
      return { ...common, ...underWay(pending, job) }
  }
}

function waitingFor({ effect, signal }: Pending) {
  const what = `${effect} waits for the signal ${signal}.`
  return { what, owes: 'whoever sends the signal', moves: [`signal ${signal} JSON`] }
}

function backingOff({ effect, attempt, tool }: Pending) {
  const what = `Attempt ${attempt} of ${effect} failed; the next one follows.`
  return { what, owes: tool === undefined ? 'the clock' : `the clock, then the tool ${tool}`, moves: [] }
}

function approving({ effect, approval }: Pending) {
  const { tool = '', policy = {}, escalatedTo = [] } = approval ?? {}
  const names = [...(policy.by ?? []), ...escalatedTo]
  const what = `${effect} needs somebody to agree to a call of ${tool}.`
  const moves = Object.entries(optionsOf(policy)).map(([option, verdict]) =>
    option === verdict ? `${verdict} ${effect}` : `${verdict} ${effect} --option ${option}`,
  )
  return { what, owes: names.length === 0 ? 'somebody' : names.join(' or '), moves }
}

function unknown({ effect, tool, attempt }: Pending) {
  const what = `Nobody knows how attempt ${attempt} of ${effect} ended, and it must not be made twice.`
  const moves = ['--completed JSON', '--failed MESSAGE', '--again'].map((as) => `resolve ${effect} ${as}`)
  return { what, owes: `somebody who can find out${tool === undefined ? '' : ` what ${tool} did`}`, moves }
}

function underWay({ effect, kind, status, attempt, tool, progress }: Pending, { isHeld }: JobSnapshot) {
  const name = kind === 'plan' ? 'the planner' : tool === undefined ? effect : `the tool ${tool}`
  const reported = progress === undefined ? '' : ` It reported ${JSON.stringify(progress).slice(0, 200)}.`
  const is =
    status === 'started' ? `attempt ${attempt} is under way.${reported}` : isHeld ? 'is held up.' : 'is about to begin.'
  const what = kind === 'plan' ? `The plan is being made: ${is}` : `${effect}: ${is}`
  const owes = status === 'started' ? name : isHeld ? 'nobody until the job goes on' : 'whoever runs the job'
  return { kind: kind === 'plan' ? ('planner' as const) : ('call' as const), what, owes, moves: [] }
}
