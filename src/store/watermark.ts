import { type FileHandle, open, readFile } from 'node:fs/promises'
import { seal, unseal } from './chain.ts'
import type { CommitHead } from './level-medium.ts'
import { replaceFile } from './sync-files.ts'

/**
 * A witness outside the database: a file with one line for some of its commits. Owns the open file.
 *
 * 1. A line is written only after its commit is durable, so a database that does not know the last line has lost data.
 * 2. Lines are written beside the work, not before an acknowledgement: the last few commits are unwitnessed.
 */

const commitsApart = 64
const millisecondsApart = 1000
const checksumKey = 'WATERMARK'

/** The last whole line of the file; undefined where there is no such file or no whole line. */
export async function readWatermark(path: string): Promise<CommitHead | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  // The last line may be torn, so the newest one that is whole counts.
  for (const line of text.split('\n').reverse()) {
    const head = parseLine(line)
    if (head !== undefined) return head
  }
  return undefined
}

export class Watermark {
  readonly #file: FileHandle
  readonly #now: () => number
  #last: CommitHead
  #lastAt: number
  #writing: Promise<void> = Promise.resolve()
  #failure: unknown

  private constructor(file: FileHandle, now: () => number, head: CommitHead) {
    this.#file = file
    this.#now = now
    this.#last = head
    this.#lastAt = now()
  }

  /** Begins the file anew with `head`, so that it stays short. */
  static async begin(path: string, now: () => number, head: CommitHead): Promise<Watermark> {
    await replaceFile(path, lineOf(head))
    return new Watermark(await open(path, 'a'), now, head)
  }

  /** @throws what an earlier line met with: a disk that refuses this file cannot be trusted with the next commit. */
  note(head: CommitHead): void {
    if (this.#failure !== undefined) throw this.#failure
    const now = this.#now()
    if (head.commit - this.#last.commit < commitsApart && now - this.#lastAt < millisecondsApart) return
    this.#append(head, now)
  }

  async close(head: CommitHead | undefined): Promise<void> {
    if (head !== undefined && head.commit !== this.#last.commit && this.#failure === undefined)
      this.#append(head, this.#now())
    await this.#writing
    await this.#file.close()
  }

  #append(head: CommitHead, now: number): void {
    this.#last = head
    this.#lastAt = now
    this.#writing = this.#writing
      .then(async () => {
        await this.#file.appendFile(lineOf(head))
        await this.#file.datasync()
      })
      .catch((error: unknown) => {
        this.#failure = error
      })
  }
}

function lineOf({ commit, hash }: CommitHead): string {
  return `${seal(checksumKey, `${commit} ${hash}`)}\n`
}

function parseLine(line: string): CommitHead | undefined {
  try {
    const [commit, hash] = unseal(checksumKey, line).split(' ')
    return { commit: Number(commit), hash: hash ?? '' }
  } catch {
    return undefined
  }
}
