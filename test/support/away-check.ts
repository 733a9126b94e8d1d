import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { errorCodes } from '../../src/base/error.ts'
import type { EffectClass, JobEvent } from '../../src/event/event.ts'
import type { JobHandle } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import type { SimulatedClock } from '../../src/testing/simulated-clock.ts'
import type { OtherAgent, Reply } from './other-agent.ts'
import { eventsOf } from './scripted.ts'

/** Whatever an agent answers, and what has to hold of a call then. */

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 6 }))

/** Values of headers that can be sent at all. */
const headerText = fc.oneof(
  fc.stringMatching(/^[!-~]{0,20}$/),
  fc.constantFrom('0', '1', '-1', '1e9', '99999999999999999999', 'Wed, 21 Oct 2026 07:28:00 GMT'),
)

const location = fc.oneof(headerText, fc.constantFrom('/x', '//evil.example/x', '?a=b', 'http://[', 'file:///etc', ''))

const json = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.record(
    {
      output: fc.jsonValue({ maxDepth: 2 }),
      error: fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.record({ message: fc.jsonValue({ maxDepth: 1 }) })),
      task: fc.oneof(text, fc.jsonValue({ maxDepth: 1 })),
      progress: fc.jsonValue({ maxDepth: 1 }),
      detail: text,
    },
    { requiredKeys: [] },
  ),
)

const body = fc.oneof(
  { weight: 5, arbitrary: json.map((value) => JSON.stringify(value)) },
  fc.constantFrom('', '{"output":', '{"output":1}{', '{"__proto__":1}', '{"output":"\\ud800"}', '['.repeat(5_000)),
  text,
)

const type = fc.oneof(
  { weight: 5, arbitrary: fc.constant('application/json') },
  fc.constantFrom('application/problem+json', 'application/json; charset=latin1', 'text/html', ''),
)

const met = [200, 200, 202, 202, 204, 303, 307, 404, 408, 409, 421, 425, 429, 500, 502, 503, 504]
const status = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...met) }, fc.integer({ min: 200, max: 599 }))

/** As it is sent: whole, or broken off after some bytes, or not HTTP at all. */
export interface Answer {
  status: number
  headers: Record<string, string>
  body: string
  end: 'whole' | 'broken' | 'reset' | 'garbage'
}

export const answers: fc.Arbitrary<Answer> = fc.record({
  status,
  headers: fc
    .record({ 'Content-Type': type, 'Retry-After': headerText, Location: location }, { requiredKeys: ['Content-Type'] })
    .map((headers) => ({ ...headers })),
  body,
  end: fc.oneof({ weight: 6, arbitrary: fc.constant('whole' as const) }, fc.constantFrom('broken', 'reset', 'garbage')),
})

/** What was answered to the request at an index. */
export type AnswerAt = (at: number) => Answer

export function replyOf({ status, headers, body, end }: Answer): Reply {
  return (response) => {
    if (end === 'reset') return void response.destroy()
    if (end === 'garbage') return void response.socket?.end(`${body}\r\n\r\n`)
    const bytes = Buffer.from(body)
    response.writeHead(status, end === 'broken' ? { ...headers, 'Content-Length': bytes.length + 1 } : headers)
    if (end === 'whole') return void response.end(bytes)
    response.write(bytes, () => response.destroy())
    response.flushHeaders()
  }
}

/** Lets the call come to rest: settled, unknown, or out of attempts; answers to all that it asks are there. */
export async function drain(job: JobHandle, clock: SimulatedClock): Promise<void> {
  const isAtRest = () => {
    const { status, pending } = job.getSnapshot()
    return status !== 'active' || pending[0]?.status === 'unknown'
  }
  while (!isAtRest()) {
    await setImmediate()
    if (clock.nextAt !== undefined) clock.goTo(clock.nextAt)
  }
}

/** Names of the errors that say what kind of end an attempt came to. */
const typed = new Set(['TerminalError', 'RetryableError', 'OutcomeUnknownError'])

/** A sentence for each promise that was broken; the first word is the kind. */
export async function complaints(job: JobHandle, other: OtherAgent, sent: AnswerAt): Promise<string[]> {
  const events = await eventsOf(job)
  const errors = events.flatMap(({ data }) => ('error' in data && data.error !== undefined ? [data.error] : []))
  const found = errors
    .filter(({ name, code }) => !typed.has(name) && !(code !== undefined && code in errorCodes))
    .map(({ name, message }) => `untyped: ${name}: ${message}`)
  const { divergence } = await replay(job.agent, events)
  if (divergence !== undefined) found.push(`diverged: ${JSON.stringify(divergence)}`)
  return [...found, ...repeats(events, other, sent), ...claims(job, other, sent)]
}

/** Statuses that say that nothing was done. After a 421 the platform's fetch sends once more by itself. */
const declining = new Set([408, 421, 425, 429, 503])

/** A `once` call is sent again only after an answer that surely means that nothing was done. */
function repeats(events: readonly JobEvent[], other: OtherAgent, sent: AnswerAt): string[] {
  const isOnce = events.some(
    ({ type, data }) => type === 'node.started' && data.class === ('once' satisfies EffectClass),
  )
  const posted = other.received.flatMap(({ method }, at) => (method === 'POST' ? [at] : []))
  return posted.slice(0, -1).flatMap((at) => {
    const { status, end } = sent(at)
    const isSafe = declining.has(status) && end !== 'reset' && end !== 'garbage'
    return isOnce && !isSafe ? [`repeated: after status ${status}, ${end}`] : []
  })
}

/** An output is what the agent has sent last. */
function claims(job: JobHandle, other: OtherAgent, sent: AnswerAt): string[] {
  const { status, output } = job.getSnapshot()
  if (status !== 'done') return []
  const { status: last, end, body: said } = sent(other.received.length - 1)
  const known = last === 200 && end === 'whole' && outputIn(said) === JSON.stringify(output)
  return known ? [] : [`invented: ${JSON.stringify(output)}`]
}

function outputIn(body: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(body).output)
  } catch {
    return undefined
  }
}
