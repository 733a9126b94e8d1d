import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import type { McpServerOptions } from '../../src/mcp/mcp.ts'

/** The reference servers of the protocol, which are not ours, as processes that mishaps may befall. */

const require = createRequire(import.meta.url)
const scripts = {
  everything: require.resolve('@modelcontextprotocol/server-everything/dist/index.js'),
  filesystem: require.resolve('@modelcontextprotocol/server-filesystem/dist/index.js'),
  memory: require.resolve('@modelcontextprotocol/server-memory/dist/index.js'),
}
export type Reference = keyof typeof scripts

export interface Mishap {
  tool: string
  /** When the call has come in, or when its answer is about to be written. */
  at: 'request' | 'answer'
  who: 'server' | 'client'
  signal: 'SIGKILL' | 'SIGSTOP'
}

/** One server in a directory, as its processes come and go. */
export class ReferenceServer {
  readonly name: Reference
  private readonly directory: string
  private http: ChildProcess | undefined

  constructor(name: Reference, directory: string) {
    this.name = name
    this.directory = directory
  }

  get options(): Extract<McpServerOptions, { command: string }> {
    const args = ['--import', join(import.meta.dirname, 'mcp-mishap.mjs'), scripts[this.name]]
    if (this.name === 'filesystem') args.push(this.directory)
    const env = { MISHAP_FILES: this.path, MEMORY_FILE_PATH: join(this.directory, 'memory.jsonl') }
    return { name: this.name, command: process.execPath, args, env }
  }

  /** Starts it as a server over HTTP, on the port where one was before if any. Gives its URL. */
  async startHttp(): Promise<string> {
    const { command, args = [], env = {} } = this.options
    const before = this.lines('port')
    this.http = spawn(command, [...args, 'streamableHttp'], {
      env: { ...env, PORT: before[0] ?? '0' },
      stdio: 'ignore',
    })
    await vi.waitFor(() => expect(this.lines('port').length).toBe(before.length + 1), 20_000)
    return `http://127.0.0.1:${this.lines('port')[0]}/mcp`
  }

  /** Kills the one over HTTP, where there is one. */
  async killHttp(): Promise<void> {
    const { http } = this
    if (http === undefined || http.exitCode !== null || http.signalCode !== null) return
    const ended = once(http, 'exit')
    http.kill('SIGKILL')
    await ended
  }

  /** For the next time that it comes to that point. */
  plan(mishap: Mishap): void {
    writeFileSync(`${this.path}.mishap`, JSON.stringify(mishap))
  }

  /** Whether what was planned has not happened. */
  get isPending(): boolean {
    return existsSync(`${this.path}.mishap`)
  }

  /** How often its processes were sent a call of a tool. */
  calls(tool: string): number {
    return this.sent.filter(({ method, params }) => method === 'tools/call' && params?.name === tool).length
  }

  get sent(): { method?: string; params?: { name?: string; task?: unknown } }[] {
    return this.lines('sent').map((line) => JSON.parse(line))
  }

  /** Its processes, in the order of their starts. */
  get begun(): number[] {
    return this.lines('begun').map(Number)
  }

  /** Those that have ended by themselves, and do nothing any more. */
  get ended(): number[] {
    return this.lines('ended').map(Number)
  }

  private get path(): string {
    return join(this.directory, this.name)
  }

  private lines(kind: string): string[] {
    const path = `${this.path}.${kind}`
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : []
  }
}
