import type { AnyStateMachine } from 'xstate'

/** As what event a machine knows a signal: under its own name, or `signal.NAME`; undefined where it knows neither. */
export function eventTypeOf(machine: AnyStateMachine, name: string): string | undefined {
  const descriptors: readonly string[] = machine.events
  return [name, `signal.${name}`].find((type) => descriptors.some((descriptor) => describes(descriptor, type)))
}

/** As XState reads it: `*` is any event, `mouse.*` is `mouse` and all below. */
function describes(descriptor: string, type: string): boolean {
  if (descriptor === '*' || descriptor === type) return true
  return descriptor.endsWith('.*') && `${type}.`.startsWith(descriptor.slice(0, -1))
}
