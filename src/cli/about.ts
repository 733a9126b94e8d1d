import type { PlanContext } from '../compile/plan-state.ts'
import { optionsOf } from '../event/approval.ts'
import type { JobEvent } from '../event/event.ts'
import { dependencies } from '../graph/order.ts'
import { type Approval, nodeOf } from '../replay/effect.ts'
import type { JobStore } from '../store/store.ts'
import { eventsOf } from './history.ts'
import type { Owed } from './rest.ts'
import { cut, jsonText, plural, timeText } from './text.ts'

/** What there is to know before somebody decides, as far as the job knows it. */
export async function aboutReason(store: JobStore, owed: Owed): Promise<string[]> {
  const { kind, effect } = owed.reason
  if (effect === undefined) return []
  switch (kind) {
    case 'signal':
      return outputsBefore(owed, effect)
    case 'approval':
      return [...asked(owed, effect), ...outputsBefore(owed, effect)]
    case 'outcome':
      return attempted(store, owed.snapshot.jobId, effect)
    default:
      return []
  }
}

/** The outputs of the nodes before one that waits for somebody. */
export function outputsBefore({ snapshot }: Pick<Owed, 'snapshot'>, effect: string): string[] {
  const node = snapshot.graph?.nodes.find(({ id }) => id === nodeOf(effect))
  if (node === undefined) return []
  const { nodes } = snapshot.context as PlanContext
  return dependencies(node).flatMap((id) => {
    const result = nodes[id]
    return result?.status === 'completed' ? [`${id} gave:`, ...indented(outline(result.output))] : []
  })
}

/** What somebody is asked to agree to. */
function asked({ snapshot }: Owed, effect: string): string[] {
  const { approval, since } = snapshot.pending.find((each) => each.effect === effect) ?? {}
  if (approval === undefined) return []
  const { tool, input, digest, policy } = approval
  const options = Object.entries(optionsOf(policy)).map(([option, verdict]) =>
    option === verdict ? option : `${option} (${verdict})`,
  )
  return [
    `${tool} is to get:`,
    ...indented(outline(input)),
    `digest ${digest}`,
    `options ${options.join(', ')}`,
    ...otherwise(approval, since ?? 0),
  ]
}

/** What happens where nobody answers. */
function otherwise({ policy, escalatedTo }: Approval, since: number): string[] {
  const { timeoutMs, onTimeout = 'deny', escalate } = policy
  const passed = escalatedTo === undefined ? 'may answer from' : 'may answer since'
  return [
    ...(escalate === undefined ? [] : [`${escalate.to.join(', ')} ${passed} ${timeText(since + escalate.afterMs)}`]),
    ...(timeoutMs === undefined ? [] : [`without an answer until ${timeText(since + timeoutMs)}: ${onTimeout}`]),
  ]
}

/** What is known of a call whose outcome is not. */
async function attempted(store: JobStore, jobId: string, effect: string): Promise<string[]> {
  const lines: string[] = []
  for await (const event of eventsOf(store, jobId)) {
    if ('effect' in event.data && event.data.effect === effect) lines.push(...knownFrom(event))
  }
  return lines
}

function knownFrom({ type, data, at }: JobEvent): string[] {
  switch (type) {
    case 'node.started':
      return [`${data.tool} was called with:`, ...indented(outline(data.input))]
    case 'node.attempted':
      return [`attempt ${data.attempt} began ${timeText(at)}`]
    case 'node.outcome_unknown':
      return [`attempt ${data.attempt} was lost: ${data.reason}`]
    case 'node.reconciled':
      return [
        `its tool was asked, and said: ${data.answer}${data.error === undefined ? '' : `, ${data.error.message}`}`,
      ]
    case 'node.late_result':
      return [
        `attempt ${data.attempt} ${data.ok ? 'gave' : 'failed with'}, too late: ${cut(jsonText(data.value), widthMax)}`,
      ]
    default:
      return []
  }
}

const widthMax = 110
const itemsMax = 10

/** A value in some lines: its keys, the items of its lists, and the rest cut. */
export function outline(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [cut(jsonText(value), widthMax)]
  if (Array.isArray(value)) return items(value)
  return Object.entries(value).flatMap(([key, inner]) =>
    Array.isArray(inner) && inner.length > 0
      ? [`${key}: ${plural(inner.length, 'item')}`, ...indented(items(inner))]
      : [cut(`${key}: ${jsonText(inner)}`, widthMax)],
  )
}

function items(list: readonly unknown[]): string[] {
  const more = list.length - itemsMax
  const shown = list.slice(0, itemsMax).map((item) => cut(jsonText(item), widthMax))
  return more > 0 ? [...shown, `and ${more} more`] : shown
}

/** Lines that belong to the one above them. */
export function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}
