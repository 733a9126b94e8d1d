import { type ChildProcess, spawn } from 'node:child_process'
import { Readable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { runProgram } from '../../src/cli/program.ts'

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

/** The command line in this process, for all that is not about processes. It is called `aetheris` in lines to type. */
export async function inProcess(
  words: readonly string[],
  { cwd, input = '', env = {} }: Omit<CliOptions, 'script'>,
): Promise<Omit<Ended, 'signal'>> {
  let [stdout, stderr] = ['', '']
  const code = await runProgram(words, {
    async print(text) {
      stdout += text
      return true
    },
    say(text) {
      stderr += text
    },
    stdin: Readable.from([Buffer.from(input)]),
    interactive: false,
    columns: undefined,
    cwd,
    env,
    command: 'aetheris',
    version: '0.0.0',
    load: (path) => import(pathToFileURL(path).href),
    onInterrupt: () => () => {},
  })
  return { code, stdout, stderr }
}

/** The words of a line to type; sh would take them apart alike. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? (match[2] as string))
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
