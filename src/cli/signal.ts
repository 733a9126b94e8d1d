import type { Command } from 'commander'
import type { AnyAgent } from '../agent/agent.ts'
import { AetherisError, isAetherisError } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import { newId, systemRandom } from '../base/random.ts'
import { checkSignal } from '../runtime/admission.ts'
import { endStatuses, type JobStore } from '../store/store.ts'
import { type CommonOptions, type Context, ending, lineToType } from './context.ts'
import { withStore } from './data.ts'
import { exit } from './exit-codes.ts'
import { exampleJson } from './form.ts'
import { createdOf, moduleOf, rowOf } from './history.ts'
import { moveOn } from './move-on.ts'
import { readJson } from './read-json.ts'
import { withAdvice } from './report-error.ts'
import { quoted } from './text.ts'

interface SignalOptions extends CommonOptions {
  module?: string
  wait: boolean
}

export function signal(program: Command, context: Context): void {
  program
    .command('signal')
    .description('send a signal to a job, and go on with it')
    .argument('<ID>', 'the job')
    .argument('<NAME>', 'the signal')
    .argument('<JSON>', 'its payload: JSON, @FILE, or - for stdin')
    .option('--module <PATH>', 'where the agent is defined (default: where it was loaded from)')
    .option('--no-wait', 'only leave the signal, for whoever goes on with the job')
    .action(
      ending(context, async (id: string, name: string, json: string, options: SignalOptions) => {
        const payload = await readJson(context.io, json, 'The payload')
        return withStore(context, options, (store) => send(context, store, { id, name, payload, options }))
      }),
    )
}

interface Sending {
  id: string
  name: string
  payload: unknown
  options: SignalOptions
}

async function send(context: Context, store: JobStore, { id, name, payload, options }: Sending): Promise<number> {
  const { status } = await rowOf(store, id)
  if (endStatuses.has(status)) {
    throw new AetherisError('JOB_SETTLED', `Job "${id}" is ${status} and takes no more signals.`, { jobId: id })
  }
  const { agent, allAgents: agents, path } = await moduleOf(context.io, await createdOf(store, id), options.module)
  const checked = checkedPayload(agent, name, payload)
  if (options.wait) {
    return moveOn(context, { store, jobId: id, agents, module: path, options, wait: true }, async (runtime) => {
      const job = await runtime.job(id)
      await job.signal(name, payload)
      return job
    })
  }
  const at = Date.now()
  const body = { name, payload: checked }
  await store.send({ jobId: id, id: newId(at, systemRandom), at, kind: 'signal', body })
  const resume = lineToType(context, options, 'run', path, '--id', id)
  if (context.output.json) await context.output.value({ id, signal: name, resume })
  await context.output.lines(`Left "${name}" for ${id}. Go on with:`, `  ${resume}`)
  return exit.done
}

/** The payload as its schema parses it. @throws AetherisError SIGNAL_UNKNOWN; SIGNAL_INVALID, with the form that it has to have */
function checkedPayload(agent: AnyAgent, name: string, payload: unknown): Json {
  try {
    return checkSignal(agent, name, payload)
  } catch (error) {
    if (!isAetherisError(error, 'SIGNAL_INVALID')) throw error
    throw withAdvice(error, `Its form is ${quoted(exampleJson(agent.signals.get(name)?.payload))}`)
  }
}
