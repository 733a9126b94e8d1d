/** Randomness as the runtime sees it. The system source lives here and nowhere else; tests give a seeded one. */
export interface Random {
  /** A number in [0, 1). */
  next(): number
}

/** Drawn in bulk: one call to the system costs as much as hundreds of numbers from a pool. */
const pool = new Uint32Array(1024)
let drawn = pool.length

export const systemRandom: Random = {
  next() {
    if (drawn === pool.length) {
      crypto.getRandomValues(pool)
      drawn = 0
    }
    const number = pool[drawn] as number
    drawn += 1
    return number / 2 ** 32
  },
}

export interface SeededRandom extends Random {
  /** The seed of a source that goes on from here. */
  readonly state: number
}

/** A repeatable source: mulberry32 (Tommy Ettinger, public domain). The same seed gives the same numbers. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0
  return {
    get state() {
      return state
    },
    next() {
      state = (state + 0x6d2b79f5) >>> 0
      let mixed = Math.imul(state ^ (state >>> 15), state | 1)
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
    },
  }
}

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** A ULID (github.com/ulid/spec): 10 characters of time, then 16 random ones. Sorts by time. */
export function newId(now: number, random: Random): string {
  let id = ''
  for (let left = now, at = 0; at < 10; at += 1) {
    id = alphabet.charAt(left % 32) + id
    left = Math.floor(left / 32)
  }
  for (let at = 0; at < 16; at += 1) id += alphabet.charAt(Math.floor(random.next() * 32))
  return id
}
