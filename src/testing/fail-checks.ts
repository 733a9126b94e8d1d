import type { JobEvent } from '../event/event.ts'
import type { Reason } from '../replay/why.ts'
import type { Played } from './play.ts'

/** What must hold whatever goes wrong, in sentences where it does not. */

/** What nobody can do anything about, since nothing that anybody is asked for would move the job on. */
const hopeless: ReadonlySet<Reason['kind']> = new Set(['call', 'planner', 'machine', 'owner', 'message'])

/** Every job has ended, or waits for somebody. */
export function checkEnds({ reasons }: Played): string[] {
  return [...reasons].flatMap(([id, all]) =>
    all.flatMap((reason) =>
      hopeless.has(reason.kind) ? [`Job "${id}" never ends. ${reason.what}${advice(reason)}`] : [],
    ),
  )
}

function advice({ kind }: Reason): string {
  if (kind === 'call') return ' Give its tool a timeoutMs, or its node a deadlineMs.'
  return kind === 'planner' ? ' Give the planner a timeoutMs.' : ''
}

/** What is undone begins after all that it undoes has ended, latest first, and nothing of it is left out. */
export function checkUndone({ histories, calls }: Played): string[] {
  return [...histories].flatMap(([id, events]) => {
    const announced = events.flatMap(({ type, data }) => (type === 'compensation.started' ? data.effects : []))
    const wanted = undoing(announced.map(withoutPrefix), events)
    const begun = calls.filter(({ jobId, effect }) => jobId === id && effect.startsWith(prefix))
    const undone = [...new Set(begun.map(({ effect }) => withoutPrefix(effect)))]
    const isEnded = events.some(({ type }) => type === 'job.failed' || type === 'job.cancelled')
    const due = isEnded ? wanted : wanted.slice(0, undone.length)
    if (undone.join() === due.join()) return []
    return [`Job "${id}" has undone ${list(undone)}; latest first, that is ${list(due)}.`]
  })
}

/** What a job has undone, in that order. */
export function undoneIn(events: readonly JobEvent[]): string[] {
  return events.flatMap(({ type, data }) =>
    type === 'node.completed' && data.effect.startsWith(prefix) ? [withoutPrefix(data.effect)] : [],
  )
}

const prefix = 'job.undo/'

function withoutPrefix(effect: string): string {
  return effect.startsWith(prefix) ? effect.slice(prefix.length) : effect
}

/** Effects in the order in which they are to be undone: the latest first, and of two nodes the one that settled last. */
function undoing(effects: readonly string[], events: readonly JobEvent[]): string[] {
  const settledAt = new Map<string, number>()
  const endedAt = new Map<string, number>()
  for (const { type, data, seq } of events) {
    if (type !== 'node.completed' && type !== 'node.failed' && type !== 'node.cancelled') continue
    settledAt.set(rootOf(data.effect), seq)
    endedAt.set(data.effect, seq)
  }
  const at = (effect: string) => [settledAt.get(rootOf(effect)) ?? 0, endedAt.get(effect) ?? 0] as const
  return effects.toSorted((a, b) => at(b)[0] - at(a)[0] || at(b)[1] - at(a)[1])
}

/** The node that an effect is a part of. */
function rootOf(effect: string): string {
  return effect.split('/')[0] as string
}

function list(effects: readonly string[]): string {
  return effects.length === 0 ? 'nothing' : effects.join(', ')
}
