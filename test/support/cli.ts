import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))

/** The module with the agents that these tests run. */
export const agents = fileURLToPath(new URL('../cli/fixtures/agents.ts', import.meta.url))

export interface Ended {
  code: number | null
  signal: string | null
  stdout: string
  stderr: string
}

export interface CliOptions {
  /** Working directory; its `.aetheris` is the data. */
  cwd: string
  /** What stdin gives. Default: nothing. */
  input?: string
  env?: Record<string, string>
  /** Default: the command line itself. */
  script?: string
}

/** The built command line as a child process. */
export class Cli {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''
  private readonly watchers: { text: string; resolve: () => void }[] = []

  constructor(words: readonly string[], { cwd, input = '', env = {}, script = main }: CliOptions) {
    this.child = spawn(process.execPath, [script, ...words], { cwd, env: { ...process.env, NO_COLOR: '1', ...env } })
    this.child.stdout?.on('data', (chunk) => {
      this.stdout += chunk
    })
    this.child.stderr?.on('data', (chunk) => {
      this.stderr += chunk
      for (const { text, resolve } of this.watchers) if (this.stderr.includes(text)) resolve()
    })
    this.child.stdin?.on('error', () => {}) // it may have left before it read
    this.child.stdin?.end(input)
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => resolve({ code, signal, stdout: this.stdout, stderr: this.stderr }))
    })
  }

  /** Resolves when stderr has said `text`. @throws when the process ends without. */
  async says(text: string): Promise<void> {
    const said = new Promise<true>((resolve) => this.watchers.push({ text, resolve: () => resolve(true) }))
    if (this.stderr.includes(text)) return
    const first = await Promise.race([said, this.ended])
    if (first !== true)
      throw new Error(`It ended with ${first.code ?? first.signal} and never said "${text}": ${first.stderr}`)
  }
}

/** Runs one command to its end. */
export function aetheris(words: readonly string[], options: CliOptions): Promise<Ended> {
  return new Cli(words, options).ended
}
