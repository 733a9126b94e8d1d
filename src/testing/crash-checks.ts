import { short } from './event-line.ts'
import { asText, type JobEnd, type Run } from './play.ts'
import type { CallRecord } from './world.ts'

/** What a crash must not change, in sentences where it has. */

/** Where a run has come to something else than another one, which was played `as` that says. */
export function differences(run: Run, other: Run, as: string): string[] {
  const problems: string[] = []
  for (const id of new Set([...Object.keys(other.ends), ...Object.keys(run.ends)])) {
    const [is, was] = [run.ends[id], other.ends[id]]
    if (is === undefined) problems.push(`Job "${id}" is not there.`)
    else if (was === undefined) problems.push(`There is a job "${id}"; ${as} there was none.`)
    else if (asText(is) !== asText(was)) problems.push(`Job "${id}" ${difference(is, was, as)}.`)
  }
  const [returned, before] = [asText(run.returned), asText(other.returned)]
  if (returned !== before) problems.push(`The scenario returned ${short(returned)}; ${as} ${short(before)}.`)
  return problems
}

function difference(is: JobEnd, was: JobEnd, as: string): string {
  for (const key of ['phase', 'pending', 'error', 'output', 'nodes'] as const) {
    const [now, before] = [asText(is[key]), asText(was[key])]
    if (now !== before) return `has come to ${key} ${short(now)}; ${as} to ${short(before)}`
  }
  return `has come to something else than ${as}`
}

/** Calls that should not have been made, or not like this. */
export function checkCalls(run: Run, base: Run): string[] {
  const keys = new Map(base.calls.map((call) => [nameOf(call), call.idempotencyKey]))
  const attempts = new Set<string>()
  const problems = new Set<string>()
  for (const call of run.calls) {
    const name = nameOf(call)
    const key = keys.get(name) ?? call.idempotencyKey
    keys.set(name, key)
    if (call.idempotencyKey !== key)
      problems.add(`The idempotency key of ${name} was ${key} and is ${call.idempotencyKey}.`)
    if (call.class !== 'once' || call.continues) continue
    const attempt = `${name} ${call.attempt}`
    if (attempts.has(attempt) || !isAllowed(run, call)) problems.add(`The \`once\` call of ${name} was made twice.`)
    attempts.add(attempt)
  }
  return [...problems]
}

/** A `once` call is made again only if the attempt before is known to have failed, or somebody says so. */
function isAllowed({ histories }: Run, { jobId, effect, attempt }: CallRecord): boolean {
  if (attempt === 1) return true
  return (histories.get(jobId) ?? []).some(
    ({ type, data }) =>
      type === 'node.attempted' && data.effect === effect && data.attempt === attempt && data.cause !== 'recovery',
  )
}

function nameOf({ tool, jobId, effect }: CallRecord): string {
  return `${tool} for ${effect} of job "${jobId}"`
}
