import { Command, CommanderError, Help } from 'commander'
import { approve, deny } from './approve.ts'
import { backup } from './backup.ts'
import { cancel } from './cancel.ts'
import { type Context, contextOf, lineToType, type Verb } from './context.ts'
import { defaultData } from './data.ts'
import { events } from './events.ts'
import { exit, UsageError } from './exit-codes.ts'
import type { Io } from './io.ts'
import { jobs } from './jobs.ts'
import { Output } from './output.ts'
import { pause } from './pause.ts'
import { prune } from './prune.ts'
import { repair } from './repair.ts'
import { replay } from './replay.ts'
import { reportError } from './report-error.ts'
import { resolve } from './resolve.ts'
import { restore } from './restore.ts'
import { resume } from './resume.ts'
import { restart, retry } from './retry.ts'
import { revise } from './revise.ts'
import { run } from './run.ts'
import { show } from './show.ts'
import { signal } from './signal.ts'
import { terminate } from './terminate.ts'
import { missingWords, placeholders } from './usage.ts'
import { verify } from './verify.ts'
import { why } from './why.ts'

/** The verbs, in the order in which the help shows them. */
const verbs: readonly Verb[] = [
  ...[run, jobs, show, why, events, replay],
  ...[signal, approve, deny, resolve],
  ...[pause, resume, cancel, terminate, retry, restart, revise],
  ...[verify, repair, backup, restore, prune],
]

const exitCodesText = `
Exit codes: 0 done · 1 the job failed · 2 wrong usage or input · 3 cancelled · 4 the job waits for somebody
            5 a replay diverged · 6 the data is damaged · 7 another process has the data directory open`

/** Runs one command line in the world that it is given. Gives the exit code, once everything is printed. */
export async function runProgram(words: readonly string[], io: Io): Promise<number> {
  const output = new Output(io, words.includes('--json'))
  const code = await parsed(words, contextOf(io, output))
  await output.flushed
  return code
}

async function parsed(words: readonly string[], context: Context): Promise<number> {
  const program = programOf(context)
  try {
    await program.parseAsync(words, { from: 'user' })
    return context.exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(error, context)
    if (error.exitCode === 0) return exit.done // help or version was asked for
    const isHelp = error.code === 'commander.help'
    const message = isHelp ? 'Name a verb.' : placeholders(error.message.replace(/^error: /, ''))
    const code = await reportError(new UsageError(message), context)
    const missing = missingWords(program, words, error)
    if (missing.length > 0) context.output.note('Type:', `  ${lineToType(context, {}, ...words, ...missing)}`)
    return code
  }
}

const help = new Help()

function programOf(context: Context): Command {
  const { io, output } = context
  const program = new Command(io.command)
    .description('Runs agents as durable jobs.')
    .version(io.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void output.text(text),
      writeErr: (text) => output.note(text.trimEnd()),
      outputError: () => {}, // reported with all other errors
    })
    .configureHelp({
      commandUsage: (command) => placeholders(help.commandUsage(command)),
      subcommandTerm: (command) => placeholders(help.subcommandTerm(command)),
      optionTerm: ({ flags }) => placeholders(flags),
    })
    .addHelpText('after', exitCodesText)
  for (const verb of verbs) verb(program, context)
  for (const command of program.commands) {
    command.option('--data <DIR>', `the data directory (default: ${defaultData})`)
    command.option('--json', 'print JSON on stdout, and nothing else there')
  }
  return program
}
