import type { PlanContext } from '../compile/hydrate.ts'
import type { TaskGraph } from '../graph/graph.ts'
import { dependencies } from '../graph/order.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import type { JobStore } from '../store/store.ts'
import { eventsOf } from './history.ts'
import { cut, jsonText, plural } from './text.ts'

/** What a waiting node is about: the outputs of the nodes before it. Nobody should have to decide without them. */
export async function aboutNode(store: JobStore, snapshot: JobSnapshot, effect: string): Promise<string[]> {
  const node = (await graphOf(store, snapshot.jobId))?.nodes.find(({ id }) => id === effect)
  if (node === undefined) return []
  const { nodes } = snapshot.context as PlanContext
  return dependencies(node).flatMap((id) => {
    const result = nodes[id]
    return result?.status === 'completed' ? [`${id} gave:`, ...outline(result.output).map((line) => `  ${line}`)] : []
  })
}

async function graphOf(store: JobStore, jobId: string): Promise<TaskGraph | undefined> {
  for await (const event of eventsOf(store, jobId)) {
    if (event.type === 'plan.adopted') return event.data.graph as unknown as TaskGraph
  }
  return undefined
}

const widthMax = 110
const itemsMax = 10

/** A value in some lines: its keys, the items of its lists, and the rest cut. */
export function outline(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [cut(jsonText(value), widthMax)]
  if (Array.isArray(value)) return items(value)
  return Object.entries(value).flatMap(([key, inner]) =>
    Array.isArray(inner) && inner.length > 0
      ? [`${key}: ${plural(inner.length, 'item')}`, ...items(inner).map((line) => `  ${line}`)]
      : [cut(`${key}: ${jsonText(inner)}`, widthMax)],
  )
}

function items(list: readonly unknown[]): string[] {
  const more = list.length - itemsMax
  const shown = list.slice(0, itemsMax).map((item) => cut(jsonText(item), widthMax))
  return more > 0 ? [...shown, `and ${more} more`] : shown
}
