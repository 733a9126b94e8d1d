import type { NewEvent } from '../event/event.ts'
import { cut, durationText, jsonText, timeText } from './text.ts'

/** What an event says beyond its type, in a line for people. */
export function eventText({ type, data }: NewEvent): string {
  switch (type) {
    case 'job.created':
      return `${data.agent} (version ${data.agentVersion}) ${short(data.input)}`
    case 'plan.requested':
      return data.planner
    case 'plan.adopted':
      return `${nodeCount(data.graph)} nodes, hash ${data.hash.slice(0, 12)}`
    case 'node.started':
      return `${data.effect}: ${data.tool} (${data.class}) ${short(data.input)}`
    case 'node.attempted':
      return `${data.effect}: attempt ${data.attempt}, ${data.cause === 'retry' ? 'after a failure' : 'after a crash'}`
    case 'node.retried':
      return `${data.effect}: attempt ${data.attempt} failed: ${data.error.message}; again in ${durationText(data.delayMs)}`
    case 'node.completed':
      return `${data.effect}: ${short(data.output)}`
    case 'node.failed':
      return `${data.effect}: ${data.error.name}: ${data.error.message}`
    case 'node.outcome_unknown':
      return `${data.effect}: attempt ${data.attempt} has no known outcome (${data.reason})`
    case 'node.late_result':
      return `${data.effect}: attempt ${data.attempt} ${data.ok ? 'gave' : 'failed'} after all: ${short(data.value)}`
    case 'node.skipped':
      return data.node
    case 'node.waiting':
      return `${data.effect}: for the signal "${data.signal}"`
    case 'node.withdrawn':
      return data.effect
    case 'signal.received':
      return `${data.name} ${short(data.payload)}`
    case 'timer.armed':
      return `${data.timer} (${data.purpose} of ${data.effect}) for ${timeText(data.dueAt)}`
    case 'timer.fired':
      return data.timer
    case 'job.recovered':
      return `epoch ${data.epoch}`
    case 'job.completed':
      return short(data.output)
    case 'job.failed':
      return `${data.error.name}: ${data.error.message}`
    case 'job.paused':
    case 'job.resumed':
    case 'job.cancelled':
      return [data.by === undefined ? '' : `by ${data.by}`, data.reason ?? ''].filter(Boolean).join(': ')
  }
}

const shortMax = 100

function short(value: unknown): string {
  return cut(jsonText(value), shortMax)
}

function nodeCount(graph: unknown): number {
  return (graph as { nodes: unknown[] }).nodes.length
}
