import type { Commit, InboxMessage, JobStore } from '../store/store.ts'

/** A store as one process sees it that may die of a write: what is stored stays, and the process hears no more. */

/** One process of a test. Once it is over, nothing that it has asked for is answered. */
export class Life {
  isOver = false
  /** Resolves at its end. */
  readonly over: Promise<void>
  private readonly mourn: () => void

  constructor() {
    let mourn = () => {}
    this.over = new Promise((resolve) => {
      mourn = resolve
    })
    this.mourn = mourn
  }

  end(): void {
    this.isOver = true
    this.mourn()
  }
}

/** Something that a process gives to the store to keep. */
export type Write = { kind: 'commit'; commit: Commit } | { kind: 'message'; message: InboxMessage }

/** When a process dies of a write: before it is stored, when it is but nobody has heard of it, or once it has heard. */
export type Death = 'before' | 'unheard' | 'after'

/** What a dead process waits for. */
export const never = <T>(): Promise<T> => new Promise<T>(() => {})

/** `inner` as `life` sees it, which dies of those writes for which `fate` says how. */
export function mortalStore(inner: JobStore, life: Life, fate: (write: Write) => Death | undefined): JobStore {
  const write = async <T>(what: Write, apply: () => Promise<T>): Promise<T> => {
    const death = fate(what)
    if (death === undefined) return apply()
    if (death === 'before') {
      life.end()
      return never()
    }
    const stored = apply()
    if (death === 'after') {
      void stored.finally(() => life.end()).catch(() => {})
      return stored
    }
    life.end()
    void stored.catch(() => {})
    return never()
  }
  return new Proxy(inner, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      if (key === 'open' || key === 'close') return value.bind(target)
      return (...args: unknown[]) => {
        if (life.isOver) return streams.has(key) ? hanging() : never()
        const apply = () => value.apply(target, args)
        if (key === 'commit') return write({ kind: 'commit', commit: args[0] as Commit }, apply)
        return key === 'send' ? write({ kind: 'message', message: args[0] as InboxMessage }, apply) : apply()
      }
    },
  })
}

const streams: ReadonlySet<string | symbol> = new Set(['list', 'read', 'verify'])

async function* hanging(): AsyncGenerator<never> {
  yield await never<never>()
}
