import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '../../node_modules/.cache/aetheris-children')

/** A child process of the files that bundled.mjs has made. What it writes to stderr can be read. */
export function forked(name: 'crash-child' | 'open-damaged'): ChildProcess {
  return fork(join(folder, `${name}.mjs`), { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
}
