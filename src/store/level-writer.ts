import { AetherisError } from '../base/error.ts'
import type { Request } from './group-commit.ts'
import { keys } from './keys.ts'
import { asStoreError, type LevelDatabase } from './level-db.ts'
import { Draft } from './level-draft.ts'
import type { CommitHead, Medium } from './level-medium.ts'
import type { Rows } from './level-rows.ts'
import { keysOfCommit, stageClaim, stageCommit, stageMessage, stagePrune } from './level-stage.ts'
import type { PreparedCommit, PreparedMessage } from './request.ts'

/**
 * Writes batches of requests. Owns the chain of commit records.
 *
 * 1. A request is answered with success only when the batch it went into is durable.
 * 2. A request that is refused leaves nothing in the batch, and does not hold up the others.
 * 3. Head, cache and chain move on only after the batch is durable.
 */

export type Work =
  | { kind: 'commit'; commit: PreparedCommit }
  | { kind: 'claim'; jobId: string }
  | { kind: 'message'; message: PreparedMessage }
  | { kind: 'prune'; jobId: string; at: number }

export class LevelWriter {
  readonly #db: LevelDatabase
  readonly #rows: Rows
  readonly #medium: Medium
  readonly #generation: number
  #head: CommitHead

  constructor(db: LevelDatabase, rows: Rows, medium: Medium, generation: number, head: CommitHead) {
    this.#db = db
    this.#rows = rows
    this.#medium = medium
    this.#generation = generation
    this.#head = head
  }

  /** The last commit record that is durable. */
  get head(): CommitHead {
    return this.#head
  }

  /** Settles every request; rejects where a write failed, after which this writer must not be used again. */
  async write(batch: readonly Request<Work>[]): Promise<void> {
    const draft = new Draft(this.#db, this.#rows)
    const staged: [Request<Work>, result: unknown][] = []
    await prefetch(draft, batch)
    for (const request of batch) {
      try {
        staged.push([request, await this.#stage(draft, request.work)])
      } catch (error) {
        request.reject(asStoreError(error, 'reading before a write'))
      }
    }
    try {
      if (!draft.isEmpty) await this.#flush(draft)
    } catch (cause) {
      const error = commitUnknown(cause)
      for (const [request] of staged) request.reject(error)
      throw cause
    }
    for (const [request, result] of staged) request.resolve(result)
  }

  #stage(draft: Draft, work: Work): Promise<unknown> {
    switch (work.kind) {
      case 'commit':
        return stageCommit(draft, work.commit, this.#generation)
      case 'claim':
        return stageClaim(draft, work.jobId, this.#generation)
      case 'message':
        return stageMessage(draft, work.message)
      case 'prune':
        return stagePrune(draft, work.jobId, work.at)
    }
  }

  async #flush(draft: Draft): Promise<void> {
    const commit = this.#head.commit + 1
    const { hash, bytes } = await draft.write(commit, this.#head.hash)
    this.#head = { commit, hash }
    await this.#medium.written(this.#head, bytes)
    this.#rows.publish(draft.rows.values())
    this.#rows.forget(draft.pruned.keys())
    this.#rows.publishBlobs(draft.blobs.keys())
  }
}

async function prefetch(draft: Draft, batch: readonly Request<Work>[]): Promise<void> {
  const jobIds = new Set<string>()
  const wanted: string[] = []
  for (const { work } of batch) {
    // Whoever makes a job does not expect a row of it.
    if (work.kind !== 'commit' || work.commit.create === undefined) jobIds.add(jobIdOf(work))
    if (work.kind === 'commit') wanted.push(...keysOfCommit(work.commit))
    if (work.kind === 'message') wanted.push(keys.arrival(work.message.jobId, work.message.id))
  }
  // What cannot be read now is read again, and reported, when a request needs it.
  await draft.prefetch(jobIds, wanted).catch(() => undefined)
}

function jobIdOf(work: Work): string {
  switch (work.kind) {
    case 'commit':
      return work.commit.jobId
    case 'claim':
    case 'prune':
      return work.jobId
    case 'message':
      return work.message.jobId
  }
}

function commitUnknown(cause: unknown): AetherisError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new AetherisError(
    'COMMIT_UNKNOWN',
    `A write failed (${why}). It may or may not be stored: read the job again before going on.`,
    { cause },
  )
}
