import { type AnyActorLogic, type AnyStateMachine, createMachine } from 'xstate'
import { type InertLogic, inert } from '../../machines/inert.ts'
import { mapMachine } from '../../machines/map.ts'
import { AetherisError } from '../base/error.ts'
import { toJson } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { durableActions, durableGuard, type Part, spawning } from './durable-action.ts'
import { computing } from './purity.ts'

/**
 * Makes a hand-written XState machine durable without changing it: rebuilds it from its own config and
 * implementations, with an inert actor for each promise, and each `after` turned into an invoked sleep.
 *
 * (XState loses `after` timers when a snapshot is restored, and runs promises again. As children both are part of
 * the snapshot, and the runtime performs them.)
 */

export interface DurableMachine {
  machine: AnyStateMachine
  /** What its promise actors, and those of its child machines, go by: names of sources, and ids of invokes. */
  promises: ReadonlySet<string>
  /** The tools that its actors call, those of its child machines too. */
  tools: ReadonlySet<unknown>
}

/** @throws AetherisError MACHINE_UNSUPPORTED naming what cannot be made durable and where. */
export function makeDurable(machine: AnyStateMachine): DurableMachine {
  const known = rebuilt.get(machine)
  if (known !== undefined) return known
  const durable = new Rebuild(machine).all()
  rebuilt.set(machine, durable)
  return durable
}

/** XState's own mark, since a machine may come from another copy of XState. */
export function isMachine(value: unknown): value is AnyStateMachine {
  return typeof value === 'object' && value !== null && '__xstatenode' in value
}

/** What was made durable once, and what is from the start. */
const rebuilt = new WeakMap<AnyStateMachine, DurableMachine>([
  [mapMachine, { machine: mapMachine, promises: new Set(), tools: new Set() }],
])

/** A name, since XState finds nameless actors by ids that must not have dots in them. */
const sleep = 'aetheris.sleep'

class Rebuild {
  private readonly original: AnyStateMachine
  private readonly delays: Part
  private readonly promises = new Set<string>()
  private readonly tools = new Set<unknown>()

  constructor(original: AnyStateMachine) {
    this.original = original
    this.delays = original.implementations.delays as Part
  }

  all(): DurableMachine {
    const { actors, actions, guards } = this.original.implementations as unknown as Record<string, Part>
    const implementations = {
      actors: {
        ...mapValues(actors, (logic, name) => this.actor(logic, `actor "${name}"`, name)),
        [sleep]: inert('sleep'),
      },
      actions: mapValues(actions, (action, name) => durableActions(action, `action "${name}"`, this.refuse)),
      guards: mapValues(guards, (guard, name) => durableGuard(guard, `guard "${name}"`)),
    }
    const config = this.state(this.original.config as Part, [])
    const machine = createMachine(config as never, implementations as never) as AnyStateMachine
    this.checkHistory(machine)
    return { machine, promises: this.promises, tools: this.tools }
  }

  /** A state node's config, and those below it. */
  private state(config: Part, path: string[]): Part {
    const at = path.length === 0 ? 'the root' : `state "${path.join('.')}"`
    const { after, ...others } = config
    return withoutUndefined({
      ...others,
      ...(path.length === 0 ? this.root(config) : { output: computing(config['output'], `output of ${at}`) }),
      entry: this.actions(config['entry'], `entry action of ${at}`),
      exit: this.actions(config['exit'], `exit action of ${at}`),
      on: mapValues(config['on'] as Part, (value, event) => this.transitions(value, `on "${event}" of ${at}`)),
      always: this.transitions(config['always'], `always of ${at}`),
      onDone: this.transitions(config['onDone'], `onDone of ${at}`),
      initial: this.transitions(config['initial'], `initial of ${at}`),
      route: this.transitions(config['route'], `route of ${at}`),
      states: mapValues(config['states'] as Part, (value, key) => this.state(value as Part, [...path, key])),
      invoke: [...this.invokes(config['invoke'], at), ...this.timers(after as Part | undefined, path, at)],
    })
  }

  private root({ context, output, options }: Part): Part {
    return {
      context: this.context(context),
      output: this.output(output),
      options: { maxIterations: limits.microstepsMax, ...(options as Part) },
    }
  }

  /** One context is shared by all jobs of the machine where it is not made by a function, so it must not change. */
  private context(value: unknown): unknown {
    if (typeof value === 'function') return spawning(value, 'context of the machine', this.refuse)
    return value === undefined
      ? undefined
      : toJson(value, `The context of machine "${this.original.id}"`, 'MACHINE_UNSUPPORTED')
  }

  private output(value: unknown): unknown {
    const json = (output: unknown) =>
      output === undefined ? undefined : toJson(output, `The output of machine "${this.original.id}"`)
    const compute = computing(value, 'output of the machine')
    return typeof compute === 'function' ? (...args: unknown[]) => json(compute(...args)) : json(value)
  }

