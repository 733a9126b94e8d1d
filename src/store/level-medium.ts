import type { LevelDatabase } from './level-db.ts'

/** The last commit of a store. */
export interface CommitHead {
  /** Number of the last commit record; 0 where there is none. */
  commit: number
  hash: string
}

/** Where the database of a store lives: a data directory, or an instance that the caller has made. */
export interface Medium {
  readonly durable: 'fsync' | 'none'
  /** Makes sure that nobody else has it. @throws AetherisError STORE_LOCKED, STORE_FORMAT, STORE_IO */
  acquire(): Promise<void>
  /** The open database, holding a genesis record. @throws AetherisError STORE_LOCKED, STORE_FORMAT, STORE_CORRUPT, STORE_IO */
  openDatabase(): Promise<LevelDatabase>
  /** What is known from outside the database about its last commit, and what LevelDB said while it opened. */
  testimony(): Promise<Testimony>
  /** The database was found whole up to `head`, and is about to be used. */
  accept(head: CommitHead): Promise<void>
  /** The database is damaged in a way that the next opening could not see any more. */
  condemn(why: string): Promise<void>
  /** Called after each batch, before it is acknowledged. */
  written(head: CommitHead, bytes: number): Promise<void>
  /** The database was closed; with `head` where it was whole. */
  release(head: CommitHead | undefined): Promise<void>
}

export interface Testimony {
  /** A commit that was durable once. */
  witnessed: CommitHead | undefined
  /** LevelDB has dropped part of its log: an unfinished write, or damage. */
  dropped: string | undefined
  /** Things worth saying that do not keep the store from opening. */
  notes: string[]
}
