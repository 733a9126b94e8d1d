import type { Json } from '../base/json.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import { type TextPiece, Watch } from './stream.ts'

/** Whoever listens to a job: XState's observer shape. */
export interface JobObserver<Output = unknown> {
  next?: (snapshot: JobSnapshot<Output>) => void
  error?: (error: unknown) => void
  complete?: () => void
  /** An attempt tells how far it is: at once, and more often than the history keeps it. */
  progress?: (progress: { effect: string; data: Json }) => void
}

/** The last durable state of one job, and who wants to hear of the next. */
export class Channel {
  readonly jobId: string
  snapshot: JobSnapshot
  /** Why the job cannot go on here; undefined again as soon as it does. */
  problem: unknown
  private readonly observers = new Set<JobObserver>()
  private readonly wakers = new Set<() => void>()
  private readonly watches = new Set<Watch>()
  private readonly onUse: (channel: Channel, inUse: boolean) => void

  constructor(jobId: string, snapshot: JobSnapshot, onUse: (channel: Channel, inUse: boolean) => void) {
    this.jobId = jobId
    this.snapshot = snapshot
    this.onUse = onUse
  }

  get inUse(): boolean {
    return this.observers.size + this.wakers.size + this.watches.size > 0
  }

  subscribe(observer: JobObserver): () => void {
    if (this.snapshot.status !== 'active') {
      tellEnd(observer, this.snapshot)
      return () => {}
    }
    this.observers.add(observer)
    this.onUse(this, true)
    return () => {
      this.observers.delete(observer)
      this.onUse(this, this.inUse)
    }
  }

  publish(snapshot: JobSnapshot, onProblem: (error: unknown) => void): void {
    this.snapshot = snapshot
    this.problem = undefined
    for (const observer of [...this.observers]) {
      try {
        observer.next?.(snapshot)
        tellEnd(observer, snapshot)
      } catch (error) {
        onProblem(error)
      }
    }
    // Like XState's actors: nothing comes after the end.
    if (snapshot.status !== 'active') this.observers.clear()
    this.wake()
  }

  progress(effect: string, data: Json): void {
    for (const observer of [...this.observers]) observer.progress?.({ effect, data })
    for (const watch of this.watches) watch.progress(this.snapshot.seq, effect, data)
  }

  emit(piece: TextPiece): void {
    for (const watch of this.watches) watch.text(this.snapshot.seq, piece)
  }

  /** Collects what attempts make from now on, after `made` before; until {@link Channel.unwatch}. */
  watch(made: readonly TextPiece[]): Watch {
    const watch = new Watch()
    for (const piece of made) watch.text(this.snapshot.seq, piece)
    this.watches.add(watch)
    this.onUse(this, true)
    return watch
  }

  unwatch(watch: Watch): void {
    this.watches.delete(watch)
    this.onUse(this, this.inUse)
  }

  /** Tells everybody that no more will come. */
  fail(error: unknown): void {
    this.problem = error
    for (const observer of [...this.observers]) observer.error?.(error)
    this.observers.clear()
    this.wake()
  }

  /** Resolves at the next publication, or with the `problem` that keeps it from coming. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.wakers.add(resolve)
      this.onUse(this, true)
    })
  }

  private wake(): void {
    for (const resolve of this.wakers) resolve()
    this.wakers.clear()
    for (const watch of this.watches) watch.published()
    this.onUse(this, this.inUse)
  }
}

function tellEnd(observer: JobObserver, { status, error }: JobSnapshot): void {
  if (status === 'done') observer.complete?.()
  else if (status !== 'active') observer.error?.(error ?? new Error('cancelled'))
}

/**
 * The channels of a runtime. One that nobody listens to is held only by its handles, so that a parked job whose
 * handle is gone costs nothing.
 */
export class Channels {
  private readonly used = new Map<string, Channel>()
  private readonly known = new Map<string, WeakRef<Channel>>()
  private readonly forget = new FinalizationRegistry<string>((jobId) => {
    if (this.known.get(jobId)?.deref() === undefined) this.known.delete(jobId)
  })

  get(jobId: string): Channel | undefined {
    return this.used.get(jobId) ?? this.known.get(jobId)?.deref()
  }

  open(jobId: string, snapshot: JobSnapshot): Channel {
    const open = this.get(jobId)
    if (open !== undefined) return open
    const channel = new Channel(jobId, snapshot, (each, inUse) => {
      if (inUse) this.used.set(jobId, each)
      else this.used.delete(jobId)
    })
    this.known.set(jobId, new WeakRef(channel))
    this.forget.register(channel, jobId)
    return channel
  }

  closeAll(error: unknown): void {
    for (const channel of [...this.used.values()]) channel.fail(error)
  }
}
