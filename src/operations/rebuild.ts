import type { AnyAgent } from '../agent/agent.ts'
import { isAetherisError } from '../base/error.ts'
import { type EventData, endTypes, type JobEvent } from '../event/event.ts'
import { Execution } from '../replay/execution.ts'
import { programsOf } from '../replay/programs.ts'
import { foldEvent } from '../replay/verify-fold.ts'
import { childEnd } from '../runtime/family.ts'
import { statusOf } from '../runtime/runner.ts'
import { defaultPriority } from '../scheduler/slots.ts'
import type { CommitHead } from '../store/level-medium.ts'
import type { Salvage, Salvaged } from '../store/level-salvage.ts'
import { endStatuses, type JobRow, type JobStatus, type JobStore, keyPart } from '../store/store.ts'
import { corrupt } from '../store/store-error.ts'
import { Refill } from './refill.ts'

/** Fills a new store with what was salvaged, and says what is lost. */

export interface RebuildOptions {
  /** The definition of an agent, where a job cannot be folded without it: hand-written machines. Default: unknown. */
  agentOf?: (created: EventData<'job.created'>) => Promise<AnyAgent | undefined>
  /** Told after each job, with the number of jobs so far. */
  onProgress?: (jobs: number) => void
}

/** What was lost of one job. */
export interface JobLoss {
  jobId: string
  /** Events that were kept: those before this seq. 0: the job is lost. */
  kept: number
  /** Events that there once were, as far as is known; those from `kept` on are lost. */
  known: number
  /** What else is lost, in sentences. */
  losses: string[]
}

export interface RepairReport {
  jobs: number
  events: number
  pruned: number
  /** Jobs of which something is lost. Of all others everything was kept. */
  damaged: JobLoss[]
  /** Why more may be lost than can be told, in sentences; empty where `damaged` is all. */
  doubts: string[]
  /** Jobs that pause before they do anything: what they have done is not known for certain. */
  paused: string[]
}

/** A job that waits for another one that it has started. */
interface Awaiting {
  jobId: string
  effect: string
  childId: string
}

export class Rebuilding {
  private readonly report: RepairReport = { jobs: 0, events: 0, pruned: 0, damaged: [], doubts: [], paused: [] }
  private readonly store: JobStore
  private readonly salvage: Salvage
  private readonly witnessed: CommitHead | undefined
  private readonly options: RebuildOptions
  private readonly awaiting: Awaiting[] = []
  private readonly unfinished: string[] = []
  private readonly lost: string[] = []

  constructor(
    store: JobStore,
    salvage: Salvage,
    witnessed: CommitHead | undefined,
    doubts: readonly string[],
    options: RebuildOptions,
  ) {
    this.store = store
    this.salvage = salvage
    this.witnessed = witnessed
    this.options = options
    this.report.doubts.push(...doubts)
  }

  async run(now: number): Promise<RepairReport> {
    const { report, store, salvage } = this
    for await (const job of salvage.jobs()) {
      await this.rebuild(job)
      this.options.onProgress?.(report.jobs)
    }
    this.doubtCommits()
    for (const { id, prunedAt } of salvage.tombstones) await store.prune([id], prunedAt)
    // What a lost job has done is done: another one of its id would do it again.
    await store.prune(
      this.lost.filter((id) => keyPart.test(id)),
      now,
    )
    report.pruned = salvage.tombstones.length
    for (const each of this.awaiting) await this.tellEnd(each, now)
    await this.pause(now)
    for await (const { message } of store.verify()) throw corrupt(`What was repaired is not whole: ${message}`)
    return report
  }

  private async rebuild(salvaged: Salvaged): Promise<void> {
    const { id, kept, known, losses } = salvaged
    if (known === 0) return // a record without a job, of which there is nothing to keep
    const loss: JobLoss = { jobId: id, kept, known, losses }
    const rebuilt = kept === 0 ? undefined : await this.rebuilt(salvaged)
    if (rebuilt === undefined) {
      loss.kept = 0
      this.lost.push(id)
    } else {
      const refill = new Refill(this.store, rebuilt)
      for await (const events of this.salvage.events(id, kept)) for (const event of events) await refill.take(event)
      await refill.end()
      this.report.jobs += 1
      this.report.events += kept
      if (!endStatuses.has(rebuilt.row.status)) this.unfinished.push(id)
    }
    if (loss.kept < known || losses.length > 0) this.report.damaged.push(loss)
  }

  /** The job as it is put into the new store; undefined where nobody knows of which agent it is. */
  private async rebuilt(salvaged: Salvaged): Promise<ConstructorParameters<typeof Refill>[1] | undefined> {
    const { id, row, kept, known, hash, inbox, losses } = salvaged
    if (row !== undefined && endStatuses.has(row.status)) return { row, timers: [], inbox, taken: salvaged.taken }
    const folded = await this.fold(salvaged)
    const agent = salvaged.agent ?? folded.agent
    if (agent === undefined) return undefined
    if (kept < known) losses.push('Messages that it took in the lost part are lost with it; they may be sent again.')
    const isFolded = folded.execution !== undefined
    if (!isFolded && (row === undefined || kept < known)) losses.push(`Its timers are lost: ${folded.why}`)
    for (const effect of folded.execution?.effects.values() ?? [])
      if (effect.childId !== undefined) this.awaiting.push({ jobId: id, effect: effect.id, childId: effect.childId })
    return {
      row: { ...rowOf(salvaged, agent, folded.status), seq: kept, hash },
      timers: folded.timers ?? salvaged.timers,
      inbox,
      taken: kept < known ? folded.signals : salvaged.taken,
    }
  }

