import type { Condition } from './condition.ts'
import { conditionTemplates } from './condition.ts'
import type { Node } from './graph.ts'
import type { Path } from './issue.ts'
import type { Form, Template } from './template.ts'

/** A place in a node where a template stands. */
export interface Place {
  template: Template
  /** Below the node. */
  path: Path
  /** Forms that have a meaning here, beside those that have one everywhere. */
  allows: readonly Form[]
  /** Whether the node waits for what is referred to. */
  orders: boolean
}

const ofItem: readonly Form[] = ['$item', '$index']

/** Every template of a node. What is inside the body of a loop belongs to the nodes there. */
export function placesOf(node: Node): Place[] {
  const places: Place[] = []
  const add = (template: Template, path: Path, allows: readonly Form[] = [], orders = true) =>
    places.push({ template, path, allows, orders })
  const ask = (condition: Condition, at: Path, allows: readonly Form[] = []) => {
    for (const { template, path } of conditionTemplates(condition)) add(template, [...at, ...path], allows)
  }
  if (node.when !== undefined) ask(node.when, ['when'])
  switch (node.kind) {
    case 'call':
    case 'spawn':
      add(node.input, ['input'])
      break
    case 'map':
      add(node.over, ['over'])
      add(node.input, ['input'], ofItem)
      break
    case 'choose':
      for (const [index, { when }] of node.cases.entries()) ask(when, ['cases', index, 'when'])
      break
    case 'loop':
      add(node.start, ['start'])
      ask(node.until, ['until'], ['$state', '$iteration'])
  }
  // Resolved when everything else has ended, so it waits for nothing.
  if ('compensate' in node && node.compensate !== undefined) {
    const allows: readonly Form[] = node.kind === 'map' ? ['$output', ...ofItem] : ['$output']
    add(node.compensate.input, ['compensate', 'input'], allows, false)
  }
  return places
}
