import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '../../node_modules/.cache/aetheris-children')

type Child =
  | 'crash-child'
  | 'open-damaged'
  | 'open-blind'
  | 'disk-child'
  | 'full-child'
  | 'full-careless'
  | 'full-life-child'

/** One of the files that bundled.ts has made. */
export function childFile(name: Child): string {
  return join(folder, `${name}.mjs`)
}

/** A child process of one of them. What it writes to stderr can be read. */
export function forked(name: Child): ChildProcess {
  return fork(childFile(name), { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
}
