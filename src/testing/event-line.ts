import { canonical, type Json } from '../base/json.ts'
import type { NewEvent } from '../event/event.ts'

/** An event in a line of a timeline: its type, what it is about, and what of it tells most. */
export function eventLine({ type, data }: NewEvent): string {
  const said = Object.entries(data).flatMap(([key, value]) => (telling.has(key) ? [short(value as Json)] : []))
  return [type, ...said].join(' ')
}

/** The same without its data: the same text whatever values a run comes to. */
export function eventName({ type, data }: NewEvent): string {
  const { effect, node, name } = data as { effect?: string; node?: string; name?: string }
  return [type, effect ?? node ?? name].filter(Boolean).join(' ')
}

const telling: ReadonlySet<string> = new Set([
  ...['effect', 'node', 'signal', 'name', 'payload', 'attempt', 'cause', 'output', 'error', 'reason', 'as', 'option'],
  ...['timer', 'purpose', 'case', 'delayMs', 'effects', 'limit', 'why', 'jobId'],
])

const longest = 80

export function short(value: Json): string {
  const text = typeof value === 'string' ? value : canonical(value)
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text
}
