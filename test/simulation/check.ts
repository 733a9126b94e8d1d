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
  attempt: number
  /** The attempt under way has an outcome. */
  settled: boolean
  /** The last attempt is known to have done nothing that counts, so that there may be another. */
  mayRepeat: boolean
  /** What somebody, or the tool, said that it gave. */
  said: Json | undefined
  submitted: boolean
}

interface JobModel {
  facts: Fact[]
  /** Number of events that were acknowledged. */
  acked: number
  epoch: number
  isEnded: boolean
  effects: Map<string, EffectModel>
  /** Messages in order of arrival, and how many of them were taken. */
  signals: string[]
  /** How often each was sent; what nobody was told of may be there all the same, in whatever order. */
  asked: Map<string, number>
  seen: Set<string>
  timers: Map<string, number>
  approvals: Map<string, 'asked' | 'approved' | 'denied'>
  /** Nodes of the plan that can be undone, those of them that may have taken effect, in order, and what was undone. */
  undoable: Set<string>
  done: string[]
  undone: Set<string>
}

const endTypes = new Set(['job.completed', 'job.failed', 'job.cancelled', 'job.terminated'])
const afterEnd = new Set(['node.late_result', 'job.restarted'])

export class Checker {
  readonly jobs = new Map<string, JobModel>()
  private readonly kernel: Kernel
  /** Given by the world: what a call gave back, if it did. */
  returned: (job: string, effect: string, attempt: number) => { output: Json } | undefined = () => undefined

  constructor(kernel: Kernel) {
    this.kernel = kernel
  }

  job(id: string): JobModel {
    const known = this.jobs.get(id)
    if (known !== undefined) return known
    const model: JobModel = {
      ...{ facts: [], acked: 0, epoch: 1, isEnded: false, effects: new Map() },
      ...{ signals: [], asked: new Map(), seen: new Set(), timers: new Map(), approvals: new Map() },
      ...{ undoable: new Set(), done: [], undone: new Set() },
    }
    this.jobs.set(id, model)
    return model
  }

  // --- what is written

  /** A commit is in the store. */
  async stored({ lease, expectedSeq, events }: Commit, store: JobStore): Promise<void> {
    const job = this.job(lease.jobId)
    if (expectedSeq > job.facts.length) await this.catchUp(lease.jobId, store)
    if (lease.epoch < job.epoch)
      this.kernel.fail(`${lease.jobId}: a commit of epoch ${lease.epoch} was taken at ${job.epoch}`)
    if (expectedSeq > job.facts.length)
      this.kernel.fail(`${lease.jobId}: a commit at ${expectedSeq} after ${job.facts.length} events`)
    for (const [index, event] of events.entries()) this.add(lease.jobId, expectedSeq + index, event)
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
    const { signals, asked } = this.job(jobId)
    if (kind !== 'signal') return
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
      const facts: JobEvent[] = []
      for await (const chunk of store.read(id)) facts.push(...chunk)
      this.rebuild(id, facts, job)
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
    if (endTypes.has(event.type)) job.isEnded = true
    const { type, data } = event
    switch (type) {
      case 'job.restarted':
        job.isEnded = false
        return undefined
      case 'plan.adopted':
      case 'plan.revised':
        return planned(job, data.graph)
      case 'node.started':
        return this.begun(job, data.effect, data.class)
      case 'node.attempted':
        return attempted(job, data)
      case 'node.submitted':
        return change(job, data.effect, { submitted: true })
      case 'node.completed':
        return this.completed(jobId, job, data)
      case 'node.failed':
      case 'node.cancelled':
        return settled(job, data.effect, data.attempt, {})
      case 'node.retried':
      case 'plan.rejected':
        return settled(job, data.effect, data.attempt, { mayRepeat: true })
      case 'node.outcome_unknown':
        tookEffect(job, data.effect)
        return settled(job, data.effect, data.attempt, {})
      case 'node.reconciled':
        return change(job, data.effect, { mayRepeat: data.answer === 'absent', said: data.output })
      case 'node.resolved':
        return change(job, data.effect, { mayRepeat: data.as === 'again', said: data.output })
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

  private begun(job: JobModel, effect: string, effectClass: string): string | undefined {
    if (job.effects.has(effect)) return 'was started before'
    const wrong = effect.startsWith(undoing) ? undone(job, effect.slice(undoing.length)) : undefined
    if (wrong !== undefined) return wrong
    const approval = job.approvals.get(effect)
    if (approval !== undefined && approval !== 'approved') return `was started while its approval was ${approval}`
    const model = {
      class: effectClass,
      attempt: 1,
      settled: false,
      mayRepeat: false,
      said: undefined,
      submitted: false,
    }
    job.effects.set(effect, model)
    return undefined
  }

  private completed(
    jobId: string,
    job: JobModel,
    { effect, attempt, output }: { effect: string; attempt: number; output: Json },
  ): string | undefined {
    const model = job.effects.get(effect)
    if (model === undefined) return undefined // a wait
    const truth = model.said === undefined ? this.returned(jobId, effect, attempt)?.output : model.said
    if (truth !== undefined && canonical(truth) !== canonical(output))
      return `says ${canonical(output)}, and it was ${canonical(truth)}`
    tookEffect(job, effect)
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

function tookEffect(job: JobModel, effect: string): void {
  const node = nodeOf(effect)
  if (!job.undoable.has(node)) return
  job.undone.delete(node)
  job.done = [...job.done.filter((each) => each !== node), node]
}

/** What was done last is undone first, and once. */
function undone(job: JobModel, effect: string): string | undefined {
  const node = nodeOf(effect)
  const at = job.done.indexOf(node)
  if (at < 0) return 'undoes what was never done'
  if (job.undone.has(node)) return 'undoes what was undone'
  job.undone.add(node)
  const earlier = job.done.slice(at + 1).find((each) => !job.undone.has(each))
  return earlier === undefined ? undefined : `is undone before ${earlier}, which was done after it`
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
  if (attempt !== model.attempt + 1) return `is attempt ${attempt} after ${model.attempt}`
  const isFree = model.class !== 'once' || model.mayRepeat || (model.submitted && cause === 'recovery')
  if (!isFree) return 'is a once call that is made again, and nobody has said that it may be'
  Object.assign(model, { attempt, settled: false, mayRepeat: false })
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
