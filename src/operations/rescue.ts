import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { corrupt } from '../store/store-error.ts'

/** What LevelDB can still read of a damaged database, in a new one that it reads without danger. */

const isSource = import.meta.url.endsWith('.ts')
const child = fileURLToPath(new URL(`../store/level-rescue-child.${isSource ? 'ts' : 'js'}`, import.meta.url))

/**
 * Copies the database `db` and rescues the copy into `to`; `scratch` is a place for the copy. Gives what could not be
 * read, as sentences.
 * @throws AetherisError STORE_CORRUPT when LevelDB reads nothing of it.
 */
export async function rescue(db: string, to: string, scratch: string): Promise<string[]> {
  const attempts: string[] = []
  for (const mode of existsSync(join(db, 'CURRENT')) ? ['open', 'repair'] : ['repair']) {
    for (const path of [scratch, to]) await rm(path, { recursive: true, force: true })
    // Not LOCK: to read it would drop the lock of a process that has the database open.
    await cp(db, scratch, { recursive: true, filter: (path) => basename(path) !== 'LOCK' })
    const { code, stdout, stderr } = await run(mode, scratch, to)
    if (code !== 0) {
      attempts.push(
        stderr
          .trim()
          .split('\n')
          .find((line) => /error|assert/i.test(line)) ?? `it ended with ${code}`,
      )
      continue
    }
    const rebuilt = mode === 'repair' ? ['The index of LevelDB was rebuilt from its files.'] : []
    return [...rebuilt, ...(JSON.parse(stdout) as string[]), ...(await droppedIn(scratch))]
  }
  throw corrupt(`LevelDB reads nothing of "${db}" any more (${attempts.join('; ')}). Restore the newest backup.`)
}

function run(
  mode: string,
  from: string,
  to: string,
): Promise<{ code: number | string; stdout: string; stderr: string }> {
  const running = spawn(process.execPath, [...(isSource ? ['--import', 'tsx'] : []), child, mode, from, to])
  const told = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    running[name].setEncoding('utf8').on('data', (text) => (told[name] += text))
  return new Promise((resolve, reject) => {
    running.once('error', reject)
    running.once('close', (code, signal) => resolve({ code: code ?? signal ?? 'nothing', ...told }))
  })
}

async function droppedIn(db: string): Promise<string[]> {
  const logs = await Promise.all(['LOG', 'LOG.old'].map((name) => readFile(join(db, name), 'utf8').catch(() => '')))
  const dropped = logs.flatMap((text) => text.match(/dropping \d+ bytes[^\n]*/g) ?? [])
  return [...new Set(dropped)].map((line) => `LevelDB left out a part of its log: ${line}.`)
}
