import { readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { AetherisError } from '../base/error.ts'
import { commandOf } from './command-line.ts'
import type { Interrupt } from './exit-codes.ts'
import { importModule } from './import-module.ts'

/** What the command line sees of the world; tests give their own. */
export interface Io {
  /** Writes to stdout. Resolves when it is out: with false where whoever reads has left (`| head -1`). */
  print(text: string): Promise<boolean>
  /** Writes to stderr. */
  say(text: string): void
  stdin: Readable
  /** Whether somebody is there who can be asked. */
  interactive: boolean
  /** Width of the terminal behind stderr; undefined where none can show a line that changes. */
  columns: number | undefined
  cwd: string
  env: Readonly<Record<string, string | undefined>>
  /** What to type to call this program again. */
  command: string
  /** Of this program. */
  version: string
  /** Imports a module of the user's; `path` is absolute. */
  load(path: string): Promise<Record<string, unknown>>
  /** Calls back when somebody asks the process to stop, once. Returns a function that takes it back. */
  onInterrupt(handler: (interrupt: Interrupt) => void): () => void
}

/** The world of this process. From here on whatever else is written to stdout, by tools for example, goes to stderr. */
export function processIo(): Io {
  const { stdin, stdout, stderr, env, argv } = process
  const write = stdout.write.bind(stdout)
  stdout.write = stderr.write.bind(stderr)
  // The callback of a write tells of its failure; unheard, the event would end the process.
  stdout.on('error', () => {})
  stderr.on('error', () => {})
  return {
    print: (text) =>
      new Promise((resolve, reject) => {
        const done = (error?: Error | null) => {
          if (!error || hasLeft(error)) resolve(!error)
          else reject(new AetherisError('STORE_IO', `stdout cannot be written: ${error.message}`, { cause: error }))
        }
        write(text, done)
      }),
    say: (text) => void stderr.write(text),
    stdin,
    interactive: stdin.isTTY === true && stderr.isTTY === true,
    columns: stderr.isTTY === true && env['TERM'] !== 'dumb' ? stderr.columns || 80 : undefined,
    cwd: process.cwd(),
    env,
    command: commandOf(argv[1] ?? '', process.cwd(), env),
    version: JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')).version,
    load: importModule,
    onInterrupt,
  }
}

function hasLeft(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED'
}

function onInterrupt(handler: (interrupt: Interrupt) => void): () => void {
  const stop = () => {
    for (const name of interrupts) process.off(name, told)
  }
  const told = (name: NodeJS.Signals) => {
    stop() // the second time ends the process at once
    handler(name as Interrupt)
  }
  for (const name of interrupts) process.on(name, told)
  return stop
}

const interrupts = ['SIGINT', 'SIGTERM'] as const