  private async fold({ id, row, kept }: Salvaged): Promise<Folded> {
    const folding = new Folding(this.options.agentOf)
    for await (const events of this.salvage.events(id, kept)) for (const event of events) await folding.take(event)
    return folding.end(row?.status)
  }

  private doubtCommits(): void {
    const { last, missing } = this.salvage.commits
    const { doubts } = this.report
    if (missing.length > 0)
      doubts.push(
        `Commit records are missing or damaged: ${missing.map(([from, to]) => (from === to ? from : `${from} to ${to}`)).join(', ')}. Jobs made only in them left no trace.`,
      )
    const { commit = last } = this.witnessed ?? {}
    if (commit > last) {
      const lost = last + 1 === commit ? `Commit ${commit} was` : `Commits ${last + 1} to ${commit} were`
      doubts.push(`${lost} acknowledged and left no trace; any job may have lost its last events in them.`)
    }
    if (this.witnessed === undefined)
      doubts.push('The file WATERMARK is missing or damaged: whether the last commits are there cannot be told.')
  }

  /** A parent may have lost the message that its child has ended, or the child. */
  private async tellEnd({ jobId, effect, childId }: Awaiting, now: number): Promise<void> {
    const child = await this.store.get(childId)
    if (child === undefined) {
      ;(await this.lossOf(jobId)).losses.push(`It waits for job "${childId}", of which nothing is left.`)
      return
    }
    if (!endStatuses.has(child.status)) return
    let end: JobEvent | undefined
    for await (const events of this.store.read(childId)) end = events.findLast(({ type }) => endTypes.has(type)) ?? end
    if (end !== undefined) await this.store.send(childEnd(childId, { jobId, effect }, end, now)).catch(unlessSettled)
  }

  private async lossOf(jobId: string): Promise<JobLoss> {
    const found = this.report.damaged.find((each) => each.jobId === jobId)
    if (found !== undefined) return found
    const seq = (await this.store.get(jobId))?.seq ?? 0
    const loss: JobLoss = { jobId, kept: seq, known: seq, losses: [] }
    this.report.damaged.push(loss)
    return loss
  }

  private async pause(now: number): Promise<void> {
    const { damaged, doubts, paused } = this.report
    const named = new Set(damaged.map(({ jobId }) => jobId))
    const reason =
      'A damaged store was repaired. What the job has done may be lost: see that nothing is done twice, then resume it.'
    for (const jobId of this.unfinished) {
      if (doubts.length === 0 && !named.has(jobId)) continue
      await this.store.send({ jobId, id: `repaired-${now}`, at: now, kind: 'pause', body: { by: 'repair', reason } })
      paused.push(jobId)
    }
  }
}

interface Folded {
  status: JobStatus
  agent: string | undefined
  /** Ids of the messages that became events. */
  signals: string[]
  timers: { id: string; dueAt: number }[] | undefined
  execution: Execution | undefined
  why: string | undefined
}

/** Folds a history as far as that can be done here. */
class Folding {
  private readonly agentOf: RebuildOptions['agentOf']
  private created: EventData<'job.created'> | undefined
  private execution: Execution | undefined
  private why: string | undefined
  private last: JobStatus | undefined
  private readonly signals: string[] = []

  constructor(agentOf: RebuildOptions['agentOf']) {
    this.agentOf = agentOf
  }

  async take(event: JobEvent): Promise<void> {
    if (event.type === 'job.created') {
      this.created = event.data
      const agent = await this.agentOf?.(event.data)
      this.execution = new Execution(programsOf(new Map(agent === undefined ? [] : [[agent.name, agent]])))
    }
    if (event.type === 'signal.received') this.signals.push(event.data.message)
    if (endTypes.has(event.type)) this.last = event.type.replace('job.', '') as JobStatus
    if (event.type === 'job.restarted') this.last = undefined
    this.follow(event)
  }

  end(known: JobStatus | undefined): Folded {
    const { execution, signals, why } = this
    const agent = this.created?.agent
    if (execution === undefined || why !== undefined) {
      const status = this.last ?? known ?? 'running'
      const unfolded = why ?? 'its history does not begin with job.created.'
      return { status, agent, signals, timers: undefined, execution: undefined, why: unfolded }
    }
    const timers = execution.isEnded ? [] : [...execution.timers.values()].map(({ id, dueAt }) => ({ id, dueAt }))
    return { status: statusOf(execution), agent, signals, timers, execution, why }
  }

  private follow(event: JobEvent): void {
    if (this.execution !== undefined && this.why === undefined) this.why = foldEvent(this.execution, event)
  }
}

function rowOf({ id, row, epoch, priority = defaultPriority }: Salvaged, agent: string, status: JobStatus): JobRow {
  if (row !== undefined) return { ...row, status, epoch }
  return { id, agent, status, priority, seq: 0, hash: '', epoch, owner: 0, unread: 0, createdAt: 0, updatedAt: 0 }
}

function unlessSettled(error: unknown): void {
  if (!isAetherisError(error, 'JOB_SETTLED')) throw error
}
