import type { Command } from 'commander'
import type { JobEvent } from '../event/event.ts'
import { openRuntime } from '../runtime/runtime.ts'
import { endStatuses, type JobStore } from '../store/store.ts'
import { attend, type Leave } from './attend.ts'
import { leaveCode } from './conclude.ts'
import { type CommonOptions, type Context, ending, lineToType } from './context.ts'
import { withStore } from './data.ts'
import { eventText } from './event-text.ts'
import { exit } from './exit-codes.ts'
import { createdOf, eventsOf, moduleOf, rowOf } from './history.ts'
import { onlyJob } from './only-job.ts'
import { timeText } from './text.ts'

interface EventsOptions extends CommonOptions {
  follow?: boolean
  module?: string
}

export function events(program: Command, context: Context): void {
  program
    .command('events')
    .description('print the history of a job')
    .argument('<ID>', 'the job')
    .option('--follow', 'go on with the job, and print each event as it becomes durable')
    .option('--module <PATH>', 'where the agent is defined, to go on with it (default: where it was loaded from)')
    .action(
      ending(context, (id: string, options: EventsOptions) =>
        withStore(context, options, (store) => print(context, store, id, options)),
      ),
    )
}

async function print(context: Context, store: JobStore, id: string, options: EventsOptions): Promise<number> {
  const { status } = await rowOf(store, id)
  if (options.follow && !endStatuses.has(status)) return follow(context, store, id, options)
  await printFrom(context, store, id, 0)
  return exit.done
}

/** Prints events from `seq` on; gives the seq after the last one. Stops where nobody reads any more. */
async function printFrom({ output }: Context, store: JobStore, id: string, seq: number): Promise<number> {
  let next = seq
  for await (const event of eventsOf(store, id, seq)) {
    if (output.closed) break
    await (output.json ? output.value(event) : output.lines(lineOf(event)))
    next = event.seq + 1
  }
  return next
}

function lineOf(event: JobEvent): string {
  return [String(event.seq).padStart(6), timeText(event.at), event.type.padEnd(20), eventText(event)]
    .join('  ')
    .trimEnd()
}

/** One process has the data at a time, so whoever follows a job is also the one that runs it. */
async function follow(context: Context, store: JobStore, id: string, options: EventsOptions): Promise<number> {
  const { allAgents: agents } = await moduleOf(context.io, await createdOf(store, id), options.module)
  await using runtime = await openRuntime({ store: onlyJob(store, id), agents })
  const job = await runtime.job(id)
  const done: { leave?: Leave } = {}
  const leaving = attend(context, { job, runtime, store, wait: true }).then((leave) => {
    done.leave = leave
  })
  leaving.catch(() => {}) // thrown below, after what was printed last
  for (let next = 0; ; ) {
    const { leave } = done
    next = await printFrom(context, store, id, next)
    if (context.output.closed) return exit.done
    if (leave !== undefined) {
      if (leave.why !== 'ended') context.output.note(`See how it stands: ${lineToType(context, options, 'show', id)}`)
      return leaveCode(leave, job.getSnapshot())
    }
    await Promise.race([leaving, job.waitFor(({ seq, status }) => seq > next || status !== 'active')])
  }
}
