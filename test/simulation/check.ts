import type { ErrorData } from '../../src/base/error.ts'
import { canonical, type Json } from '../../src/base/json.ts'
import type { JobEvent, NewEvent } from '../../src/event/event.ts'
import type { Commit, InboxMessage, JobRow, JobStore } from '../../src/store/store.ts'
import type { Kernel } from './kernel.ts'
import type { Call } from './world.ts'

/**
 * What must hold, whatever happens: a small model of its own of each job, made of nothing but what was written, what
 * was acknowledged, and what the outside world has seen. It uses none of the code that it checks.
 */

type Fact = NewEvent | JobEvent

/** One call of a tool, or of what stands for one: where it stands by the history. */
interface EffectModel {
  class: string
  begun: number
  attempt: number
  /** The attempt under way has an outcome. */
  settled: boolean
  /** The last attempt is known to have done nothing that counts, so that there may be another. */
  mayRepeat: boolean
  /** Somebody, or the tool, has said how the last attempt ended, and what it gave. */
  isTold: boolean
  /** An attempt may have done what it was to do without a word of it. */
  isOpen: boolean
  said: Json | undefined
  submitted: boolean
}

interface JobModel {
  facts: Fact[]
  /** Number of commits that were seen to be stored. */
  writes: number
  /** Number of events that were acknowledged. */
  acked: number
  epoch: number
  isEnded: boolean
  isPaused: boolean
  effects: Map<string, EffectModel>
  /** Messages in order of arrival, and how many of them were taken. */
  signals: string[]
  /** How often each was sent; what nobody was told of may be there all the same, in whatever order. */
  asked: Map<string, number>
  /** Those of which somebody was told that they are there, and those that were taken. */
  accepted: Set<string>
  seen: Set<string>
  timers: Map<string, number>
  approvals: Map<string, 'asked' | 'approved' | 'denied'>
  /** Ids of the jobs that were started, by the effect that asked for them. */
  children: Map<string, string>
  /** Nodes of the plan that can be undone, those of them that may have taken effect, and what was undone. */
  undoable: Set<string>
  done: Map<string, Doing>
  undone: Set<string>
}

/** The place of events in a history: when something was begun, and when it was known to be done. */
interface Doing {
  begun: number
  known: number | undefined
}

const endTypes = new Set(['job.completed', 'job.failed', 'job.cancelled', 'job.terminated'])
const afterEnd = new Set(['node.late_result', 'job.restarted'])

export class Checker {
  readonly jobs = new Map<string, JobModel>()
  private readonly kernel: Kernel
  /** Given by the world: how a call ended; undefined where none was made. */
  callOf: (job: string, effect: string, attempt: number) => Call | undefined = () => undefined

  constructor(kernel: Kernel) {
    this.kernel = kernel
  }

  job(id: string): JobModel {
    const known = this.jobs.get(id)
    if (known !== undefined) return known
    const model: JobModel = {
      ...{ facts: [], writes: 0, acked: 0, epoch: 1, isEnded: false, isPaused: false, effects: new Map() },
      ...{
        signals: [],
        asked: new Map(),
        accepted: new Set(),
        seen: new Set(),
        timers: new Map(),
        approvals: new Map(),
      },
      children: new Map(),
      ...{ undoable: new Set(), done: new Map(), undone: new Set() },
    }
    this.jobs.set(id, model)
    return model
  }

  // --- what is written

  /** A commit is in the store. */
  async stored({ lease, expectedSeq, events }: Commit, store: JobStore): Promise<void> {
    const job = this.job(lease.jobId)
    job.writes += 1
    if (expectedSeq > job.facts.length) await this.catchUp(lease.jobId, store)
    // What is there already was taken when its epoch was the one that counts, and may be said again.
    const isNew = expectedSeq + events.length > job.facts.length
    if (isNew && lease.epoch < job.epoch)
      this.kernel.fail(`${lease.jobId}: a commit of epoch ${lease.epoch} was taken at ${job.epoch}`)
    if (expectedSeq > job.facts.length)
      this.kernel.fail(`${lease.jobId}: a commit at ${expectedSeq} after ${job.facts.length} events`)
    for (const [index, event] of events.entries()) this.add(lease.jobId, expectedSeq + index, event)
    if (isNew && events.some(({ type }) => type === 'job.restarted')) await this.isListed(lease.jobId, store)
  }

