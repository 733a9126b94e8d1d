import type { Command } from 'commander'
import { exit } from './exit-codes.ts'
import type { Io } from './io.ts'
import type { Output } from './output.ts'
import { quoted } from './text.ts'

/** What every verb is given. */
export interface Context {
  readonly io: Io
  readonly output: Output
  exitCode: number
}

/** Adds one verb to the program. */
export type Verb = (program: Command, context: Context) => void

/** Options that every verb has. */
export interface CommonOptions {
  data?: string
  json?: boolean
}

export function contextOf(io: Io, output: Output): Context {
  return { io, output, exitCode: exit.done }
}

/** Makes what a verb does, which gives its exit code, into what commander calls. */
export function ending<A extends unknown[]>(context: Context, act: (...given: A) => Promise<number>) {
  return async (...given: A): Promise<void> => {
    context.exitCode = await act(...given)
  }
}

/** A line to type, that calls this program on the same data. */
export function lineToType({ io }: Context, { data }: CommonOptions, ...words: string[]): string {
  const all = data === undefined ? words : [...words, '--data', data]
  return [io.command, ...all.map(quoted)].join(' ')
}
