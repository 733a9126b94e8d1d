import type { z } from 'zod'
import type { Issue } from '../base/error.ts'
import { isObject, type Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { conditionTemplates } from './condition.ts'
import { type Node, type TaskGraph, type Template, taskGraphSchema } from './graph.ts'
import { type Path, planInvalid, problem, quote, readJson } from './issue.ts'
import { findCycle } from './order.ts'
import { schemaIssue } from './schema-issue.ts'
import { visitForms } from './template.ts'

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
  const issues = [...idIssues(graph), ...nameIssues(graph, known), ...referenceIssues(graph)]
  // Duplicates and dangling references would make a search for cycles lie.
  if (issues.length === 0) issues.push(...cycleIssues(graph))
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
  const nodes = isObject(plan) ? plan['nodes'] : undefined
  if (Array.isArray(nodes) && nodes.length > limits.nodesMax) {
    const message = `The plan has ${nodes.length} nodes and at most ${limits.nodesMax} are allowed; use a map node for repeated work.`
    return problem('too_many_nodes', ['nodes'], message)
  }
  const characters = JSON.stringify(plan).length
  if (characters <= limits.planCharactersMax) return undefined
  const message = `The plan is ${characters} characters long and at most ${limits.planCharactersMax} are allowed; pass large data as the job's input.`
  return problem('too_large', [], message)
}

/** Ids that differ by case only are as good as equal to a person who reads them. */
function idIssues(graph: TaskGraph): Issue[] {
  const seen = new Map<string, string>()
  const issues: Issue[] = []
  for (const [index, { id }] of graph.nodes.entries()) {
    const other = seen.get(id.toLowerCase())
    const path = ['nodes', index, 'id']
    if (other === id) {
      issues.push(problem('duplicate_id', path, `Another node is already called "${id}"; give each node its own id.`))
    } else if (other !== undefined) {
      const message = `The ids "${other}" and "${id}" differ only by case; rename one.`
      issues.push(problem('duplicate_id', path, message))
    } else seen.set(id.toLowerCase(), id)
  }
  return issues
}

function nameIssues(graph: TaskGraph, { tools, signals }: Known): Issue[] {
  return graph.nodes.flatMap((node, index) => {
    if ((node.kind === 'call' || node.kind === 'map') && !tools.has(node.tool)) {
      return [problem('unknown_tool', ['nodes', index, 'tool'], unknownName('tool', node.tool, tools))]
    }
    if (node.kind === 'wait' && !signals.has(node.signal)) {
      return [problem('unknown_signal', ['nodes', index, 'signal'], unknownName('signal', node.signal, signals))]
    }
    return []
  })
}

const namesInMessage = 20

function unknownName(what: string, name: string, known: Names): string {
  const names = [...known.keys()]
  const more = names.length > namesInMessage ? ', …' : ''
  const choice =
    names.length === 0 ? 'there are none' : `use one of ${names.slice(0, namesInMessage).join(', ')}${more}`
  return `The ${what} ${quote(name)} is not known to the agent; ${choice}.`
}

/** A place in the plan where nodes are referred to. */
interface Place {
  template: Template
  path: Path
  /** Whether there is an item to speak of. */
  ofItem: boolean
}

function placesOf(node: Node, index: number): Place[] {
  const at = ['nodes', index]
  const conditions = node.when === undefined ? [] : conditionTemplates(node.when)
  const places = conditions.map(({ template, path }) => ({ template, path: [...at, 'when', ...path], ofItem: false }))
  if (node.kind === 'map') places.push({ template: node.over, path: [...at, 'over'], ofItem: false })
  if (node.kind === 'call' || node.kind === 'map') {
    places.push({ template: node.input, path: [...at, 'input'], ofItem: node.kind === 'map' })
  }
  return places
}

function referenceIssues(graph: TaskGraph): Issue[] {
  const ids = new Set(graph.nodes.map(({ id }) => id))
  const issues: Issue[] = []
  const check = ({ template, path, ofItem }: Place, self?: string) =>
    visitForms(template, (form, argument, inside) => {
      const at = [...path, ...inside]
      if (form === '$ref') issues.push(...idIssue((argument as Json[])[0] as string, at, ids, self))
      if ((form === '$item' || form === '$index') && !ofItem) {
        issues.push(problem('item_outside_map', at, `${form} has a meaning only in the input of a map node.`))
      }
    })
  for (const [index, node] of graph.nodes.entries()) {
    for (const place of placesOf(node, index)) check(place, node.id)
    for (const [nth, id] of (node.after ?? []).entries()) {
      issues.push(...idIssue(id, ['nodes', index, 'after', nth], ids, node.id))
    }
  }
  check({ template: graph.output, path: ['output'], ofItem: false })
  return issues
}

function idIssue(id: string, path: Path, ids: ReadonlySet<string>, self: string | undefined): Issue[] {
  if (id === self) {
    return [problem('self_reference', path, `The node "${id}" would wait for itself; refer to an earlier node.`)]
  }
  if (ids.has(id)) return []
  return [problem('dangling_reference', path, `The plan has no node ${quote(id)}; refer to a node by its id.`)]
}

const cycleInMessage = 12

function cycleIssues(graph: TaskGraph): Issue[] {
  const cycle = findCycle(graph)
  if (cycle === undefined) return []
  const shown =
    cycle.length <= cycleInMessage ? cycle : [...cycle.slice(0, cycleInMessage - 2), '…', ...cycle.slice(-1)]
  const path = ['nodes', graph.nodes.findIndex(({ id }) => id === cycle[0])]
  const message = `Nodes wait for each other in a circle: ${shown.join(' → ')}. Take out one of these dependencies.`
  return [problem('cycle', path, message)]
}
