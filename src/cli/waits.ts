import type { AnyAgent } from '../agent/agent.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import type { JobStore } from '../store/store.ts'
import { aboutNode } from './about.ts'
import { type CommonOptions, type Context, lineToType } from './context.ts'
import { examplePayload } from './form.ts'
import type { Wait } from './rest.ts'
import { timeText } from './text.ts'

/** A wait with the line that answers it, where a signal does. */
export type Answerable = Wait & { type?: string }

export function answerable(
  context: Context,
  options: CommonOptions,
  agent: AnyAgent | undefined,
  jobId: string,
  waits: readonly Wait[],
): Answerable[] {
  return waits.map((wait) => {
    const { signal } = wait
    if (signal === undefined) return wait
    const payload = examplePayload(agent?.signals.get(signal)?.payload)
    return { ...wait, type: lineToType(context, options, 'signal', jobId, signal, payload) }
  })
}

/** What a job waits for, what there is to know about it, and what to type. */
export async function waitLines(
  store: JobStore,
  snapshot: JobSnapshot,
  waits: readonly Answerable[],
): Promise<string[]> {
  if (waits.length === 0) return ['It waits, but its machine takes no signal in this state, and no timer runs.']
  const lines: string[] = []
  for (const wait of waits) {
    lines.push(sentence(wait))
    if (wait.effect !== undefined) lines.push(...indented(await aboutNode(store, snapshot, wait.effect)))
    if (wait.type !== undefined) lines.push(`  ${wait.type}`)
  }
  return lines
}

function sentence({ effect, signal, unknown, dueAt }: Wait): string {
  if (unknown) return `${effect} was started, and nobody knows how it ended. It is not started again by itself.`
  const until = dueAt === undefined ? '' : `, until ${timeText(dueAt)}`
  return effect === undefined
    ? `It takes the signal "${signal}".`
    : `${effect} waits for the signal "${signal}"${until}.`
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}