  acked(jobId: string, seq: number): void {
    const job = this.job(jobId)
    job.acked = Math.max(job.acked, seq)
  }

  claimed({ id, epoch }: JobRow): void {
    const job = this.job(id)
    if (epoch <= job.epoch) this.kernel.fail(`${id}: claimed with epoch ${epoch}, which is not above ${job.epoch}`)
    job.epoch = epoch
  }

  sent({ jobId, id, kind }: InboxMessage, isNew: boolean): void {
    const { signals, asked, accepted } = this.job(jobId)
    if (kind !== 'signal') return
    accepted.add(id)
    if (isNew && signals.includes(id)) this.kernel.fail(`${jobId}: message ${id} was accepted twice`)
    if (!isNew && asked.get(id) === 1)
      this.kernel.fail(`${jobId}: message ${id} was never sent, and is said to be known`)
    if (isNew) signals.push(id)
  }

  /** Somebody is about to send a message; whether it gets there they may never be told. */
  sending({ jobId, id, kind }: InboxMessage): void {
    const { asked } = this.job(jobId)
    if (kind === 'signal') asked.set(id, (asked.get(id) ?? 0) + 1)
  }

  /** A write that nobody was told of may be there all the same. */
  private async catchUp(jobId: string, store: JobStore): Promise<void> {
    const from = this.job(jobId).facts.length
    for await (const chunk of store.read(jobId, { from })) for (const event of chunk) this.add(jobId, event.seq, event)
  }

  /** After a crash: what was acknowledged has to be there, and what is there has to follow from what was written. */
  async recovered(store: JobStore): Promise<void> {
    for (const [id, job] of this.jobs) {
      const row = await store.get(id)
      const there = row?.seq ?? 0
      if (there < job.acked) this.kernel.fail(`${id}: ${job.acked} events were acknowledged and ${there} are there`)
      if (row === undefined) {
        this.jobs.delete(id)
        continue
      }
      if (row.epoch < job.epoch) this.kernel.fail(`${id}: its epoch went back from ${job.epoch} to ${row.epoch}`)
      this.rebuild(id, await this.historyOf(id, store), job)
    }
    for (const id of this.jobs.keys()) await this.isListed(id, store)
  }

  /** All that is stored, read again where a zombie writes meanwhile. */
  private async historyOf(jobId: string, store: JobStore): Promise<JobEvent[]> {
    for (;;) {
      const { writes } = this.job(jobId)
      const facts: JobEvent[] = []
      for await (const chunk of store.read(jobId)) facts.push(...chunk)
      if (this.job(jobId).writes === writes) return facts
    }
  }

  /** Whoever begins anew goes on with the jobs that are listed. */
  private async isListed(jobId: string, store: JobStore): Promise<void> {
    const { isEnded } = this.job(jobId)
    for await (const { id } of store.list({ unfinished: true })) if (id === jobId && !isEnded) return
    if (!isEnded) this.kernel.fail(`${jobId}: is not listed as unfinished`)
  }

  /** Nothing was wrong for long: what was said to a job has to be in its history by now. */
  allTaken(): void {
    for (const [id, { accepted, seen, isEnded }] of this.jobs) {
      const left = isEnded ? undefined : [...accepted].find((message) => !seen.has(message))
      if (left !== undefined) this.kernel.fail(`${id}: message ${left} was accepted, and nobody takes it`)
    }
  }

  /** What a parent was told of its child is what became of it. */
  familiesAgree(): void {
    for (const [id, { children, facts }] of this.jobs) {
      for (const [effect, childId] of children) {
        const told = facts.findLast(
          ({ type, data }) => (type === 'node.completed' || type === 'node.failed') && data.effect === effect,
        )
        const end = this.jobs.get(childId)?.facts.findLast(({ type }) => endTypes.has(type))
        if (told === undefined || end === undefined) continue
        if ((told.type === 'node.completed') !== (end.type === 'job.completed'))
          this.kernel.fail(`${id}: ${effect} is ${told.type}, and its job is ${end.type}`)
      }
    }
  }

