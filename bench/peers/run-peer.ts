import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { inDirectory } from '../helpers.ts'

/** One workload on one system: installs it, starts the server that it needs, runs program.mjs, ends all of it. */

/** What `NAME/peer.mjs` exports for this process; the rest of it is for program.mjs. */
export interface Peer {
  title: string
  durability: string
  /** The Node to run it with, where it needs a newer one. */
  node?: string
  /** Starts what has to run beside the program. */
  serve?(directory: string, ports: number[]): Promise<Server>
}

interface Server {
  child: ChildProcess
  ports: Record<string, number>
  isReady(): Promise<boolean>
  stop?(): Promise<void>
}

export type Workload = 'lone' | 'many' | 'fan' | 'crash'
/** What was measured, by name; times in milliseconds. */
export type Said = Record<string, number>

export const sizes = { warm: 200, lone: 100, jobs: 1_000, concurrency: 200, fan: 20, width: 100, steps: 10 }

export const peerOf = (name: string): Promise<Peer> => import(`./${name}/peer.mjs`)

/** Installs what a peer needs into its own folder, where that has not been done. */
export function install(name: string): void {
  const cwd = join(import.meta.dirname, name)
  if (!existsSync(join(cwd, 'package.json')) || existsSync(join(cwd, 'node_modules'))) return
  console.error(`Installing ${name} into bench/peers/${name}/node_modules, once ...`)
  const npm = process.env['npm_execpath']
  const [command, first] = npm === undefined ? ['npm', []] : [process.execPath, [npm]]
  const args = [...first, 'install', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error']
  const env = { ...process.env, SCARF_ANALYTICS: 'false' }
  if (spawnSync(command, args, { cwd, env, stdio: ['ignore', 2, 2] }).status !== 0)
    throw new Error(`npm could not install ${name}; see above.`)
}

export async function runPeer(name: string, workload: Workload): Promise<Said> {
  const peer = await peerOf(name)
  return inDirectory(async (directory) => {
    const server = await serverOf(peer, directory)
    try {
      const log = join(directory, 'steps.log')
      writeFileSync(log, '')
      const start = (again: boolean) => new Program(name, peer, { workload, directory, log, again, sizes }, server)
      return workload === 'crash' ? await crash(start, log) : await start(false).end()
    } finally {
      await end(server)
    }
  })
}

async function serverOf(peer: Peer, directory: string): Promise<Server | undefined> {
  if (peer.serve === undefined) return undefined
  const server = await peer.serve(directory, await freePorts(4))
  while (!(await server.isReady())) {
    if (server.child.exitCode !== null) throw new Error(`The server of ${peer.title} ended before it was ready.`)
    await pause(50)
  }
  return server
}

async function end(server: Server | undefined): Promise<void> {
  if (server === undefined) return
  if (server.stop !== undefined) return server.stop()
  const gone = new Promise((resolve) => server.child.once('exit', resolve))
  server.child.kill('SIGTERM')
  await gone
}

class Program {
  readonly said: Said = {}
  private readonly child: ChildProcess
  private readonly exit: Promise<void>
  private rest = ''

  constructor(name: string, peer: Peer, task: object, server: Server | undefined) {
    const known = server && { pid: server.child.pid, ports: server.ports }
    const args = [join(import.meta.dirname, 'program.mjs'), name, JSON.stringify({ ...task, server: known })]
    this.child = spawn(peer.node ?? process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
    })
    this.child.stdout?.on('data', (text) => this.hear(String(text)))
    this.exit = new Promise((resolve) => this.child.once('close', () => resolve()))
  }

  get isOver(): boolean {
    return this.child.exitCode !== null
  }

  /** What it has said, once it has ended. */
  async end(): Promise<Said> {
    await this.exit
    if (this.said['done'] === undefined) throw new Error('The program ended before its work was done; see above.')
    return this.said
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exit
  }

  /** Systems write to the same output; only JSON objects are for us. */
  private hear(text: string): void {
    const lines = (this.rest + text).split('\n')
    this.rest = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('{"')) Object.assign(this.said, JSON.parse(line))
  }
}

/** kill -9 when half of the steps have run, then the same program again. */
async function crash(start: (again: boolean) => Program, log: string): Promise<Said> {
  const first = start(false)
  const half = (sizes.jobs * sizes.steps) / 2
  await until(first, () => statSync(log).size > half * 'crash-100 5\n'.length)
  await first.kill()

  const [before, from] = [statSync(log).size, performance.now()]
  const second = start(true)
  await until(second, () => statSync(log).size > before)
  const firstStepMs = performance.now() - from
  await second.end()
  const lines = (await readFile(log, 'utf8')).trimEnd().split('\n')
  const distinct = new Set(lines).size
  const lost = sizes.jobs * sizes.steps - distinct
  return { firstStepMs, allMs: performance.now() - from, twice: lines.length - distinct, lost }
}

async function until(program: Program, holds: () => boolean): Promise<void> {
  while (!holds() && !program.isOver) await pause(2)
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
