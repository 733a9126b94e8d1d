import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Random } from '../../src/base/random.ts'
import type { DiskOp } from './disk-record.ts'

/**
 * A file system in memory that knows what of it is durable, and so what a crash may leave.
 *
 * | crash | names that are left | bytes that are left |
 * |---|---|---|
 * | `kill` | all | all |
 * | `dropped`, `torn`, `zeros`, `holes` | as a journal keeps them: what any sync found, and the first of what came since | those that were synced, and of the others none, the first, zeros, or some pages |
 * | `names by directory` | only those that a sync of their directory has found | those that were synced |
 * | `some names` | those, and any of the others | those that were synced, and the first of the others |
 */
export const crashes = ['kill', 'dropped', 'torn', 'zeros', 'holes', 'names by directory', 'some names'] as const
export type Crash = (typeof crashes)[number]

interface File {
  bytes: Buffer
  /** How many of them are durable. */
  synced: number
}
interface Folder {
  names: Map<string, File | Folder>
  /** What a sync of this folder has found. */
  synced: Map<string, File | Folder>
}
/** One change of names: what is taken away and what is put there, together or not at all. */
type Change = { folder: Folder; name: string; node: File | Folder | undefined }[]

export class Disk {
  private readonly root: Folder = folder()
  /** Names as the journal has them. */
  private journal = new Map<Folder, Map<string, File | Folder>>()
  /** Changes of names since the last sync of anything; of each folder since its own. */
  private changes: Change[] = []
  private unsynced: Change[] = []

  apply(op: DiskOp): void {
    const file = this.find(op.path) as File | undefined
    switch (op.op) {
      case 'sync':
        return this.sync(op.path)
      case 'append':
        if (file !== undefined) file.bytes = Buffer.concat([file.bytes, op.bytes])
        return
      case 'open':
        // One that is emptied is another under the same name: no sync ever reached what it holds now.
        if (file === undefined || op.isEmptied) this.change([op.path, { bytes: Buffer.alloc(0), synced: 0 }])
        return
      case 'mkdir':
        return this.change([op.path, folder()])
      case 'unlink':
        return this.change([op.path, undefined])
      case 'rename':
        return this.change([op.path, undefined], [op.to, file])
    }
  }

  private change(...parts: [path: string, node: File | Folder | undefined][]): void {
    const change = parts.map(([path, node]) => ({
      folder: this.find(dirname(path)) as Folder,
      name: basename(path),
      node,
    }))
    put(change, ({ names }) => names)
    this.changes.push(change)
    this.unsynced.push(change)
  }

  private sync(path: string): void {
    const node = this.find(path)
    if (node === undefined) throw new Error(`"${path}" was synced, and is not there.`)
    for (const change of this.changes) put(change, (each) => this.inJournal(each))
    this.changes = []
    if ('bytes' in node) node.synced = node.bytes.length
    else {
      node.synced = new Map(node.names)
      this.unsynced = this.unsynced.filter((change) => change.every(({ folder }) => folder !== node))
    }
  }

  private find(path: string): File | Folder | undefined {
    if (path === '' || path === '.') return this.root
    const parent = this.find(dirname(path)) as Folder
    return parent.names.get(basename(path))
  }

  private inJournal(each: Folder): Map<string, File | Folder> {
    const found = this.journal.get(each) ?? new Map()
    this.journal.set(each, found)
    return found
  }

  /** Writes what is left after a crash at this moment into an empty directory. LOCK and OWNER say nothing, and are left out. */
  write(directory: string, crash: Crash, random: Random): void {
    const names = this.left(crash, random)
    const writeFolder = (each: Folder, path: string) => {
      for (const [name, node] of names(each)) {
        const inner = join(path, name)
        if ('bytes' in node) {
          if (name !== 'LOCK' && name !== 'OWNER') writeFileSync(inner, bytesLeft(node, crash, random))
        } else {
          mkdirSync(inner)
          writeFolder(node, inner)
        }
      }
    }
    writeFolder(this.root, directory)
  }

  private left(crash: Crash, random: Random): (each: Folder) => Map<string, File | Folder> {
    if (crash === 'kill') return ({ names }) => names
    const isWeak = crash === 'names by directory' || crash === 'some names'
    const left = new Map<Folder, Map<string, File | Folder>>()
    const of = (each: Folder) => {
      const found = left.get(each) ?? new Map(isWeak ? each.synced : this.inJournal(each))
      left.set(each, found)
      return found
    }
    const since = isWeak ? this.unsynced : this.changes
    const first = Math.floor(random.next() * (since.length + 1))
    for (const [index, change] of since.entries()) {
      const isKept = crash === 'some names' ? random.next() < 0.5 : !isWeak && index < first
      if (isKept) put(change, of)
    }
    return of
  }
}

function folder(): Folder {
  return { names: new Map(), synced: new Map() }
}

function put(change: Change, of: (each: Folder) => Map<string, File | Folder>): void {
  for (const { folder, name, node } of change) {
    if (node === undefined) of(folder).delete(name)
    else of(folder).set(name, node)
  }
}

const page = 4096

function bytesLeft({ bytes, synced }: File, crash: Crash, random: Random): Buffer {
  if (crash === 'kill') return bytes
  const tail = Buffer.from(bytes.subarray(synced))
  if (crash === 'dropped' || crash === 'names by directory') return bytes.subarray(0, synced)
  if (crash === 'zeros') tail.fill(0)
  if (crash === 'holes')
    for (let at = 0; at < tail.length; at += page) if (random.next() < 0.5) tail.subarray(at, at + page).fill(0)
  const length =
    crash === 'torn' || crash === 'some names' ? Math.floor(random.next() * (tail.length + 1)) : tail.length
  return Buffer.concat([bytes.subarray(0, synced), tail.subarray(0, length)])
}
