import { optionsOf } from '../event/approval.ts'
import type { Reason } from '../replay/why.ts'
import type { JobStore } from '../store/store.ts'
import { aboutReason, indented } from './about.ts'
import type { CommonOptions, Context } from './context.ts'
import { movesToType } from './moves.ts'
import type { Owed } from './rest.ts'
import { durationText, timeText } from './text.ts'

/** Why a job does not move, and what to type about it: the same wherever it is said. */

/** For scripts. */
export interface Told extends Omit<Reason, 'moves'> {
  jobId: string
  signal?: string
  approval?: object
  /** The lines that move it on. */
  type: string[]
}

/** Of one job; `module` is that of its agent, as it is named in lines to type. */
export interface Teller {
  context: Context
  options: CommonOptions
  module?: string | undefined
}

export function told({ context, options, module }: Teller, owed: Owed): Told {
  const { moves: _, ...reason } = owed.reason
  const { jobId, pending } = owed.snapshot
  const { signal, approval } = pending.find(({ effect }) => effect === reason.effect) ?? {}
  return {
    ...{ jobId, ...reason },
    ...(signal === undefined ? {} : { signal }),
    ...(approval === undefined ? {} : { approval: { ...approval, options: optionsOf(approval.policy) } }),
    type: movesToType(context, options, owed, module),
  }
}

export interface Telling extends Teller {
  store: JobStore
  /** The job that is shown; those of others are named. */
  jobId: string
  /** With who owes it, and for how long. */
  at?: number
}

/** For people. */
export async function reasonLines(telling: Telling, all: readonly Owed[]): Promise<string[]> {
  const lines: string[] = []
  for (const owed of all) {
    const { reason, snapshot } = owed
    const isOther = snapshot.jobId !== telling.jobId && reason.effect !== undefined
    lines.push(`${isOther ? `In job ${snapshot.jobId}, ` : ''}${sentence(reason)}`)
    const since = telling.at === undefined || reason.kind === 'ended' ? [] : [owedText(reason, telling.at)]
    const about = await aboutReason(telling.store, owed)
    lines.push(...indented([...since, ...about, ...told(telling, owed).type]))
  }
  return lines
}

function sentence({ what, dueAt }: Reason): string {
  return dueAt === undefined ? what : `${what.replace(/\.$/, '')}, until ${timeText(dueAt)}.`
}

function owedText({ owes, since }: Reason, now: number): string {
  const owed = `owed by ${owes}`
  return since === undefined ? owed : `${owed}, since ${timeText(since)} (${durationText(Math.max(0, now - since))})`
}
