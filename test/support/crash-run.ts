import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { forked } from './child.ts'
import type { Defect } from './crash-agents.ts'
import { live } from './crash-life.ts'
import { type Kill, Points } from './crash-points.ts'
import { fastFolder } from './store-data.ts'

/** Processes that are killed. They are started ahead, since most of a short life goes into loading code. */

const spares: ChildProcess[] = []
const sparesMax = 2

/**
 * Lets a process live in `directory` until it is killed at the point; false where it came to its end without, as no two
 * lives are quite the same. @throws where it failed.
 */
export async function killedAt(directory: string, kill: Kill, defect?: Defect): Promise<boolean> {
  const child = spares.shift() ?? forked('crash-child')
  while (spares.length < sparesMax) spares.push(forked('crash-child'))
  let said = ''
  child.stderr?.on('data', (chunk) => {
    said += chunk
  })
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once('exit', (code, by) => resolve(by ?? code)),
  )
  child.send({ directory, kill, defect })
  const by = await ended
  if (by !== 'SIGKILL' && by !== 0) throw new Error(`The process ended with ${by} before it was killed. ${said}`)
  return by === 'SIGKILL'
}

/** Every point that a process comes to that lives after `deaths`, with each time that it comes there. */
export async function pointsOfALife(...deaths: readonly Kill[]): Promise<Kill[]> {
  const points = new Points()
  await inDirectory(async (directory) => {
    for (const death of deaths) await killedAt(directory, death)
    await live({ directory, points })
  })
  return [...points.reached].flatMap(([point, times]) =>
    Array.from({ length: times }, (_, index) => ({ point, nth: index + 1 })),
  )
}

/** Ends the processes that were started ahead and not needed. */
export function dismissSpares(): void {
  for (const child of spares.splice(0)) child.kill('SIGKILL')
}

/** A directory for one test, which is removed after it. */
export async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(fastFolder, 'aetheris-crash-'))
  try {
    await body(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
