import type { z } from 'zod'
import { AetherisError, type Issue, isAetherisError } from '../base/error.ts'
import { type Json, pathText, toJson } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { conditionTemplates } from './condition.ts'
import { type Node, type TaskGraph, type Template, conditionSchema, taskGraphSchema } from './graph.ts'
import { dependencies, topologicalOrder } from './order.ts'
import { references } from './template.ts'

/**
 * Whether a value is a plan that can run. Cheap checks come first: size and depth before the schema (a schema
 * recurses), the schema before the meaning.
 */

/** What a plan may name. */
export interface Known {
  tools: ReadonlySet<string>
  signals: ReadonlySet<string>
}

export type CheckedGraph = { graph: TaskGraph; issues?: never } | { graph?: never; issues: Issue[] }

/** A graph, or everything that is wrong with it; never throws. */
export function checkGraph(value: unknown, known: Known): CheckedGraph {
  let json: Json
  try {
    json = toJson(value, 'The plan', 'PLAN_INVALID', { depthMax: limits.depthMax, valuesMax: 2_000_000, bytesMax: limits.planCharactersMax })
  } catch (error) {
    return { issues: [sizeIssue(error)] }
  }
  const parsed = taskGraphSchema.safeParse(json)
  if (!parsed.success) return { issues: schemaIssues(parsed.error, json) }
  const graph = parsed.data
  if (graph.nodes.length > limits.nodesMax) {
    return { issues: [{ path: ['nodes'], code: 'too_many', message: `the plan has ${graph.nodes.length} nodes; ${limits.nodesMax} are allowed` }] }
  }
  const issues = [...idIssues(graph), ...nameIssues(graph, known)]
  if (issues.length === 0) issues.push(...referenceIssues(graph))
  if (issues.length === 0) issues.push(...cycleIssues(graph))
  return issues.length === 0 ? { graph } : { issues }
}

/**
 * The graph that a value is.
 * @throws AetherisError PLAN_INVALID with all `issues`.
 */
export function parseGraph(value: unknown, known: Known): TaskGraph {
  const { graph, issues } = checkGraph(value, known)
  if (graph !== undefined) return graph
  throw planError(issues)
}

/** @internal Shared with the builder. */
export function planError(issues: Issue[]): AetherisError {
  const shown = issues.slice(0, 5).map((issue) => `${issue.path.length === 0 ? '' : `${pathText(issue.path)}: `}${issue.message}`)
  const more = issues.length > 5 ? `; and ${issues.length - 5} more` : ''
  return new AetherisError('PLAN_INVALID', `The plan is not valid: ${shown.join('; ')}${more}.`, { issues })
}

function sizeIssue(error: unknown): Issue {
  if (isAetherisError(error, 'PLAN_INVALID')) return error.issues[0] ?? { path: [], code: 'not_json', message: error.message }
  const message = isAetherisError(error, 'LIMIT_EXCEEDED') ? error.message : 'the plan cannot be read'
  return { path: [], code: 'too_large', message }
}

/** zod's issues as sentences; the issue of the branch that fits best where a union failed. */
function schemaIssues(error: z.ZodError, json: Json): Issue[] {
  return error.issues.slice(0, 50).map((issue) => {
    const path = issue.path.map((key) => (typeof key === 'number' ? key : String(key)))
    const message = issue.code === 'invalid_union' ? unionSentence(path, json) : issue.message.charAt(0).toLowerCase() + issue.message.slice(1)
    return { path, code: issue.code, message }
  })
}

function unionSentence(path: (string | number)[], json: Json): string {
  if (path.at(-1) === 'kind') return 'the kind of a node is call, wait, sleep or map'
  const found = path.reduce<unknown>((part, key) => (part as Record<string | number, unknown> | undefined)?.[key], json)
  if (conditionSchema.safeParse(found).success) return 'not valid here'
  return 'a condition is an object with one of is, exists, eq, ne, lt, lte, gt, gte, in, not, all, any'
}

