import { type ChildProcess, fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Defect } from './crash-agents.ts'
import type { Kill } from './crash-points.ts'

/** Processes that are killed. They are started ahead, since most of a short life goes into loading code. */

const script = join(import.meta.dirname, 'crash-child.ts')
const spares: ChildProcess[] = []
const sparesMax = 2

function start(): ChildProcess {
  return fork(script, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
}

/** Lets a process live in `directory` until it is killed at the point. @throws where it never came to it. */
export async function killedAt(directory: string, kill: Kill, defect?: Defect): Promise<void> {
  const child = spares.shift() ?? start()
  while (spares.length < sparesMax) spares.push(start())
  let said = ''
  child.stderr?.on('data', (chunk) => {
    said += chunk
  })
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, by) => resolve(by)))
  child.send({ directory, kill, defect })
  if ((await ended) !== 'SIGKILL') throw new Error(`The process never came to "${kill.point}" ${kill.nth}. ${said}`)
}

/** Ends the processes that were started ahead and not needed. */
export function dismissSpares(): void {
  for (const child of spares.splice(0)) child.kill('SIGKILL')
}

/** A directory for one test, which is removed after it. */
export async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'aetheris-crash-'))
  try {
    await body(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
