import { AetherisError } from '../base/error.ts'
import type { JobStore } from '../store/store.ts'
import { Chance, type ChanceOptions } from './chance.ts'

/**
 * How a write goes wrong. `refused`: it is surely not stored. `stored`: it is, but nobody can tell. `lost`: it is not,
 * and nobody can tell. `slow`: it takes 1 to 30 s.
 */
export type WriteFault = (typeof kinds)[number]

const kinds = ['refused', 'stored', 'lost', 'slow'] as const
const writes: ReadonlySet<string | symbol> = new Set(['commit', 'claim', 'send'])

/**
 * `inner`, whose writes go wrong by chance and in virtual time, as those of a store on a bad disk do. The runtime asks
 * again after a while, so let time pass also for what was only asked of it:
 * `const job = runtime.spawn(…); await runtime.advance(60_000); await job`.
 * @throws AetherisError INPUT_INVALID where a rate is wrong.
 */
export function faultyStore<S extends JobStore>(inner: S, options: ChanceOptions<WriteFault>): S {
  const chance = new Chance(kinds, options)
  return new Proxy(inner, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      if (!writes.has(key)) return value.bind(target)
      return (...args: unknown[]) => write(chance, () => value.apply(target, args))
    },
  })
}

async function write(chance: Chance<WriteFault>, apply: () => Promise<unknown>): Promise<unknown> {
  const fault = chance.draw()
  if (fault === 'refused') throw new AetherisError('STORE_FAILED', 'The write is refused, by chance.')
  if (fault === 'lost') throw new AetherisError('COMMIT_UNKNOWN', 'The write is lost, by chance.')
  if (fault === 'slow') await chance.pause()
  const answer = await apply()
  if (fault === 'stored') throw new AetherisError('COMMIT_UNKNOWN', 'The answer of a write is lost, by chance.')
  return answer
}
