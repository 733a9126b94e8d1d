import type { Json } from '../base/json.ts'

/** Parts of a plan that have machines of their own, maps and loops, when the plan begins anew. */

type Persisted = { [key: string]: Json }
interface PersistedActor extends Persisted {
  snapshot: Persisted & { children?: { [id: string]: PersistedActor } }
}

/** The children of a job's body, as the job was persisted. */
function childrenOf(job: Json): { [id: string]: PersistedActor } {
  const { children } = job as unknown as { children: { body?: PersistedActor } }
  return children.body?.snapshot.children ?? {}
}

/**
 * The job `after` with those parts of its body as they were in the job `before` which `goesOn` names. Each of them has
 * begun in both; where it is in the old one, it goes on. Undefined where there are none.
 */
export function carryParts(before: Json, after: Json, goesOn: (node: string) => boolean): Json | undefined {
  const old = childrenOf(before)
  const carried: [string, PersistedActor][] = []
  for (const [id, part] of Object.entries(childrenOf(after))) {
    const { snapshot } = old[id] ?? {}
    // What has no children only asks for something, and is known by its path.
    if (snapshot?.children !== undefined && goesOn(id)) carried.push([id, { ...part, snapshot }])
  }
  if (carried.length === 0) return undefined
  const job = after as unknown as { children: { body: PersistedActor } }
  const { body } = job.children
  const children = { ...body.snapshot.children, ...Object.fromEntries(carried) }
  return { ...job, children: { ...job.children, body: { ...body, snapshot: { ...body.snapshot, children } } } }
}