  private rebuild(id: string, facts: readonly JobEvent[], before: JobModel): void {
    for (const [seq, fact] of facts.entries()) {
      const known = before.facts[seq]
      if (known !== undefined && !isSame(known, fact))
        this.kernel.fail(`${id}: event ${seq} is another one after a crash`)
    }
    if (facts.length === before.facts.length) return
    // Something that nobody was told of was lost, or is there all the same: its part of the model is made anew.
    this.jobs.delete(id)
    const job = this.job(id)
    job.signals = before.signals
    job.asked = before.asked
    job.accepted = before.accepted
    job.epoch = before.epoch
    for (const fact of facts) this.add(id, fact.seq, fact)
    job.acked = before.acked
  }

  // --- what an event means

  private add(jobId: string, seq: number, event: Fact): void {
    const job = this.job(jobId)
    const known = job.facts[seq]
    if (known !== undefined) {
      if (!isSame(known, event)) this.kernel.fail(`${jobId}: event ${seq} was written twice, and differs`)
      return
    }
    job.facts.push(event)
    this.kernel.log(`${jobId} ${seq} ${event.type} ${brief(event)}`)
    const wrong = this.wrong(jobId, job, seq, event)
    if (wrong !== undefined) this.kernel.fail(`${jobId} ${seq} ${event.type}: ${wrong}`)
  }

  private wrong(jobId: string, job: JobModel, seq: number, event: Fact): string | undefined {
    if ((seq === 0) !== (event.type === 'job.created')) return 'is in the wrong place'
    if (job.isEnded && !afterEnd.has(event.type)) return 'comes after the end of the job'
    if (endTypes.has(event.type)) {
      job.isEnded = true
      const left = leftUndone(job)
      if (left !== undefined && (event.type === 'job.failed' || event.type === 'job.cancelled'))
        return `leaves ${left} as it is, which was to be undone`
    }
    const { type, data } = event
    switch (type) {
      case 'job.restarted':
        job.isEnded = false
        return undefined
      case 'plan.adopted':
      case 'plan.revised':
        return planned(job, data.graph)
      case 'job.paused':
      case 'job.resumed':
      // Who ends a job that is paused wants it undone.
      case 'job.cancel_requested':
        job.isPaused = type === 'job.paused'
        return undefined
      case 'node.started':
        return this.begun(job, seq, data.effect, data.class)
      case 'node.attempted':
        return attempted(job, data)
      case 'job.recovered':
        return interrupted(job)
      case 'node.submitted':
        return change(job, data.effect, { submitted: true })
      case 'node.completed':
        return this.completed(jobId, job, data)
      case 'node.failed':
        return this.failed(jobId, job, data)
      case 'node.cancelled':
        return settled(job, data.effect, data.attempt, {})
      case 'node.retried':
        if (passing.has(data.error.code ?? '')) return `counts what the store said as an attempt: ${data.error.code}`
        mayHaveTakenEffect(job, data.effect, data.error)
        return settled(job, data.effect, data.attempt, { mayRepeat: true })
      case 'plan.rejected':
        return settled(job, data.effect, data.attempt, { mayRepeat: true })
      case 'node.outcome_unknown':
        tookEffect(job, data.effect, undefined)
        return settled(job, data.effect, data.attempt, {})
      case 'node.reconciled':
        if (data.answer === 'failed' || data.answer === 'absent') didNothing(job, data.effect)
        return change(job, data.effect, { mayRepeat: data.answer === 'absent', isTold: true, said: data.output })
      case 'node.resolved':
        // Whoever lets it be made again answers for it that it has done nothing.
        if (data.as !== 'completed') didNothing(job, data.effect)
        return change(job, data.effect, { mayRepeat: data.as === 'again', isTold: true, said: data.output })
      case 'child.spawned':
        job.children.set(data.effect, data.jobId)
        return undefined
      case 'signal.received':
        return taken(job, data.message)
      case 'timer.armed':
        job.timers.set(data.timer, data.dueAt)
        return undefined
      case 'timer.fired':
        return fired(job, data.timer, event.at)
      case 'approval.requested':
        job.approvals.set(data.effect, 'asked')
        return undefined
      case 'approval.decided':
        return decided(job, data.effect, data.verdict)
      default:
        return undefined
    }
  }

  private begun(job: JobModel, seq: number, effect: string, effectClass: string): string | undefined {
    if (job.effects.has(effect)) return 'was started before'
    if (job.isPaused) return 'was started while the job was paused'
    const wrong = effect.startsWith(undoing) ? undone(job, effect.slice(undoing.length)) : undefined
    if (wrong !== undefined) return wrong
    const approval = job.approvals.get(effect)
    if (approval !== undefined && approval !== 'approved') return `was started while its approval was ${approval}`
    const model = { class: effectClass, begun: seq, attempt: 1, settled: false, mayRepeat: false, submitted: false }
    job.effects.set(effect, { ...model, isTold: false, isOpen: false, said: undefined })
    return undefined
  }

