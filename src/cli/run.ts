import type { Command } from 'commander'
import type { AnyAgent } from '../agent/agent.ts'
import { AetherisError, isAetherisError } from '../base/error.ts'
import { canonical, toJson } from '../base/json.ts'
import { newId, systemRandom } from '../base/random.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { endStatuses, type JobRow, type JobStore, keyPart } from '../store/store.ts'
import { type CommonOptions, type Context, ending, lineToType } from './context.ts'
import { withStore } from './data.ts'
import { exampleJson } from './form.ts'
import { createdOf } from './history.ts'
import { loadModule, pickAgent } from './load-module.ts'
import { moveOn } from './move-on.ts'
import { readJson } from './read-json.ts'
import { withAdvice } from './report-error.ts'
import { plural, quoted } from './text.ts'
import { wholeNumber } from './whole-number.ts'

interface RunOptions extends CommonOptions {
  agent?: string
  input?: string
  id?: string
  wait: boolean
  killAt?: number
}

export function run(program: Command, context: Context): void {
  program
    .command('run')
    .description('run an agent as a job, or go on with a job')
    .argument('<MODULE>', 'TypeScript or JavaScript that exports the agent')
    .option('--agent <NAME>', 'which of its agents, where it exports several')
    .option('--input <JSON>', 'input of a new job: JSON, @FILE, or - for stdin (default: {})')
    .option('--id <ID>', 'id of the job; goes on with the one that has it (default: a new id)')
    .option('--no-wait', 'come back as soon as the job rests: ask nothing, stay for no timer')
    .option(
      '--kill-at <SEQ>',
      'kill this process with SIGKILL when that event is durable, to try recovery',
      wholeNumber,
    )
    .action(ending(context, (module: string, options: RunOptions) => runModule(context, module, options)))
}

/** The job that is asked for, whether there is one yet or not. */
interface Wanted {
  store: JobStore
  jobId: string
  agent: AnyAgent
  agents: readonly AnyAgent[]
  /** Undefined where none was given, which fits any job that is there. */
  input: unknown
  source: string
  /** As it is stored; undefined for a new one. */
  row: JobRow | undefined
  /** As it was named. */
  module: string
  options: RunOptions
}

async function runModule(context: Context, path: string, options: RunOptions): Promise<number> {
  const loaded = await loadModule(context.io, path)
  if (options.id === undefined) pickAgent(loaded, options.agent) // refused before a directory is made
  const input = options.input === undefined ? undefined : await readJson(context.io, options.input, 'The --input')
  const jobId = options.id ?? newId(Date.now(), systemRandom)
  const work = async (store: JobStore) => {
    const row = keyPart.test(jobId) ? await store.get(jobId) : undefined
    const agent = pickAgent(loaded, options.agent, row?.agent)
    const { allAgents: agents, path: source } = loaded
    const wanted: Wanted = { store, jobId, agent, agents, input, source, row, module: path, options }
    return moveOn(context, { ...wanted, wait: options.wait }, async (runtime) => {
      const job = await attach(runtime, wanted)
      killAt(job, options.killAt, row?.seq ?? 0)
      await announce(context, wanted)
      return job
    })
  }
  return withStore(context, options, work, { create: true })
}

async function attach(runtime: Runtime, wanted: Wanted): Promise<JobHandle> {
  const { agent, jobId, row, input, source } = wanted
  const isThere = row?.agent === agent.name
  if (isThere && input === undefined) return runtime.job(jobId)
  if (isThere) await checkSameInput(wanted)
  if (input !== undefined) return runtime.spawn(agent, input, { id: jobId, source })
  return runtime.spawn(agent, {}, { id: jobId, source }).catch((error) => {
    const isInput = isAetherisError(error, 'INPUT_INVALID') && error.issues.length > 0 // else it is the id
    if (!isInput) throw error
    throw withAdvice(error, `There is no --input; add --input ${quoted(exampleJson(agent.input))}`)
  })
}

/** Input that the job was not made from would go unheard. @throws AetherisError JOB_EXISTS */
async function checkSameInput({ store, agent, jobId, input }: Wanted): Promise<void> {
  const given = agent.input.safeParse(input)
  if (!given.success) return // spawn says so
  const created = await createdOf(store, jobId)
  if (canonical(toJson(given.data, 'The input', 'INPUT_INVALID')) === canonical(created.input)) return
  throw new AetherisError(
    'JOB_EXISTS',
    `Job "${jobId}" exists and was made from another input. Choose another --id, or leave --input away to go on with it.`,
    { jobId },
  )
}

async function announce(context: Context, { store, jobId, agent, row, module, options }: Wanted): Promise<void> {
  const { output } = context
  const line = (id: string) => `  ${lineToType(context, options, 'run', module, '--id', id)}`
  if (row === undefined) output.note(`Job ${jobId}, new, of agent ${agent.name}`)
  else if (endStatuses.has(row.status)) {
    output.note(`Job ${jobId} had ended before, so nothing is done again. For a new one, give another id:`, line('ID'))
  } else output.note(`Job ${jobId}, going on after ${plural(row.seq, 'event')}`)
  if (options.id !== undefined) return
  for await (const other of store.list({ unfinished: true })) {
    if (other.agent !== agent.name || other.id === jobId) continue
    output.note('Another job of this agent has not ended. Go on with it by:', line(other.id))
    break
  }
}

/** Dies as if the power had gone, but only of an event that was not there yet. */
function killAt(job: JobHandle, seq: number | undefined, from: number): void {
  if (seq === undefined || seq < from) return
  const check = (snapshot: { seq: number }) => {
    if (snapshot.seq > seq) process.kill(process.pid, 'SIGKILL')
  }
  check(job.getSnapshot())
  job.subscribe(check)
}
