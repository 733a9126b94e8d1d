import { inert } from '../../machines/inert.ts'
import { assert } from '../base/error.ts'
import { canonical, type Json } from '../base/json.ts'
import type { Request } from '../compile/requests.ts'
import type { Effect, Timer } from './effect.ts'

/** What a job's machine has asked for and is not done, with the timers that belong to it. A part of the fold. */
export class Pending {
  readonly effects = new Map<string, Effect>()
  readonly timers = new Map<string, Timer>()
  /** Of the effects, those whose part of the plan is ending. */
  private readonly halted = new Set<string>()
  private readonly ids = new Map<object, string>()
  private readonly occurrences = new Map<string, number>()
  private timersMade = 0

  /** The id of a new timer. */
  nextTimer(): string {
    this.timersMade += 1
    return `t${this.timersMade}`
  }

  /** Whether something is waited for whose part of the plan is ending. */
  get isDraining(): boolean {
    for (const id of this.halted) if (this.effects.get(id)?.status !== 'answered') return true
    return false
  }

  /** The effect of a request that the machine makes now. */
  effectOf({ ref }: Request): Effect | undefined {
    return this.effects.get(this.ids.get(ref) ?? '')
  }

  /**
   * Compares what the machine asks for now with what it asked for before: effects that are gone, and are forgotten by
   * this, and requests that are new.
   */
  compare(requests: readonly Request[]): { gone: Effect[]; fresh: ReadonlySet<Request> } {
    const unmatched: object[] = []
    let matched = 0
    // As a rule both are in the order in which they were asked for, and then this is all that there is to do.
    for (const ref of this.ids.keys()) {
      if (requests[matched]?.ref === ref) matched += 1
      else unmatched.push(ref)
    }
    const rest = new Map(requests.slice(matched).map((request) => [request.ref, request]))
    const gone: Effect[] = []
    for (const ref of unmatched) {
      if (rest.delete(ref)) continue
      const effect = this.effects.get(this.ids.get(ref) as string)
      if (effect !== undefined) gone.push(effect) // else it was just settled
      this.ids.delete(ref)
    }
    return { gone, fresh: new Set(rest.values()) }
  }

  add({ path, ref, logic, input }: Request, seq: number, at: number): Effect {
    const nth = (this.occurrences.get(path) ?? 0) + 1
    this.occurrences.set(path, nth)
    const id = nth === 1 ? path : `${path}#${nth}`
    const effect: Effect = {
      id,
      path,
      kind: logic.requests,
      input,
      logic,
      status: 'requested',
      since: at,
      attempt: 0,
      failures: 0,
      cause: seq,
    }
    this.ids.set(ref, id)
    this.effects.set(id, effect)
    return effect
  }

  /**
   * Gives the effects of a machine that was exchanged to those actors of the new one that ask for the same: what is
   * under way for them goes on.
   */
  rebind(requests: readonly Request[]): void {
    const open = new Map([...this.ids].map(([ref, id]) => [this.effects.get(id)?.path, { ref, id }]))
    for (const request of requests) {
      const found = open.get(request.path)
      const effect = found && this.effects.get(found.id)
      if (found === undefined || effect === undefined || !asksTheSame(effect, request)) continue
      this.ids.delete(found.ref)
      this.ids.set(request.ref, found.id)
      this.effects.set(found.id, { ...effect, input: request.input, logic: request.logic })
    }
  }

  change(id: string, at: number, fields: Partial<Effect>): void {
    const effect = this.effects.get(id)
    if (effect === undefined) return
    if (fields.status !== undefined && fields.status !== effect.status) effect.since = at
    Object.assign(effect, fields)
    if (effect.isHalted) this.halted.add(id)
  }

  forget(id: string): void {
    this.effects.delete(id)
    this.halted.delete(id)
    this.clearTimers(id)
  }

  clearTimers(effect: string, purposes?: readonly Timer['purpose'][]): void {
    for (const timer of this.timers.values()) {
      if (timer.effect === effect && (purposes?.includes(timer.purpose) ?? true)) this.timers.delete(timer.id)
    }
  }

  clear(): void {
    this.effects.clear()
    this.halted.clear()
    this.timers.clear()
  }

  persist(): PersistedPending {
    const asked = new Set(this.ids.values())
    return {
      occurrences: [...this.occurrences],
      timersMade: this.timersMade,
      timers: [...this.timers.values()],
      // What an effect is given is read off its actor again, unless that has gone before the event that says so.
      effects: [...this.effects.values()].map(
        ({ input, logic: _, ...effect }): KeptEffect => (asked.has(effect.id) ? effect : { ...effect, gone: input }),
      ),
    }
  }

  static restore(kept: PersistedPending, requests: readonly Request[]): Pending {
    const pending = new Pending()
    pending.timersMade = kept.timersMade
    for (const [path, nth] of kept.occurrences) pending.occurrences.set(path, nth)
    for (const timer of kept.timers) pending.timers.set(timer.id, timer)
    const byPath = new Map(requests.map((request) => [request.path, request]))
    for (const { gone, ...effect } of kept.effects) {
      if (effect.isHalted) pending.halted.add(effect.id)
      if (gone !== undefined) {
        pending.effects.set(effect.id, { ...effect, input: gone, logic: inert(effect.kind) })
        continue
      }
      const request = byPath.get(effect.path)
      assert(request !== undefined, `the snapshot has no actor for effect ${effect.id}`)
      pending.effects.set(effect.id, { ...effect, input: request.input, logic: request.logic })
      pending.ids.set(request.ref, effect.id)
    }
    return pending
  }
}

function asksTheSame(effect: Effect, { logic, input }: Request): boolean {
  return effect.kind === logic.requests && canonical(effect.input as Json) === canonical(input as Json)
}

/** `gone`: what an effect was given whose actor is no more. */
type KeptEffect = Omit<Effect, 'input' | 'logic'> & { gone?: unknown }

export interface PersistedPending {
  occurrences: [string, number][]
  timersMade: number
  timers: Timer[]
  effects: KeptEffect[]
}
