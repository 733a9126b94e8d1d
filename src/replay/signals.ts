import type { Json } from '../base/json.ts'
import type { BufferedSignal, Effect, WaitInput } from './effect.ts'

/** The signals of a planned job that no wait has taken yet, in order of arrival. A part of the fold. */
export class Signals {
  private buffered: BufferedSignal[] = []

  /** Those that were given to a wait, by the wait's effect: their `node.completed` is on its way. */
  private given = new Map<string, BufferedSignal>()

  get unread(): readonly BufferedSignal[] {
    return this.buffered
  }

  receive(signal: BufferedSignal): void {
    this.buffered.push(signal)
  }

  /** Gives each waiting effect the oldest signal of its name. */
  match(effects: Iterable<Effect>): { effect: Effect; signal: BufferedSignal }[] {
    if (this.buffered.length === 0) return []
    const matched: { effect: Effect; signal: BufferedSignal }[] = []
    for (const effect of effects) {
      if (effect.status !== 'waiting' || effect.isHalted) continue
      const { signal: name } = effect.input as WaitInput
      const at = this.buffered.findIndex((each) => each.name === name)
      if (at < 0) continue
      const [signal] = this.buffered.splice(at, 1) as [BufferedSignal]
      this.given.set(effect.id, signal)
      matched.push({ effect, signal })
    }
    return matched
  }

  /** The wait has taken what it was given. */
  taken(effect: string): void {
    this.given.delete(effect)
  }

  /** The wait is gone before it could take what it was given, which is there for the next one. */
  giveBack(effect: string): void {
    const signal = this.given.get(effect)
    if (signal === undefined) return
    this.given.delete(effect)
    this.buffered.push(signal)
    this.buffered.sort((a, b) => a.seq - b.seq)
  }

  persist(): Json {
    return { buffered: this.buffered, given: [...this.given] } as unknown as Json
  }

  static restore(state: Json): Signals {
    const { buffered, given } = state as unknown as { buffered: BufferedSignal[]; given: [string, BufferedSignal][] }
    const signals = new Signals()
    signals.buffered = [...buffered]
    signals.given = new Map(given)
    return signals
  }
}
