import type { Stopped } from '../../machines/outcome.ts'
import type { ErrorData } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import type { NodeKind } from '../graph/graph.ts'
import { type NodeResult, type Pages, type Results, resultIn, resultsOf, withResult } from '../graph/result.ts'
import type { Scope } from '../graph/template.ts'
import type { Outcomes, Settled } from './settle.ts'

/** What the machine of a plan knows: its input, the results so far, and what it asks for. */

/** What a plan's machine begins with. */
export interface PlanInput {
  input: Json
  /** What earlier plans of the job have come to. */
  results: Results
  /** Of a plan inside a loop. */
  state?: Json
  iteration?: number
}

/** How far a plan has come, as its machine keeps it. */
export interface PlanState extends Omit<PlanInput, 'results'>, Pick<Outcomes, 'undo'> {
  results: Pages
  /** What has begun and not settled, in the order in which it began. */
  asked: readonly Asked[]
  /** Nothing more is begun. */
  halted?: Stopped
  /** The node that failed the plan, and how. */
  failure?: { node: string; error: ErrorData }
}

/** How far a plan has come, for whoever reads it. */
export interface PlanContext extends Omit<PlanState, 'results' | 'asked'>, Outcomes {}

/** What is read of a plan's state, put together only when somebody looks at it. */
export function planContextOf({ results, asked: _, ...rest }: PlanState): PlanContext {
  let nodes: Results | undefined
  return {
    ...rest,
    get nodes() {
      nodes ??= resultsOf(results)
      return nodes
    },
  }
}

/** Of how far a plan has come, what everybody may see. */
export type Progress = Pick<PlanContext, 'input' | 'nodes'>

export function progressOf({ input, results }: PlanState): Progress {
  if (results.length === 1) return { input, nodes: resultsOf(results) }
  let nodes: Results | undefined
  return {
    input,
    // Of several pages, put together only when somebody looks.
    get nodes() {
      nodes ??= resultsOf(results)
      return nodes
    },
  }
}

/**
 * A node that is under way: what it asks the runtime for, as data. A part of the plan with a machine of its own asks by
 * that.
 */
export interface Asked {
  readonly node: string
  readonly kind: Exclude<NodeKind, 'choose'>
  readonly input?: unknown
}

export function hasSettled({ results }: PlanState, node: string): boolean {
  return resultIn(results, node) !== undefined
}

/** With the result of a node, which asks for nothing any more. */
export function withSettled(context: PlanState, node: string, { result, undo }: Settled): Partial<PlanState> {
  const results = withResult(context.results, node, result)
  const asked = withoutAsked(context.asked, node)
  return undo === undefined || undo.length === 0
    ? { results, asked }
    : { results, asked, undo: { ...context.undo, [node]: undo } }
}

/** What began first most often settles first, so hardly any of the others is looked at. */
function withoutAsked(asked: readonly Asked[], node: string): readonly Asked[] {
  const at = asked.findIndex((each) => each.node === node)
  return at === -1 ? asked : asked.toSpliced(at, 1)
}

/** Outputs by node; only a completed one has any. */
export function scopeOf(context: PlanContext): Scope {
  const { nodes } = context
  return scopeWith(context, (node) => nodes[node])
}

/** The same, of a plan that goes on. */
export function scopeIn(context: PlanState): Scope {
  return scopeWith(context, (node) => resultIn(context.results, node))
}

function scopeWith(
  { input, state, iteration }: Omit<PlanInput, 'results'>,
  resultOf: (node: string) => NodeResult | undefined,
): Scope {
  return {
    input,
    ...(state === undefined ? {} : { state }),
    ...(iteration === undefined ? {} : { iteration }),
    output(node) {
      const result = resultOf(node)
      return result?.status === 'completed' ? result.output : undefined
    },
  }
}
