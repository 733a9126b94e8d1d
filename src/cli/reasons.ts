import type { JobSnapshot } from '../replay/job-snapshot.ts'
import type { JobStore } from '../store/store.ts'
import { aboutNode } from './about.ts'
import { type CommonOptions, type Context, lineToType } from './context.ts'
import type { Wait } from './rest.ts'
import { timeText } from './text.ts'

/** A wait with the line that answers it, where a signal does. */
export type Answerable = Omit<Wait, 'payload'> & { type?: string }

export function answerable(context: Context, options: CommonOptions, waits: readonly Wait[]): Answerable[] {
  return waits.map(({ payload, ...wait }) => {
    if (wait.signal === undefined || payload === undefined) return wait
    return { ...wait, type: lineToType(context, options, 'signal', wait.jobId, wait.signal, payload) }
  })
}

/** What is waited for, what there is to know about it, and what to type. `job` is the one that is shown. */
export async function waitLines(store: JobStore, job: JobSnapshot, waits: readonly Answerable[]): Promise<string[]> {
  const lines: string[] = []
  for (const wait of waits) {
    const isChild = wait.jobId !== job.jobId
    lines.push(isChild && wait.effect !== undefined ? `In job ${wait.jobId}, ${sentence(wait)}` : sentence(wait))
    if (wait.effect !== undefined && !isChild) lines.push(...indented(await aboutNode(store, job, wait.effect)))
    if (wait.type !== undefined) lines.push(`  ${wait.type}`)
  }
  return lines
}

function sentence({ jobId, effect, signal, approval, unknown, dueAt }: Wait): string {
  if (unknown) return `${effect} was started, and nobody knows how it ended. It is not started again by itself.`
  const until = dueAt === undefined ? '' : `, until ${timeText(dueAt)}`
  if (approval !== undefined) return `${effect} needs somebody to agree to a call of ${approval}${until}.`
  return effect === undefined
    ? `Job ${jobId} takes the signal "${signal}".`
    : `${effect} waits for the signal "${signal}"${until}.`
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}