function idIssues(graph: TaskGraph): Issue[] {
  const issues: Issue[] = []
  const seen = new Map<string, string>()
  for (const [index, { id }] of graph.nodes.entries()) {
    const other = seen.get(id.toLowerCase())
    if (other === id) issues.push({ path: ['nodes', index, 'id'], code: 'duplicate_id', message: `two nodes have the id "${id}"` })
    else if (other !== undefined) issues.push({ path: ['nodes', index, 'id'], code: 'duplicate_id', message: `the ids "${other}" and "${id}" differ only by case` })
    if (reservedIds.has(id)) issues.push({ path: ['nodes', index, 'id'], code: 'reserved_id', message: `the id "${id}" has a meaning in JavaScript; choose another` })
    seen.set(id.toLowerCase(), id)
  }
  return issues
}

const reservedIds: ReadonlySet<string> = new Set(['constructor', 'prototype', 'toString', 'toLocaleString', 'valueOf', 'hasOwnProperty', 'isPrototypeOf', 'propertyIsEnumerable', 'then', 'toJSON'])

/** A template of a node with its place in the plan, and whether it may speak of a map's item. */
function templates(node: Node, index: number): [Template, (string | number)[], boolean][] {
  const at = ['nodes', index]
  const conditions = node.when === undefined ? [] : conditionTemplates(node.when)
  const own: [Template, (string | number)[], boolean][] = conditions.map(({ template, path }) => [template, [...at, 'when', ...path], false])
  if (node.kind === 'call') own.push([node.input, [...at, 'input'], false])
  if (node.kind === 'map') own.push([node.over, [...at, 'over'], false], [node.input, [...at, 'input'], true])
  return own
}

function nameIssues(graph: TaskGraph, { tools, signals }: Known): Issue[] {
  return graph.nodes.flatMap((node, index): Issue[] => {
    if ((node.kind === 'call' || node.kind === 'map') && !tools.has(node.tool)) {
      return [{ path: ['nodes', index, 'tool'], code: 'unknown_tool', message: `there is no tool "${node.tool}"; there are: ${listed(tools)}` }]
    }
    if (node.kind === 'wait' && !signals.has(node.signal)) {
      return [{ path: ['nodes', index, 'signal'], code: 'unknown_signal', message: `there is no signal "${node.signal}"; there are: ${listed(signals)}` }]
    }
    return []
  })
}

function listed(names: ReadonlySet<string>): string {
  return [...names].slice(0, 20).join(', ') || 'none'
}

function referenceIssues(graph: TaskGraph): Issue[] {
  const ids = new Set(graph.nodes.map((node) => node.id))
  const issues = graph.nodes.flatMap((node, index) => [
    ...(node.after ?? []).flatMap((id, at) => referenceIssue(id, ['nodes', index, 'after', at], ids, node.id)),
    ...templates(node, index).flatMap(([template, path]) => references(template).flatMap((id) => referenceIssue(id, path, ids, node.id))),
  ])
  return [...issues, ...references(graph.output).flatMap((id) => referenceIssue(id, ['output'], ids, undefined))]
}

function referenceIssue(id: string, path: (string | number)[], ids: ReadonlySet<string>, self: string | undefined): Issue[] {
  if (id === self) return [{ path, code: 'self_reference', message: `the node "${id}" refers to itself` }]
  return ids.has(id) ? [] : [{ path, code: 'dangling_reference', message: `there is no node "${id}"` }]
}

function cycleIssues(graph: TaskGraph): Issue[] {
  const needs = new Map(graph.nodes.map((node) => [node.id, dependencies(node)]))
  const { rest } = topologicalOrder(needs)
  const [first] = rest
  if (first === undefined) return []
  const circle = cycleFrom(first, needs, new Set(rest))
  const message = `nodes wait for each other in a circle: ${circle.slice(0, 20).join(' → ')}`
  return [{ path: ['nodes', graph.nodes.findIndex((node) => node.id === circle[0])], code: 'cycle', message }]
}

/** Every node left over by the ordering needs another one left over, so following them comes round. */
function cycleFrom(start: string, needs: ReadonlyMap<string, readonly string[]>, rest: ReadonlySet<string>): string[] {
  const path: string[] = []
  const seen = new Map<string, number>()
  let id = start
  while (!seen.has(id)) {
    seen.set(id, path.length)
    path.push(id)
    id = needs.get(id)?.find((need) => rest.has(need)) as string
  }
  return [...path.slice(seen.get(id)), id].reverse()
}
