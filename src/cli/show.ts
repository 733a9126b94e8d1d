import type { Command } from 'commander'
import { isAetherisError } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import { type EventData, endTypes } from '../event/event.ts'
import { type Account, createLedger } from '../models/ledger.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import { endStatuses, type JobRow, type JobStore } from '../store/store.ts'
import { type CommonOptions, type Context, ending } from './context.ts'
import { withStore } from './data.ts'
import { exit, UsageError } from './exit-codes.ts'
import { agentOf, createdOf, eventsOf, replayOf, rowOf } from './history.ts'
import { ledgerLines } from './ledger-text.ts'
import { reasonLines, type Told, told } from './reasons.ts'
import { storedReasons } from './rest.ts'
import { cut, jsonText, table, timeText } from './text.ts'

interface ShowOptions extends CommonOptions {
  module?: string
}

export function show(program: Command, context: Context): void {
  program
    .command('show')
    .description('show where a job stands, what it waits for, and what it has used up')
    .argument('<ID>', 'the job')
    .option('--module <PATH>', 'where the agent is defined (default: where it was loaded from)')
    .action(
      ending(context, (id: string, options: ShowOptions) =>
        withStore(context, options, (store) => showJob(context, store, id, options)),
      ),
    )
}

/** What the history says in so many words, which is the truth whatever a replay makes of it. */
interface Recorded {
  state: Json
  /** The output or the error, or who cancelled; empty where the job has not ended. */
  end: object
  /** What it has used up, by node and in all; undefined where that is nothing. */
  used: { nodes: Readonly<Record<string, Account>>; job: Account } | undefined
}

interface Shown {
  row: JobRow
  created: EventData<'job.created'>
  recorded: Recorded
  /** What only a replay tells; undefined where it cannot. */
  snapshot: JobSnapshot | undefined
  waitsFor: Told[]
}

async function showJob(context: Context, store: JobStore, id: string, options: ShowOptions): Promise<number> {
  const row = await rowOf(store, id)
  const created = await createdOf(store, id)
  const recorded = await recordedOf(store, row)
  const isOver = endStatuses.has(row.status)
  // A machine that has ended can say no more than its history, so its module is not needed.
  const snapshot = isOver && created.machine !== undefined ? undefined : await replayed(context, store, id, options)
  const agent = isOver ? undefined : await agentOf(context.io, created, options.module)
  const reasons = snapshot === undefined ? [] : await storedReasons(store, { snapshot, agent }, Date.now())
  const movable = reasons.filter(({ reason }) => reason.moves.length > 0)
  const telling = { context, options, store, jobId: id, module: options.module ?? created.source }
  const shown = { row, created, recorded, snapshot, waitsFor: movable.map((owed) => told(telling, owed)) }
  const { output } = context
  if (output.json) await output.value(jsonOf(shown))
  else {
    await output.lines(...table(rowsOf(shown)))
    if (recorded.used !== undefined) await output.lines('', ...ledgerLines(recorded.used.nodes, recorded.used.job))
    await output.lines(...(await reasonLines(telling, movable)))
  }
  return exit.done
}

async function replayed(context: Context, store: JobStore, id: string, { module }: ShowOptions) {
  try {
    const { snapshot, divergence } = await replayOf(context.io, store, id, { module })
    if (divergence === undefined) return snapshot
    context.output.note(`The history of ${id} does not replay; see the verb replay.`)
  } catch (error) {
    if (!(error instanceof UsageError || (isAetherisError(error) && !error.code.startsWith('STORE_')))) throw error
    context.output.note(error.message)
  }
  return undefined
}

async function recordedOf(store: JobStore, { id, agent }: JobRow): Promise<Recorded> {
  const recorded: Recorded = { state: null, end: {}, used: undefined }
  const ledger = createLedger()
  for await (const event of eventsOf(store, id)) {
    recorded.state = event.state
    if (endTypes.has(event.type)) recorded.end = event.data
    ledger.trigger.count({ job: id, agent, event })
  }
  const { nodes, jobs } = ledger.getSnapshot().context
  if (jobs[id] !== undefined) recorded.used = { nodes: nodes[id] ?? {}, job: jobs[id] }
  return recorded
}

function jsonOf({ row, created, recorded, snapshot, waitsFor }: Shown) {
  const { id, agent, status, seq: events, createdAt, updatedAt } = row
  const { agentVersion, source, input } = created
  return {
    ...{ id, agent, agentVersion, status, state: recorded.state, events, createdAt, updatedAt, source, input },
    ...{ nodes: snapshot?.nodes, pending: snapshot?.pending, waitsFor, used: recorded.used },
    ...recorded.end,
  }
}

function rowsOf({ row, created, recorded, snapshot }: Shown): string[][] {
  const nodes = Object.entries(snapshot?.nodes ?? {}).map(([node, status]) => `${node} ${status}`)
  return [
    ['id', row.id],
    ['agent', `${row.agent}, version ${created.agentVersion}`],
    ['module', created.source ?? 'not recorded'],
    ['status', row.status],
    ['state', cut(jsonText(recorded.state), widthMax)],
    ['events', `${row.seq}, from ${timeText(row.createdAt)} to ${timeText(row.updatedAt)}`],
    ['input', cut(jsonText(created.input), widthMax)],
    ...(nodes.length > 0 ? [['nodes', cut(nodes.join(', '), widthMax * 4)]] : []),
    ...Object.entries(recorded.end).map(([key, value]) => [key, cut(jsonText(value), widthMax * 10)]),
  ]
}

const widthMax = 200
