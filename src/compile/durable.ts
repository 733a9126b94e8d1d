import { type AnyActorLogic, type AnyStateMachine, assign, createMachine, enqueueActions, StateMachine } from 'xstate'
import { inert } from '../../machines/inert.ts'
import { AetherisError } from '../base/error.ts'
import { limits } from '../base/limits.ts'
import { deferAction } from './deferred.ts'
import { named } from './purity.ts'

/**
 * Makes a hand-written XState machine durable without changing it: rebuilds it from its own config and
 * implementations, with an inert actor for each promise, and each `after` turned into an invoked sleep.
 *
 * (XState loses `after` timers when a snapshot is restored, and runs promises again. As children both are part of
 * the snapshot, and the runtime performs them.)
 */

type Part = Record<string, unknown>

/** @throws AetherisError MACHINE_UNSUPPORTED naming what cannot be made durable and where. */
export function makeDurable(machine: AnyStateMachine): AnyStateMachine {
  const known = rebuilt.get(machine)
  if (known !== undefined) return known
  const { actors, actions, guards, delays } = machine.implementations as unknown as Record<string, Part>
  const rebuild = new Rebuild(machine.id, delays ?? {})
  const durable = createMachine(
    rebuild.state(machine.config as Part, []) as never,
    {
      actors: mapValues(actors, (logic, name) => rebuild.actor(logic, `actor "${name}"`)),
      actions: mapValues(actions, (action, name) => rebuild.action(action, `action "${name}"`)),
      guards: mapValues(guards, (guard, name) => rebuild.pure(guard, `guard "${name}"`)),
      delays,
    } as never,
  ) as AnyStateMachine
  rebuilt.set(machine, durable)
  return durable
}

const rebuilt = new WeakMap<AnyStateMachine, AnyStateMachine>()

class Rebuild {
  private readonly machine: string
  private readonly delays: Part

  constructor(machine: string, delays: Part) {
    this.machine = machine
    this.delays = delays
  }

  /** A state node's config, and those below it. */
  state(config: Part, path: string[]): Part {
    const copy: Part = { ...config }
    const at = path.length === 0 ? 'the root' : `state "${path.join('.')}"`
    copy['entry'] = this.actions(config['entry'], `entry action of ${at}`)
    copy['exit'] = this.actions(config['exit'], `exit action of ${at}`)
    copy['on'] = mapValues(config['on'] as Part, (value, event) => this.transitions(value, `on "${event}" of ${at}`))
    copy['always'] = this.transitions(config['always'], `always of ${at}`)
    copy['onDone'] = this.transitions(config['onDone'], `onDone of ${at}`)
    copy['output'] = this.pure(config['output'], `output of ${at}`)
    if (path.length === 0) {
      copy['context'] = this.pure(config['context'], 'context of the machine')
      copy['options'] = { maxIterations: limits.microstepsMax, ...(config['options'] as Part) }
    }
    copy['states'] = mapValues(config['states'] as Part, (value, key) => this.state(value as Part, [...path, key]))
    copy['invoke'] = [
      ...this.invokes(config['invoke'], at),
      ...this.timers(config['after'] as Part | undefined, path, at),
    ]
    delete copy['after']
    return withoutUndefined(copy)
  }

  private invokes(value: unknown, at: string): Part[] {
    return asArray(value).map((each) => {
      const config = each as Part
      const where = `invoke ${typeof config['src'] === 'string' ? `"${config['src']}" ` : ''}in ${at}`
      if (config['onSnapshot'] !== undefined)
        this.refuse(`${where} has onSnapshot, whose events are not in the history`)
      return withoutUndefined({
        ...config,
        src: typeof config['src'] === 'string' ? config['src'] : this.actor(config['src'], where),
        input: this.pure(config['input'], `input of ${where}`),
        onDone: this.transitions(config['onDone'], `onDone of ${where}`),
        onError: this.transitions(config['onError'], `onError of ${where}`),
      })
    })
  }

  /** Each `after` as an invoked sleep of the same life: started on entry, withdrawn on exit. */
  private timers(after: Part | undefined, path: string[], at: string): Part[] {
    return Object.entries(after ?? {}).map(([delay, transitions]) => ({
      id: ['after', delay, ...path].join('.'),
      src: inert('sleep'),
      input: (args: unknown) => ({ ms: this.delayMs(delay, args, at) }),
      onDone: this.transitions(transitions, `after ${delay} of ${at}`),
    }))
  }

  private delayMs(delay: string, args: unknown, at: string): number {
    const given = this.delays[delay] ?? delay
    const ms = typeof given === 'function' ? named(`delay "${delay}"`, () => given(args)) : Number(given)
    if (Number.isFinite(ms) && ms >= 0) return Math.round(ms)
    return this.refuse(`the delay "${delay}" of ${at} is ${String(ms)}; it must be a number of milliseconds from 0`)
  }

  private transitions(value: unknown, where: string): unknown {
    if (value === undefined || typeof value === 'string') return value
    if (Array.isArray(value)) return value.map((each) => this.transitions(each, where))
    const config = value as Part
    return withoutUndefined({
      ...config,
      guard: this.pure(config['guard'], `guard of ${where}`),
      actions: this.actions(config['actions'], `action of ${where}`),
    })
  }

  private actions(value: unknown, where: string): unknown {
    if (value === undefined) return undefined
    return Array.isArray(value) ? value.map((each) => this.action(each, where)) : this.action(value, where)
  }

  action(value: unknown, where: string): unknown {
    if (typeof value !== 'function') return value // a name, with or without params
    const builtin = value as unknown as Part
    switch (builtin['type']) {
      case 'xstate.assign':
        return assign(this.assignment(builtin['assignment'], where) as never)
      case 'xstate.enqueueActions':
        return enqueueActions(this.pure(builtin['collect'], where) as never)
      case 'xstate.raise':
      case 'xstate.sendTo':
        if (builtin['delay'] !== undefined)
          this.refuse(`${where} sends with a delay; use after, which is kept as a durable timer`)
        return value
      default:
        return 'resolve' in value ? value : deferAction(value as (...args: unknown[]) => unknown)
    }
  }

  private assignment(value: unknown, where: string): unknown {
    if (typeof value === 'function') return this.pure(value, where)
    return mapValues(value as Part, (each, key) => this.pure(each, `${where} to "${key}"`))
  }

  /** A function that only computes; wrapped so that it can be named when it reads the world. */
  pure(value: unknown, where: string): unknown {
    if (typeof value !== 'function' || 'check' in value) return value // and(), or(), not(), stateIn() name others
    return (...args: unknown[]) => named(where, () => value(...args))
  }

  actor(value: unknown, where: string): unknown {
    if (value instanceof StateMachine) return makeDurable(value as AnyStateMachine)
    const logic = value as AnyActorLogic
    if (isPromiseLogic(logic)) return inert('promise', logic)
    if (isReducerLogic(logic)) return logic
    return this.refuse(
      `${where} is a callback or observable actor, whose events are not in the history; use a promise actor, or send signals to the job`,
    )
  }

  private refuse(why: string): never {
    throw new AetherisError('MACHINE_UNSUPPORTED', `Machine "${this.machine}" cannot be made durable: ${why}.`)
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
