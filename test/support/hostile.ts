/**
 * Values that JSON cannot write, for the corpus: `{ "$make": kind, "n": size }` stands for one of them. All else is kept
 * as it is, without running anything of it.
 */
export function made(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(made)
  const given = value as Record<string, unknown>
  if (typeof given['$make'] === 'string') return maker(given['$make'])(given as unknown as Size)
  const copy: Record<string, unknown> = {}
  for (const [key, part] of Object.entries(given))
    Object.defineProperty(copy, key, { value: made(part), enumerable: true, configurable: true, writable: true })
  return copy
}

interface Size {
  n: number
  key: string
  of: unknown
}

function maker(kind: string): (size: Size) => unknown {
  const found = makers[kind]
  if (found === undefined) throw new Error(`Nothing makes a "${kind}".`)
  return found
}

class Thing {
  readonly a = 1
}

function deep(n: number, around: (inner: unknown) => unknown): unknown {
  let value: unknown = null
  for (let level = 0; level < n; level += 1) value = around(value)
  return value
}

const makers: Readonly<Record<string, (size: Size) => unknown>> = {
  undefined: () => undefined,
  nan: () => Number.NaN,
  infinity: () => Infinity,
  'minus infinity': () => -Infinity,
  'minus zero': () => -0,
  bigint: () => 1n,
  symbol: () => Symbol('x'),
  function: () => () => 1,
  date: () => new Date(0),
  map: () => new Map([[1, 2]]),
  set: () => new Set([1]),
  class: () => new Thing(),
  error: () => new Error('x'),
  regexp: () => /x/,
  buffer: () => new Uint8Array([1, 2]),
  'boxed text': () => Object('x'),
  'null prototype': () => Object.assign(Object.create(null), { a: 1 }),
  getter: () => Object.defineProperty({}, 'x', { get: () => 1, enumerable: true }),
  'throwing getter': () => Object.defineProperty({}, 'x', { get: () => fail(), enumerable: true }),
  'hidden property': () => Object.defineProperty({}, 'x', { value: 1 }),
  toJSON: () => ({ toJSON: () => fail() }),
  // biome-ignore lint/suspicious/noThenProperty: a tool can return what looks like a promise.
  thenable: () => ({ then: fail }),
  proxy: () => new Proxy({}, { ownKeys: fail, getOwnPropertyDescriptor: fail, get: fail, getPrototypeOf: fail }),
  'symbol key': () => ({ [Symbol('x')]: 1 }),
  'proto key': () => JSON.parse('{"__proto__":{"polluted":true}}'),
  // biome-ignore lint/suspicious/noSparseArray: a hole is what is meant.
  hole: () => [1, , 3],
  cycle() {
    const value: Record<string, unknown> = {}
    value['self'] = value
    return value
  },
  'self in a list'() {
    const value: unknown[] = []
    value.push(value)
    return value
  },
  deep: ({ n, key }) => deep(n, (inner) => ({ [key]: inner })),
  'deep list': ({ n }) => deep(n, (inner) => [inner]),
  'deep text': ({ n }) => '['.repeat(n) + ']'.repeat(n),
  'deep body': ({ n }) => `{"key":"k","tool":"look","input":${'['.repeat(n)}${']'.repeat(n)}}`,
  long: ({ n }) => 'x'.repeat(n),
  'long key': ({ n }) => ({ ['x'.repeat(n)]: 1 }),
  wide: ({ n }) => Array.from({ length: n }, () => null),
  many: ({ n, of, key }) => ({ [key]: Array.from({ length: n }, () => of) }),
}

function fail(): never {
  throw new Error('This was run, and should not have been.')
}
