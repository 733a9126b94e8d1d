// Draws the statecharts of machines/ as Mermaid diagrams into machines/README.md; a test compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { AnyStateMachine, StateNode } from 'xstate'
import { jobMachine, loopMachine, mapMachine, sagaMachine } from '../machines/machines.ts'

const page = fileURLToPath(new URL('../machines/README.md', import.meta.url))

export const charts: Record<string, AnyStateMachine> = {
  job: jobMachine,
  map: mapMachine,
  loop: loopMachine,
  saga: sagaMachine,
}

/** A machine as a Mermaid state diagram. */
export function diagram(machine: AnyStateMachine): string {
  return ['stateDiagram-v2', ...inside(machine.root, '  ')].join('\n')
}

type Node = StateNode<never, never>

function inside(node: AnyStateMachine['root'], indent: string): string[] {
  const children = Object.values(node.states) as AnyStateMachine['root'][]
  if (node.type === 'parallel') {
    const regions = children.flatMap((child, index) => region(child, index, indent))
    return [...arrows(node, indent), ...regions]
  }
  const lines =
    node.initial === undefined ? [] : [`${indent}[*] --> ${name(node.initial.target[0] as unknown as Node)}`]
  for (const child of children) {
    if (Object.keys(child.states).length > 0) {
      lines.push(`${indent}state ${name(child)} {`, ...inside(child, `${indent}  `), `${indent}}`)
    }
    if (child.type === 'final') lines.push(`${indent}${name(child)} --> [*]`)
    lines.push(...arrows(child, indent))
  }
  // Those of a state inside another are drawn beside its box.
  return node.path.length === 0 ? [...lines, ...arrows(node, indent)] : lines
}

/** Regions of a parallel state, each in a box of its own: Mermaid draws no arrows between regions. */
function region(node: AnyStateMachine['root'], index: number, indent: string): string[] {
  const box = [`${indent}state ${name(node)} {`, ...inside(node, `${indent}  `), `${indent}}`]
  return index === 0 ? box : [`${indent}--`, ...box]
}

function arrows(node: AnyStateMachine['root'], indent: string): string[] {
  const found: string[] = []
  for (const [event, transitions] of node.transitions) {
    for (const transition of transitions) found.push(...arrow(node, event, transition, indent))
  }
  for (const transition of node.always ?? []) found.push(...arrow(node, '', transition, indent))
  return found
}

interface Transition {
  target: readonly unknown[] | undefined
  guard?: unknown
  actions: readonly unknown[]
}

/** A transition without a target stays where it is and does something. */
function arrow(node: AnyStateMachine['root'], event: string, transition: Transition, indent: string): string[] {
  const { target = [node], guard, actions } = transition
  const condition = typeof guard === 'string' ? ` [${guard}]` : ''
  const doing =
    transition.target === undefined ? ` / ${actions.filter((each) => typeof each === 'string').join(', ')}` : ''
  const label = `${short(event)}${condition}${doing}`.trim()
  return target.map((to) => {
    // What holds in all of a machine is drawn from the region that it leads to.
    const from = node.path.length === 0 && node.type === 'parallel' ? (to as Node).path[0] : name(node)
    return `${indent}${from} --> ${name(to as Node)}${label === '' ? '' : ` : ${label}`}`
  })
}

/** Events of XState's own, as people call them. */
function short(event: string): string {
  return event.replace(
    /^xstate\.(done|error)\.actor\.(.*)$/,
    (_, how, who) => `${who === '*' ? 'a child' : who} ${how === 'done' ? 'done' : 'failed'}`,
  )
}

function name(node: { path: readonly string[]; machine: { id: string } }): string {
  return node.path.length === 0 ? node.machine.id : node.path.join('_')
}

/** The page with its diagrams as they should be. */
export function drawn(text: string): string {
  return text.replace(/(<!-- diagram (\w+) -->\n)[\s\S]*?(<!-- end -->)/g, (_, begin, chart, end) => {
    const machine = charts[chart]
    if (machine === undefined) throw new Error(`machines/README.md names the chart ${chart}, which is not there.`)
    return `${begin}\`\`\`mermaid\n${diagram(machine)}\n\`\`\`\n${end}`
  })
}

export const readPage = () => readFileSync(page, 'utf8')

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(page, drawn(readPage()))