  private invokes(value: unknown, at: string): Part[] {
    return asArray(value).map((each) => {
      const config = each as Part
      const { src, id } = config
      const where = `invoke ${typeof src === 'string' ? `"${src}" ` : ''}in ${at}`
      if (config['onSnapshot'] !== undefined)
        this.refuse(`${where} has onSnapshot, whose events are not in the history`)
      if (typeof id === 'string') this.promises.add(id)
      return withoutUndefined({
        ...config,
        src: typeof src === 'string' ? src : this.actor(src, where),
        input: computing(config['input'], `input of ${where}`),
        onDone: this.transitions(config['onDone'], `onDone of ${where}`),
        onError: this.transitions(config['onError'], `onError of ${where}`),
      })
    })
  }

  /** Each `after` as an invoked sleep of the same life: started on entry, withdrawn on exit. */
  private timers(after: Part | undefined, path: string[], at: string): Part[] {
    return Object.entries(after ?? {}).map(([delay, transitions]) => ({
      id: ['after', delay, ...path].join('.'),
      src: sleep,
      input: this.sleepInput(delay, at),
      onDone: this.transitions(transitions, `after ${delay} of ${at}`),
    }))
  }

  private sleepInput(delay: string, at: string): unknown {
    const given = computing(this.delays[delay] ?? delay, `delay "${delay}"`)
    if (typeof given !== 'function') return { ms: this.delayMs(given, delay, at) }
    return (args: unknown) => ({ ms: this.delayMs(given(args), delay, at) })
  }

  private delayMs(given: unknown, delay: string, at: string): number {
    const ms = Number(given)
    if (ms >= 0 && ms <= limits.delayMsMax) return Math.round(ms)
    const expected = `a number of milliseconds from 0 to ${limits.delayMsMax}`
    return this.refuse(`the delay "${delay}" of ${at} is ${String(given)}; it must be ${expected}`)
  }

  private transitions(value: unknown, where: string): unknown {
    if (value === undefined || typeof value === 'string') return value
    if (Array.isArray(value)) return value.map((each) => this.transitions(each, where))
    const config = value as Part
    return withoutUndefined({
      ...config,
      guard: durableGuard(config['guard'], `guard of ${where}`),
      actions: this.actions(config['actions'], `action of ${where}`),
    })
  }

  private actions(value: unknown, where: string): unknown {
    return durableActions(value, where, this.refuse)
  }

  private actor(value: unknown, where: string, name?: string): unknown {
    if (isMachine(value)) {
      const { machine, promises, tools } = makeDurable(value)
      for (const each of promises) this.promises.add(each)
      for (const each of tools) this.tools.add(each)
      return machine
    }
    const logic = value as AnyActorLogic
    if (isPromiseLogic(logic)) {
      if (name !== undefined) this.promises.add(name)
      return inert('promise', logic, name)
    }
    const { tool } = logic as Partial<InertLogic>
    if (tool !== undefined) this.tools.add(tool)
    if (isReducerLogic(logic)) return logic
    return this.refuse(
      `${where} is a callback or observable actor, whose events are not in the history; use a promise actor, or send signals to the job`,
    )
  }

  /** XState keeps the history of a state by ids, and looks each up as a path of keys when it restores one. */
  private checkHistory(machine: AnyStateMachine): void {
    const nodes = [...(machine as unknown as { idMap: Map<string, { type: string }> }).idMap]
    if (!nodes.some(([, { type }]) => type === 'history')) return
    for (const [id, node] of nodes) {
      if (!isFoundBy(machine, id, node))
        this.refuse(
          `it has a history state, and a state with the id "${id}", which cannot be found again; take the dots out of its id or key`,
        )
    }
  }

  /** An arrow, so that it can be handed on. */
  private readonly refuse = (why: string): never => {
    throw new AetherisError('MACHINE_UNSUPPORTED', `Machine "${this.original.id}" cannot be made durable: ${why}.`)
  }
}

function isFoundBy(machine: AnyStateMachine, id: string, node: unknown): boolean {
  try {
    return machine.getStateNodeById(id) === node
  } catch {
    return false
  }
}

/** XState marks its actor kinds only by behaviour: a promise actor alone settles on this event of its own. */
function isPromiseLogic(logic: AnyActorLogic): boolean {
  try {
    const active = { status: 'active', output: undefined, error: undefined, input: undefined }
    const after = logic.transition(active, { type: 'xstate.promise.resolve', data: probe }, {} as never)
    return after.status === 'done' && after.output === probe
  } catch {
    return false
  }
}

const probe = Symbol('probe')

/** A reducer (fromTransition) starts nothing, so it can stay as it is. */
function isReducerLogic(logic: AnyActorLogic): boolean {
  return typeof logic?.transition === 'function' && logic.start === undefined
}

function asArray(value: unknown): unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value]
}

function mapValues(object: Part | undefined, change: (value: unknown, key: string) => unknown): Part | undefined {
  if (object === undefined) return undefined
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]))
}

function withoutUndefined(object: Part): Part {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