  private completed(
    jobId: string,
    job: JobModel,
    { effect, attempt, output }: { effect: string; attempt: number; output: Json },
  ): string | undefined {
    const model = job.effects.get(effect)
    if (model === undefined) return undefined // a wait
    const call = this.callOf(jobId, effect, attempt)
    if (call !== undefined && call.output === undefined && !model.isTold) return 'has not returned'
    const truth = model.said === undefined ? call?.output : model.said
    if (truth !== undefined && canonical(truth) !== canonical(output))
      return `says ${canonical(output)}, and it was ${canonical(truth)}`
    tookEffect(job, effect, job.facts.length - 1)
    return settled(job, effect, attempt, {})
  }

  private failed(
    jobId: string,
    job: JobModel,
    { effect, attempt, error }: { effect: string; attempt: number; error: ErrorData },
  ): string | undefined {
    if (passing.has(error.code ?? '')) return `fails for what the store said: ${error.code}`
    const model = job.effects.get(effect)
    const call = this.callOf(jobId, effect, attempt)
    const isOpen = model?.class === 'once' && !model.isTold && call !== undefined && !call.hasFailed
    if (isOpen) return `says ${error.code ?? error.name}, and nobody can know`
    mayHaveTakenEffect(job, effect, error)
    if (model?.isOpen && !model.isTold) tookEffect(job, effect, job.facts.length - 1)
    return settled(job, effect, attempt, {})
  }

  // --- what the outside world sees

  /** A tool is called. */
  called({ job: jobId, effect, attempt, key }: Call, earlier: readonly Call[]): void {
    const job = this.job(jobId)
    const of = `${jobId}: ${effect}, attempt ${attempt},`
    const at = job.facts.findIndex(
      ({ type, data }) =>
        (type === 'node.started' && data.effect === effect && attempt === 1) ||
        (type === 'node.attempted' && data.effect === effect && data.attempt === attempt),
    )
    if (at < 0) this.kernel.fail(`${of} is called without an event that says so`)
    else if (at >= job.acked) this.kernel.fail(`${of} is called before event ${at} is durable (${job.acked} are)`)
    if (earlier.some((call) => call.attempt === attempt)) this.kernel.fail(`${of} is called twice`)
    if (earlier.some((call) => call.key !== key)) this.kernel.fail(`${of} has another idempotency key than before`)
  }

  /** Whether the history knows that a call goes on as a task, and nobody has let it be made again. */
  isTask({ job, effect }: Call): boolean {
    const model = this.job(job).effects.get(effect)
    return model?.submitted === true && !model.isTold
  }

  problem(jobId: string, error: unknown): void {
    const { code, message } = error as { code?: string; message: string }
    // The store says these of a process that is not the owner any more, or while it opens again.
    this.kernel.log(`${jobId} cannot go on: ${code ?? ''} ${message}`)
    if (code !== undefined && passing.has(code)) return
    this.kernel.fail(`${jobId} cannot go on: ${code ?? ''} ${message}`)
  }
}

const passing = new Set([
  'LEASE_FENCED',
  'COMMIT_CONFLICT',
  'STORE_FAILED',
  'STORE_CLOSED',
  'COMMIT_UNKNOWN',
  'RUNTIME_CLOSED',
])

const undoing = 'job.undo/'

function planned(job: JobModel, graph: Json): undefined {
  const { nodes } = graph as unknown as { nodes: { id: string; compensate?: unknown }[] }
  for (const { id, compensate } of nodes) if (compensate !== undefined) job.undoable.add(id)
}

function tookEffect(job: JobModel, effect: string, known: number | undefined): void {
  const node = nodeOf(effect)
  if (!job.undoable.has(node)) return
  job.undone.delete(node)
  job.done.set(node, { begun: job.effects.get(effect)?.begun ?? 0, known })
}

/** An attempt has failed that may have done all the same what it was to do. */
function mayHaveTakenEffect(job: JobModel, effect: string, error: ErrorData): void {
  const model = job.effects.get(effect)
  const isOpen = error.code === 'TOOL_TIMEOUT' || error.name === 'OutcomeUnknownError'
  if (isOpen && model !== undefined && model.class !== 'read' && !model.settled) model.isOpen = true
}

