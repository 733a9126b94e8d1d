import type { AnyStateMachine, StateNode } from 'xstate'
import { isObject, type Json } from '../base/json.ts'
import type { AnyAgent } from './agent.ts'
import { isReserved } from './signal.ts'

/** The signals for which an agent's hand-written machine has a transition where a job of it stands; none for a plan. */
export function signalsTaken({ program }: AnyAgent, jobValue: Json): string[] {
  const [body] = isObject(jobValue) ? Object.values(jobValue) : []
  return program === undefined || body === undefined ? [] : takenIn(program.body, body)
}

function takenIn(machine: AnyStateMachine, value: Json): string[] {
  const taken = new Set<string>()
  const visit = (node: StateNode, inner: Json | undefined) => {
    for (const event of node.ownEvents as string[]) {
      if (!isReserved(event)) taken.add(event.replace(/^signal\./, ''))
    }
    const active = typeof inner === 'string' ? { [inner]: undefined } : isObject(inner) ? inner : {}
    for (const [name, deeper] of Object.entries(active)) {
      const child = node.states[name]
      if (child !== undefined) visit(child as StateNode, deeper)
    }
  }
  visit(machine.root as StateNode, value)
  return [...taken]
}
