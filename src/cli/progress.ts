import { type PlanContext, scopeOf } from '../compile/plan-state.ts'
import type { NewEvent } from '../event/event.ts'
import type { TaskGraph } from '../graph/graph.ts'
import type { Template } from '../graph/template.ts'
import { resolve } from '../graph/template.ts'
import { nodeOf } from '../replay/effect.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import { eventText } from './event-text.ts'
import type { Output } from './output.ts'
import { plural, timeText } from './text.ts'

/** Milliseconds between two pictures of the line that changes. */
const drawEveryMs = 80

interface MapProgress {
  over: Template
  /** Items that have ended, in whatever way. */
  done: number
  failed: number
  total: number | undefined
}

/** Tells the person in front how a job gets on: a line for what settles, and one that changes for what is under way. */
export class Progress {
  private readonly output: Output
  private readonly now: () => number
  private readonly maps = new Map<string, MapProgress>()
  private events = 0
  private drawnAt = 0

  constructor(output: Output, now: () => number) {
    this.output = output
    this.now = now
  }

  /** An event from before; it is counted and not told. */
  past(event: NewEvent): void {
    this.events += 1
    if (event.type === 'plan.adopted' || event.type === 'plan.revised') {
      for (const node of (event.data.graph as unknown as TaskGraph).nodes) {
        if (node.kind === 'map') this.maps.set(node.id, { over: node.over, done: 0, failed: 0, total: undefined })
      }
    }
    if (event.type !== 'node.completed' && event.type !== 'node.failed') return
    const map = this.maps.get(nodeOf(event.data.effect))
    if (map === undefined) return
    map.done += 1
    if (event.type === 'node.failed') map.failed += 1
  }

  /** An event that has become durable, with the job as it is after it. */
  event(event: NewEvent, snapshot: JobSnapshot): void {
    this.past(event)
    const line = event.type === 'node.completed' ? this.completed(event.data.effect) : lineFor(event)
    const isSettled = event.type === 'node.completed' || event.type === 'node.failed'
    const whole = isSettled ? this.whole(nodeOf(event.data.effect), snapshot) : undefined
    for (const each of [line, whole]) if (each !== undefined) this.output.note(`  ${each}`)
    if (this.output.live && this.now() - this.drawnAt >= drawEveryMs) this.draw(snapshot)
  }

  /** Of the items of a map only those that fail are told, and that all are done. */
  private completed(effect: string): string | undefined {
    return this.maps.has(nodeOf(effect)) ? undefined : `${effect} completed`
  }

  private whole(node: string, { context, nodes }: JobSnapshot): string | undefined {
    const map = this.maps.get(node)
    if (map === undefined || nodes[node] === 'failed') return undefined
    map.total ??= lengthOf(resolve(map.over, scopeOf(context as PlanContext)))
    if (map.done !== map.total) return undefined
    return `${node} completed, ${plural(map.total, 'item')}${map.failed === 0 ? '' : `, ${map.failed} of them failed`}`
  }

  private draw({ pending }: JobSnapshot): void {
    this.drawnAt = this.now()
    const nodes = new Set(pending.map(({ effect }) => nodeOf(effect)))
    const shown = [...nodes].map((node) => {
      const { done, total = '…' } = this.maps.get(node) ?? {}
      return done === undefined ? node : `${node} ${done}/${total}`
    })
    this.output.draw(`  ${[plural(this.events, 'event'), ...shown].join(' · ')}`)
  }
}

function lengthOf(list: unknown): number | undefined {
  return Array.isArray(list) ? list.length : undefined
}

const asked = {
  'job.paused': 'paused',
  'job.resumed': 'resumed',
  'job.restarted': 'begun again',
  'job.cancel_requested': 'asked to end',
  'job.terminated': 'terminated',
  'plan.revision_requested': 'asked for another plan',
}

/** What is worth a line while a job runs; the rest can be read with the verb `events`. */
function lineFor(event: NewEvent): string | undefined {
  switch (event.type) {
    case 'node.skipped':
      return `${event.data.node} skipped`
    case 'node.failed':
      return `${event.data.effect} failed: ${event.data.error.message}`
    case 'node.retried':
    case 'node.outcome_unknown':
    case 'node.reconciled':
    case 'node.resolved':
    case 'node.late_result':
    case 'child.spawned':
    case 'approval.requested':
    case 'approval.escalated':
    case 'approval.decided':
    case 'budget.exceeded':
    case 'command.refused':
      return eventText(event)
    case 'compensation.started':
      return `undoing ${plural(event.data.effects.length, 'step')}`
    case 'plan.revised':
      return `plan revised: ${eventText(event)}`
    case 'job.paused':
    case 'job.resumed':
    case 'job.restarted':
    case 'job.cancel_requested':
    case 'job.terminated':
    case 'plan.revision_requested':
      return `${asked[event.type]} ${eventText(event)}`.trimEnd()
    case 'signal.received':
      return `signal ${event.data.name} received`
    case 'timer.armed':
      return event.data.purpose === 'sleep'
        ? `${event.data.effect} sleeps until ${timeText(event.data.dueAt)}`
        : undefined
    case 'job.recovered':
      return 'taken up again where its last process stopped'
    default:
      return undefined
  }
}
