import type { z } from 'zod'
import type { Issue } from '../base/error.ts'
import { isObject, type Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { type Body, type Node, type TaskGraph, taskGraphSchema } from './graph.ts'
import { type Path, planInvalid, problem, quote, readJson } from './issue.ts'
import { findCycle } from './order.ts'
import { type Place, placesOf } from './parts.ts'
import { schemaIssue } from './schema-issue.ts'
import { type Form, visitForms } from './template.ts'

/**
 * Whether a value from outside is a plan.
 *
 * Size and depth come first, since a schema overflows the stack at a depth of about 1,000; then the schema; then what
 * a schema cannot say. A value that passes is a frozen copy, so it stays what was checked.
 */

/** Names: a Set, or a Map by name. */
export interface Names {
  has(name: string): boolean
  keys(): Iterable<string>
}

/** What a plan may name. */
export interface Known {
  tools: Names
  signals: Names
  /** Agents whose jobs a plan may start. Default: none. */
  agents?: Names
  /** Nodes that earlier plans of the job have settled: they may be referred to, and their ids are taken. */
  results?: Names
}

export type CheckedGraph = { graph: TaskGraph; issues?: never } | { graph?: never; issues: Issue[] }

/** The plan that a value is, or everything that is wrong with it. Never throws, whatever the value. */
export function checkGraph(value: unknown, known: Known): CheckedGraph {
  const read = readJson(value, 'The plan')
  if ('issues' in read) return read
  const tooLarge = sizeIssue(read.json)
  if (tooLarge !== undefined) return { issues: [tooLarge] }
  const parsed = taskGraphSchema.safeParse(read.json)
  if (!parsed.success) return { issues: parsed.error.issues.map((issue: z.core.$ZodIssue) => schemaIssue(issue)) }
  // The schema changes nothing, so the frozen copy is the plan.
  const graph = read.json as unknown as TaskGraph
  const issues = new Checker(known).plan(graph)
  return issues.length === 0 ? { graph } : { issues }
}

/**
 * The plan that a value is.
 * @throws AetherisError PLAN_INVALID with `issues`; its message names the first few.
 */
export function parseGraph(value: unknown, known: Known): TaskGraph {
  const { graph, issues } = checkGraph(value, known)
  if (graph === undefined) throw planInvalid(issues)
  return graph
}

function sizeIssue(plan: Json): Issue | undefined {
  const count = countNodes(plan)
  if (count > limits.nodesMax) {
    const message = `The plan has ${count} nodes and at most ${limits.nodesMax} are allowed; use a map node for repeated work.`
    return problem('too_many_nodes', ['nodes'], message)
  }
  const characters = JSON.stringify(plan).length
  if (characters <= limits.planCharactersMax) return undefined
  const message = `The plan is ${characters} characters long and at most ${limits.planCharactersMax} are allowed; pass large data as the job's input.`
  return problem('too_large', [], message)
}

/** Nodes of a plan that may not be one, with those inside loops. */
function countNodes(plan: Json): number {
  const nodes = isObject(plan) ? plan['nodes'] : undefined
  if (!Array.isArray(nodes)) return 0
  return nodes.reduce<number>((sum, node) => sum + 1 + countNodes(isObject(node) ? (node['body'] ?? null) : null), 0)
}

const loopForms: readonly Form[] = ['$state', '$iteration']
const everywhere: ReadonlySet<Form> = new Set<Form>(['$ref', '$input', '$case', '$literal'])

/** Finds what a schema cannot say: names, references, cycles. */
class Checker {
  private readonly known: Known

  constructor(known: Known) {
    this.known = known
  }

  plan(graph: TaskGraph): Issue[] {
    return this.body(graph, [], 0)
  }

  private body(body: Body, at: Path, depth: number): Issue[] {
    if (depth > limits.loopDepthMax) {
      const message = `Loops go ${limits.loopDepthMax} deep at most; make the inner one a job of its own.`
      return [problem('too_many_loops', at, message)]
    }
    const settled = depth === 0 ? this.known.results : undefined
    const issues = [
      ...idIssues(body, at, settled),
      ...body.nodes.flatMap((node, index) => this.names(node, [...at, 'nodes', index])),
      ...referenceIssues(body, at, depth > 0, settled),
      ...body.nodes.flatMap((node, index) =>
        node.kind === 'loop' ? this.body(node.body, [...at, 'nodes', index, 'body'], depth + 1) : [],
      ),
    ]
    // Duplicates and dangling references would make a search for cycles lie.
    return issues.length === 0 ? cycleIssues(body, at) : issues
  }

  private names(node: Node, at: Path): Issue[] {
    const { tools, signals, agents = new Set<string>() } = this.known
    const issues: Issue[] = []
    const check = (
      code: 'unknown_tool' | 'unknown_signal' | 'unknown_agent',
      what: string,
      key: string,
      name: string,
      names: Names,
    ) => {
      if (!names.has(name)) issues.push(problem(code, [...at, key], unknownName(what, name, names)))
    }
    if (node.kind === 'call' || node.kind === 'map') check('unknown_tool', 'tool', 'tool', node.tool, tools)
    if (node.kind === 'wait') check('unknown_signal', 'signal', 'signal', node.signal, signals)
    if (node.kind === 'spawn') {
      check('unknown_agent', 'agent', 'agent', node.agent, agents)
      if (node.detach === true && (node.onParentEnd ?? 'abandon') !== 'abandon') {
        const message = 'A detached job is not waited for, so it outlives its parent; take out detach or onParentEnd.'
        issues.push(problem('contradiction', [...at, 'onParentEnd'], message))
      }
    }
    if ('compensate' in node && node.compensate !== undefined && !tools.has(node.compensate.tool)) {
      const message = unknownName('tool', node.compensate.tool, tools)
      issues.push(problem('unknown_tool', [...at, 'compensate', 'tool'], message))
    }
    return issues
  }
}

/** Ids that differ by case only are as good as equal to a person who reads them. */
function idIssues(body: Body, at: Path, settled: Names | undefined): Issue[] {
  const seen = new Map<string, string>()
  const issues: Issue[] = []
  for (const [index, { id }] of body.nodes.entries()) {
    const other = seen.get(id.toLowerCase())
    const path = [...at, 'nodes', index, 'id']
    if (settled?.has(id)) {
      const message = `The node "${id}" has settled already; refer to its output, or take another id.`
      issues.push(problem('settled_id', path, message))
    } else if (other === id) {
      issues.push(problem('duplicate_id', path, `Another node is already called "${id}"; give each node its own id.`))
    } else if (other !== undefined) {
      const message = `The ids "${other}" and "${id}" differ only by case; rename one.`
      issues.push(problem('duplicate_id', path, message))
    } else seen.set(id.toLowerCase(), id)
  }
  return issues
}

const namesInMessage = 20

function unknownName(what: string, name: string, known: Names): string {
  const names = [...known.keys()]
  const more = names.length > namesInMessage ? ', …' : ''
  const choice =
    names.length === 0 ? 'there are none' : `use one of ${names.slice(0, namesInMessage).join(', ')}${more}`
  return `The ${what} ${quote(name)} is not known to the agent; ${choice}.`
}

function referenceIssues(body: Body, at: Path, inLoop: boolean, settled: Names | undefined): Issue[] {
  const ids = new Set(body.nodes.map(({ id }) => id))
  const isKnown = (id: string) => ids.has(id) || (settled?.has(id) ?? false)
  const issues: Issue[] = []
  const check = ({ template, path, allows }: Pick<Place, 'template' | 'path' | 'allows'>, self?: string) =>
    visitForms(template, (form, argument, inside) => {
      const place = [...path, ...inside]
      if (form === '$ref') issues.push(...idIssue((argument as Json[])[0] as string, place, isKnown, self))
      const fits = everywhere.has(form) || allows.includes(form) || (inLoop && loopForms.includes(form))
      if (!fits) issues.push(outOfPlace(form, place))
    })
  for (const [index, node] of body.nodes.entries()) {
    const here = [...at, 'nodes', index]
    for (const place of placesOf(node)) {
      // What undoes a node may speak of the node itself.
      check({ ...place, path: [...here, ...place.path] }, place.orders ? node.id : undefined)
    }
    for (const [nth, id] of (node.after ?? []).entries()) {
      issues.push(...idIssue(id, [...here, 'after', nth], isKnown, node.id))
    }
  }
  check({ template: body.output, path: [...at, 'output'], allows: [] })
  return issues
}

const homes: Partial<Record<Form, string>> = {
  $item: 'in the input of a map node',
  $index: 'in the input of a map node',
  $state: 'inside a loop',
  $iteration: 'inside a loop',
  $output: 'in the input of what compensates a node',
}

function outOfPlace(form: Form, path: Path): Issue {
  const code = form === '$item' || form === '$index' ? 'item_outside_map' : 'form_out_of_place'
  return problem(code, path, `${form} has a meaning only ${homes[form]}.`)
}

function idIssue(id: string, path: Path, isKnown: (id: string) => boolean, self: string | undefined): Issue[] {
  if (id === self) {
    return [problem('self_reference', path, `The node "${id}" would wait for itself; refer to an earlier node.`)]
  }
  if (isKnown(id)) return []
  return [problem('dangling_reference', path, `The plan has no node ${quote(id)}; refer to a node by its id.`)]
}

const cycleInMessage = 12

function cycleIssues(body: Body, at: Path): Issue[] {
  const cycle = findCycle(body)
  if (cycle === undefined) return []
  const shown =
    cycle.length <= cycleInMessage ? cycle : [...cycle.slice(0, cycleInMessage - 2), '…', ...cycle.slice(-1)]
  const path = [...at, 'nodes', body.nodes.findIndex(({ id }) => id === cycle[0])]
  const message = `Nodes wait for each other in a circle: ${shown.join(' → ')}. Take out one of these dependencies.`
  return [problem('cycle', path, message)]
}
