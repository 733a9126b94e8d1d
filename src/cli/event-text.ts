import type { EventBody, NewEvent } from '../event/event.ts'
import { cut, durationText, jsonText, plural, timeText } from './text.ts'

/** What an event says beyond its type, in a line for people. */
export function eventText({ type, data }: NewEvent): string {
  switch (type) {
    case 'job.created':
      return `${data.agent} (version ${data.agentVersion}) ${short(data.input)}`
    case 'plan.requested':
      return data.round === 1 ? data.planner : `${data.planner}, round ${data.round}`
    case 'plan.rejected':
      return `${plural(data.issues.length, 'problem')}: ${data.issues[0]?.message ?? ''}`
    case 'plan.adopted':
    case 'plan.revised':
      return `${plural(nodeCount(data.graph), 'node')}, hash ${data.hash.slice(0, 12)}`
    case 'tools.listed':
      return Object.keys(data.tools).join(', ')
    case 'signal.received':
      return `${data.name} ${short(data.payload)}`
    case 'timer.armed':
      return `${data.timer} (${data.purpose}${data.effect === undefined ? '' : ` of ${data.effect}`}) for ${timeText(data.dueAt)}`
    case 'timer.fired':
      return data.timer
    case 'child.spawned':
      return `${data.effect}: job ${data.jobId}`
    case 'budget.exceeded':
      return `${data.limit} is at ${data.used} of ${data.max}`
    case 'compensation.started':
      return data.effects.join(', ')
    case 'command.refused':
      return `${data.command}${data.by === undefined ? '' : ` by ${data.by}`}: ${data.why}`
    case 'approval.requested':
      return `${data.effect}: ${data.tool} ${short(data.input)}`
    case 'approval.escalated':
      return `${data.effect}: to ${data.to.join(', ')}`
    case 'approval.decided':
      return `${data.effect}: ${data.option} ${whoText(data)}`.trim()
    case 'job.recovered':
      return `epoch ${data.epoch}`
    case 'job.completed':
      return short(data.output)
    case 'job.failed':
      return `${data.error.name}: ${data.error.message}`
    case 'job.restarted':
      return `from ${data.node} ${whoText(data)}`.trim()
    case 'job.resumed':
      return [whoText(data), data.budget === undefined ? '' : `budget ${short(data.budget)}`].filter(Boolean).join(', ')
    case 'job.paused':
    case 'job.cancel_requested':
    case 'job.cancelled':
    case 'job.terminated':
    case 'plan.revision_requested':
      return whoText(data)
    default:
      return nodeText({ type, data } as NodeEvent)
  }
}

type NodeEvent = Extract<EventBody, { type: `node.${string}` }>

function nodeText({ type, data }: NodeEvent): string {
  switch (type) {
    case 'node.started':
      return `${data.effect}: ${data.tool} (${data.class}) ${short(data.input)}`
    case 'node.attempted':
      return `${data.effect}: attempt ${data.attempt}, ${attemptCauses[data.cause]}`
    case 'node.submitted':
      return `${data.effect}: goes on elsewhere as ${short(data.task)}`
    case 'node.progressed':
      return `${data.effect}: ${short(data.progress)}`
    case 'node.retried':
      return `${data.effect}: attempt ${data.attempt} failed: ${data.error.message}; again in ${durationText(data.delayMs)}`
    case 'node.completed':
      return `${data.effect}: ${short(data.output)}`
    case 'node.failed':
      return `${data.effect}: ${data.error.name}: ${data.error.message}`
    case 'node.outcome_unknown':
      return `${data.effect}: attempt ${data.attempt} has no known outcome (${data.reason})`
    case 'node.reconciled':
      return `${data.effect}: its tool says ${data.answer}`
    case 'node.resolved':
      return `${data.effect}: ${data.as} ${whoText(data)}`
    case 'node.late_result':
      return `${data.effect}: attempt ${data.attempt} ${data.ok ? 'gave' : 'failed'} after all: ${short(data.value)}`
    case 'node.waiting':
      return `${data.effect}: for the signal "${data.signal}"`
    case 'node.chosen':
      return `${data.node}: ${data.case}`
    case 'node.skipped':
      return data.node
    case 'node.cancelled':
    case 'node.withdrawn':
      return data.effect
  }
}

const attemptCauses = {
  retry: 'after a failure',
  recovery: 'after a crash',
  resolved: 'since the last one did nothing',
  rejected: 'since the answer was no plan',
}

function whoText({ by, reason }: { by?: string | undefined; reason?: string | undefined }): string {
  return [by === undefined ? '' : `by ${by}`, reason ?? ''].filter(Boolean).join(': ')
}

const shortMax = 100

function short(value: unknown): string {
  return cut(jsonText(value), shortMax)
}

function nodeCount(graph: unknown): number {
  return (graph as { nodes: unknown[] }).nodes.length
}
