import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '../../node_modules/.cache/aetheris-children')

/** One of the files that bundled.ts has made. */
export function childFile(name: 'crash-child' | 'open-damaged' | 'disk-child'): string {
  return join(folder, `${name}.mjs`)
}

/** A child process of one of them. What it writes to stderr can be read. */
export function forked(name: Parameters<typeof childFile>[0]): ChildProcess {
  return fork(childFile(name), { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
}
