#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { type Context, contextOf, type Verb } from './context.ts'
import { defaultData } from './data.ts'
import { events } from './events.ts'
import { exit, UsageError } from './exit-codes.ts'
import { processIo } from './io.ts'
import { jobs } from './jobs.ts'
import { Output } from './output.ts'
import { replay } from './replay.ts'
import { reportError } from './report-error.ts'
import { run } from './run.ts'
import { show } from './show.ts'
import { signal } from './signal.ts'
import { verify } from './verify.ts'

/** The verbs, in the order in which the help shows them. */
const verbs: readonly Verb[] = [run, jobs, show, events, replay, verify, signal]

const exitCodesText = `
Exit codes: 0 done · 1 the job failed · 2 wrong usage or input · 3 cancelled · 4 the job waits for somebody
            5 a replay diverged · 6 the data is damaged · 7 another process has the data directory open`

function programOf(context: Context): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  const { output } = context
  const program = new Command('aetheris')
    .description('Runs agents as durable jobs.')
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void output.text(text),
      writeErr: (text) => output.note(text.trimEnd()),
      outputError: () => {}, // reported with all other errors
    })
    .addHelpText('after', exitCodesText)
  for (const verb of verbs) verb(program, context)
  for (const command of program.commands) {
    command.option('--data <dir>', `the data directory (default: ${defaultData})`)
    command.option('--json', 'print JSON on stdout, and nothing else there')
  }
  return program
}

/** Runs one command line. Gives the exit code. */
async function main(words: readonly string[], context: Context): Promise<number> {
  try {
    await programOf(context).parseAsync(words, { from: 'user' })
    return context.exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(error, context)
    if (error.exitCode === 0) return exit.done // help or version was asked for
    const isHelp = error.code === 'commander.help'
    const message = isHelp ? 'Name a verb.' : error.message.replace(/^error: /, '')
    return reportError(new UsageError(message), context)
  }
}

const io = processIo()
const words = process.argv.slice(2)
const output = new Output(io, words.includes('--json'))
const code = await main(words, contextOf(io, output))
await output.flushed
// Tools that were called off may still hold the process; what they do has no effect on the job any more.
process.exit(code)
