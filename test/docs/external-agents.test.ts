import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { page, root } from '../support/docs.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

const tsx = createRequire(import.meta.url).resolve('tsx')
afterAll(removeDirectories)

function start(path: string, cwd: string, env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, ['--import', tsx, join(root, path)], { cwd, env: { ...process.env, ...env } })
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return String(port)
}

/** Resolves when somebody listens there. */
async function listening(port: string): Promise<void> {
  const isUp = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
  while (!(await isUp())) await setImmediate()
}

test('the two programs of docs/external-agents.md work together', async () => {
  const [cwd, PORT, CALLS_PORT] = await Promise.all([newDirectory(), freePort(), freePort()])
  const concierge = start('examples/external-agent/concierge.ts', cwd, { PORT })
  try {
    await listening(PORT)
    const CONCIERGE_URL = `http://127.0.0.1:${PORT}`
    const program = start('examples/external-agent/program.ts', cwd, { CONCIERGE_URL, CALLS_PORT })
    const said = Promise.all([program.stdout, program.stderr].map((stream) => text(stream as NodeJS.ReadableStream)))
    expect(await said).toEqual([
      `${/console\.log\(.*\) \/\/ (.*)/.exec(page('examples/external-agent/program.ts'))?.[1]}\n`,
      '',
    ])
  } finally {
    concierge.kill()
  }
})