/** What was under way has lost its process. */
function interrupted({ effects }: JobModel): undefined {
  for (const model of effects.values()) if (model.class === 'idempotent' && !model.settled) model.isOpen = true
}

/** Somebody who knows has said so. */
function didNothing(job: JobModel, effect: string): void {
  job.done.delete(nodeOf(effect))
}

/** What was done last is undone first, and once. */
function undone(job: JobModel, effect: string): string | undefined {
  const node = nodeOf(effect)
  const doing = job.done.get(node)
  if (doing === undefined) return 'undoes what was never done'
  if (job.undone.has(node)) return 'undoes what was undone'
  job.undone.add(node)
  for (const [other, { begun, known }] of job.done) {
    if (job.undone.has(other) || doing.known === undefined) continue
    // Of what has no known end, this much is certain: it was not done before it began.
    if ((known ?? begun) > doing.known) return `is undone before ${other}, which was done after it`
  }
  return undefined
}

/** What was surely done, and nobody has begun to undo; where undoing fails, a person has to see to the rest. */
function leftUndone({ done, undone: begun, effects, facts }: JobModel): string | undefined {
  if (facts.some(({ type, data }) => type === 'node.failed' && data.effect.startsWith(undoing))) return undefined
  for (const [node, { known }] of done) if (known !== undefined && !begun.has(node)) return node
  for (const [effect, { settled: isSettled }] of effects)
    if (effect.startsWith(undoing) && !isSettled) return effect.slice(undoing.length)
  return undefined
}

function nodeOf(effect: string): string {
  return effect.split(/[#/]/)[0] as string
}

function attempted(
  job: JobModel,
  { effect, attempt, cause }: { effect: string; attempt: number; cause: string },
): string | undefined {
  const model = job.effects.get(effect)
  if (model === undefined) return 'was never started'
  if (job.isPaused) return 'is another attempt while the job is paused'
  if (attempt !== model.attempt + 1) return `is attempt ${attempt} after ${model.attempt}`
  const isFree = model.class !== 'once' || model.mayRepeat || (model.submitted && cause === 'recovery')
  if (!isFree) return 'is a once call that is made again, and nobody has said that it may be'
  Object.assign(model, { attempt, settled: false, mayRepeat: false, isTold: false })
  return undefined
}

function settled(job: JobModel, effect: string, attempt: number, fields: Partial<EffectModel>): string | undefined {
  const model = job.effects.get(effect)
  if (model === undefined) return undefined // denied, or a wait, or withdrawn before it began
  if (attempt !== model.attempt) return `is of attempt ${attempt}, and ${model.attempt} is under way`
  Object.assign(model, { settled: true, ...fields })
  return undefined
}

function change(job: JobModel, effect: string, fields: Partial<EffectModel>): string | undefined {
  const model = job.effects.get(effect)
  if (model === undefined) return 'was never started'
  Object.assign(model, fields)
  return undefined
}

function taken(job: JobModel, message: string): string | undefined {
  if (job.seen.has(message)) return `takes message ${message} again`
  job.seen.add(message)
  if (!job.signals.includes(message))
    return job.asked.has(message) ? undefined : `takes message ${message}, which nobody sent`
  const expected = job.signals.find((each) => !job.seen.has(each) || each === message)
  return expected === message ? undefined : `takes message ${message} where ${expected} is next`
}

function fired(job: JobModel, timer: string, at: number): string | undefined {
  const dueAt = job.timers.get(timer)
  if (dueAt === undefined) return `${timer} was not armed, or has fired before`
  job.timers.delete(timer)
  return at < dueAt ? `${timer} is due at ${dueAt}, and it is ${at}` : undefined
}

function decided(job: JobModel, effect: string, verdict: string): string | undefined {
  if (job.approvals.get(effect) !== 'asked') return `is not asked for (${job.approvals.get(effect)})`
  job.approvals.set(effect, verdict === 'approve' ? 'approved' : 'denied')
  return undefined
}

function isSame(left: Fact, right: Fact): boolean {
  return (
    left.id === right.id && left.type === right.type && canonical(left.data as Json) === canonical(right.data as Json)
  )
}

function brief({ data }: Fact): string {
  const text = JSON.stringify(data)
  return text.length > 140 ? `${text.slice(0, 140)}…` : text
}
