import { readFile, realpath } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { AetherisError } from '../base/error.ts'
import { sha256 } from '../base/hash.ts'

/**
 * The second lock on a data directory. LevelDB's own is lost as soon as anything in the process closes its LOCK file,
 * for example a copy of the directory. This one is the name of an abstract unix socket: free when its process ends,
 * and out of reach of file operations. Linux only; elsewhere LevelDB's lock remains alone.
 */

export type Unlock = () => Promise<void>

/** Length of `sun_path`: some versions of Node pad shorter names, and the two forms would not meet. */
const nameLength = 108

/** @throws AetherisError STORE_LOCKED */
export async function lockDirectory(directory: string): Promise<Unlock> {
  if (process.platform !== 'linux') return async () => {}
  const name = `\0aetheris-${sha256(await realpath(directory))}`.padEnd(nameLength, '-')
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(name, resolve)
  }).catch(async (error: NodeJS.ErrnoException) => {
    throw error.code === 'EADDRINUSE' ? await storeLocked(directory) : error
  })
  server.unref()
  return () => new Promise((resolve) => server.close(() => resolve()))
}

/** Names the process that has the directory open, where that is known and it still runs. */
export async function storeLocked(directory: string, cause?: unknown): Promise<AetherisError> {
  const text = await readFile(join(directory, 'OWNER'), 'utf8').catch(() => '')
  const pid = Number.parseInt(text, 10)
  const known = pid > 0 && isAlive(pid)
  const who = known ? `Process ${pid}${pid === process.pid ? ' (this one)' : ''}` : 'Another process'
  return new AetherisError(
    'STORE_LOCKED',
    `${who} has the data directory "${directory}" open. Stop it, or use another directory.`,
    {
      ...(known && { pid }),
      cause,
    },
  )
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
