import type { AnyActorRef, AnyEventObject } from 'xstate'
import { type InertLogic, inert, inertLogicOf, type Outcome } from '../../machines/inert.ts'
import { settledType } from './compile.ts'
import type { Asked, PlanState } from './plan-state.ts'
import { collectRequest, descend, joinPath, type Request, splitPath } from './requests.ts'

/**
 * The pending effects of a plan: what its nodes ask for, which its context holds as data, and below them those of its
 * parts. An actor for each of them would cost more than all else that XState does; see docs/adr/0051.
 */

/** Of a plan, or of a part of one. */
interface PlannedSnapshot {
  status: string
  children: Record<string, AnyActorRef>
  context: Partial<Pick<PlanState, 'asked' | 'halted'>>
}

/** What stands for a node; parts have machines. */
const logics: Partial<Record<Asked['kind'], InertLogic>> = {
  call: inert('call'),
  wait: inert('wait'),
  sleep: inert('sleep'),
  spawn: inert('spawn'),
}

/** Adds the requests of a plan, or of a part of one, in the order in which they were made. */
export function collectPlanned(ref: AnyActorRef, path: string | undefined, found: Request[], isHalted = false): void {
  const { status, children, context } = ref.getSnapshot() as PlannedSnapshot
  if (status !== 'active') return
  const halted = isHalted || context.halted !== undefined
  const collectChild = (id: string) => {
    const child = children[id] as AnyActorRef
    if (inertLogicOf(child) === undefined) collectPlanned(child, joinPath(path, id), found, halted)
    else collectRequest(child, joinPath(path, id), found, halted)
  }
  // A map or a loop holds what it has begun as actors.
  if (context.asked === undefined) return Object.keys(children).forEach(collectChild)
  for (const asked of context.asked) {
    const logic = logics[asked.kind]
    if (logic === undefined) collectChild(asked.node)
    else found.push(new PlannedRequest(path, asked, logic, halted))
  }
}

/** After each step all of these are compared with those before, so there is not more in one than that needs. */
class PlannedRequest implements Request {
  readonly ref: Asked
  readonly logic: InertLogic
  readonly isHalted: boolean
  private readonly parent: string | undefined

  constructor(parent: string | undefined, asked: Asked, logic: InertLogic, isHalted: boolean) {
    this.parent = parent
    this.ref = asked
    this.logic = logic
    this.isHalted = isHalted
  }

  get path(): string {
    return joinPath(this.parent, this.ref.node)
  }

  get input(): unknown {
    return this.ref.input
  }
}

/** Who is to be told the outcome of a request of a plan, and how: the plan whose node asked, or an actor below it. */
export function addresseeOf(
  plan: AnyActorRef,
  path: string,
  outcome: Outcome,
): [AnyActorRef, AnyEventObject] | undefined {
  const above = splitPath(path)
  const id = above.pop() as string
  const asker = descend(plan, above)
  const { context, children } = (asker?.getSnapshot() ?? {}) as Partial<PlannedSnapshot>
  const ref = children?.[id]
  if (ref !== undefined) return [ref, outcome]
  if (asker === undefined || !context?.asked?.some(({ node }) => node === id)) return undefined
  const type = settledType(id)
  return [asker, outcome.type === 'aetheris.done' ? { type, output: outcome.output } : { type, error: outcome.error }]
}
