import { fork } from 'node:child_process'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Life } from './mcp-child.ts'

/** Lets a process live until it is killed. */
export async function killed(life: Life): Promise<void> {
  const script = join(import.meta.dirname, 'mcp-child.ts')
  const child = fork(script, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let said = ''
  child.stderr?.on('data', (chunk) => {
    said += chunk
  })
  const by = await new Promise((resolve) => {
    child.once('exit', (_, signal) => resolve(signal))
    child.send(life)
  })
  expect(by, said).toBe('SIGKILL')
}
