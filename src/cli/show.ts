import type { Command } from 'commander'
import { AetherisError } from '../base/error.ts'
import type { EventData, JobEvent } from '../event/event.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import { endStatuses, type JobRow, type JobStore } from '../store/store.ts'
import { type CommonOptions, type Context, ending } from './context.ts'
import { withStore } from './data.ts'
import { exit, UsageError } from './exit-codes.ts'
import { createdOf, eventsOf, moduleOf, replayOf, rowOf } from './history.ts'
import { waitsOf } from './rest.ts'
import { cut, jsonText, table, timeText } from './text.ts'
import { type Answerable, answerable, waitLines } from './waits.ts'

interface ShowOptions extends CommonOptions {
  module?: string
}

export function show(program: Command, context: Context): void {
  program
    .command('show')
    .description('show where a job stands, and what it waits for')
    .argument('<id>', 'the job')
    .option('--module <path>', 'where the agent is defined (default: where it was loaded from)')
    .action(
      ending(context, (id: string, options: ShowOptions) =>
        withStore(context, options, (store) => showJob(context, store, id, options)),
      ),
    )
}

interface Shown {
  row: JobRow
  created: EventData<'job.created'>
  /** The last event: what it says of the state is the truth, whatever a replay makes of it. */
  last: JobEvent
  /** What the history does not say in so many words; undefined where it cannot be had. */
  snapshot: JobSnapshot | undefined
  waitsFor: Answerable[]
}

async function showJob(context: Context, store: JobStore, id: string, options: ShowOptions): Promise<number> {
  const row = await rowOf(store, id)
  const created = await createdOf(store, id)
  const last = await eventAt(store, id, row.seq - 1)
  const isOver = endStatuses.has(row.status)
  // A machine that has ended can say no more than its last event, so its module is not needed.
  const snapshot = isOver && created.machine !== undefined ? undefined : await replayed(context, store, id, options)
  const agent = isOver ? undefined : await agentOf(context, created, options)
  const waits = isOver || snapshot === undefined ? [] : waitsOf(agent, snapshot)
  const shown = { row, created, last, snapshot, waitsFor: answerable(context, options, agent, id, waits) }
  const { output } = context
  if (output.json) await output.value(jsonOf(shown))
  else await output.lines(...table(rowsOf(shown)))
  if (snapshot !== undefined && waits.length > 0)
    await output.lines(...(await waitLines(store, snapshot, shown.waitsFor)))
  return exit.done
}

async function replayed(context: Context, store: JobStore, id: string, { module }: ShowOptions) {
  try {
    const { snapshot, divergence } = await replayOf(context.io, store, id, { module })
    if (divergence === undefined) return snapshot
    context.output.note(`The history of ${id} does not replay; see the verb replay.`)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    context.output.note(error.message)
  }
  return undefined
}

/** Knows the form of the signals; the line to type is only less helpful without it. */
async function agentOf({ io }: Context, created: EventData<'job.created'>, { module }: ShowOptions) {
  return moduleOf(io, created, module).then(
    ({ agent }) => agent,
    () => undefined,
  )
}

async function eventAt(store: JobStore, id: string, seq: number): Promise<JobEvent> {
  for await (const event of eventsOf(store, id, seq)) return event
  throw new AetherisError('STORE_CORRUPT', `Event ${seq} of job "${id}" is missing.`, { jobId: id, seq })
}

function endOf({ type, data }: JobEvent) {
  if (type === 'job.completed') return { output: data.output }
  if (type === 'job.failed') return { error: data.error }
  return type === 'job.cancelled' ? data : {}
}

function jsonOf({ row, created, last, snapshot, waitsFor }: Shown) {
  const { id, agent, status, seq: events, createdAt, updatedAt } = row
  const { agentVersion, source, input } = created
  return {
    ...{ id, agent, agentVersion, status, state: last.state, events, createdAt, updatedAt, source, input },
    ...{ nodes: snapshot?.nodes, pending: snapshot?.pending, waitsFor },
    ...endOf(last),
  }
}

function rowsOf({ row, created, last, snapshot }: Shown): string[][] {
  const nodes = Object.entries(snapshot?.nodes ?? {}).map(([node, status]) => `${node} ${status}`)
  return [
    ['id', row.id],
    ['agent', `${row.agent}, version ${created.agentVersion}`],
    ['module', created.source ?? 'not recorded'],
    ['status', row.status],
    ['state', cut(jsonText(last.state), widthMax)],
    ['events', `${row.seq}, from ${timeText(row.createdAt)} to ${timeText(row.updatedAt)}`],
    ['input', cut(jsonText(created.input), widthMax)],
    ...(nodes.length > 0 ? [['nodes', cut(nodes.join(', '), widthMax * 4)]] : []),
    ...Object.entries(endOf(last)).map(([key, value]) => [key, cut(jsonText(value), widthMax * 10)]),
  ]
}

const widthMax = 200
