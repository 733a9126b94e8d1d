import { sha256 } from '../base/hash.ts'
import { isObject, type Json } from '../base/json.ts'
import { corrupt } from './store-error.ts'

/**
 * Large values, kept apart from the events that hold them: under the hash of their text, once a job, however many
 * events name them.
 *
 * 1. Packing is a function of the value alone, so a history that was exported can be checked without its store.
 * 2. What an event names is found under its hash or not at all, so the hash of the event covers it as well.
 */

/** Characters of JSON; what is smaller stays where it is. */
export const packedFrom = 8 * 1024

export interface Packed {
  /** The value with a reference in the place of each large part. */
  value: Json
  /** By hash, the text of what was taken out. */
  blobs: ReadonlyMap<string, string>
}

const reference = '$blob'

/** Takes large texts and containers out of a value. */
export function pack(value: Json): Packed {
  const { packed, blobs } = part(value)
  return { value: packed, blobs: new Map(blobs) }
}

interface Part {
  packed: Json
  /** About the characters of its JSON, once packed. */
  size: number
  blobs: [hash: string, text: string][]
}

function part(value: Json): Part {
  if (typeof value === 'string') return value.length < packedFrom ? small(value, value.length + 2) : taken(value)
  if (typeof value !== 'object' || value === null) return small(value, String(value).length)
  // Data that looks like a reference is taken out whatever its size, so that what looks like one is one.
  if (!Array.isArray(value) && Object.hasOwn(value, reference)) return taken(value)
  const parts = Object.entries(value).map(([key, each]) => [key, part(each)] as const)
  const names = Array.isArray(value) ? 0 : parts.reduce((sum, [key]) => sum + key.length + 3, 0)
  const size = parts.reduce((sum, [, each]) => sum + each.size + 1, names + 2)
  // Many small parts make a large whole.
  if (size >= packedFrom) return taken(value)
  const blobs = parts.flatMap(([, each]) => each.blobs)
  // Of what has nothing taken out there is no copy.
  if (blobs.length === 0) return small(value, size)
  const packed = parts.map(([key, each]) => [key, each.packed] as const)
  return { packed: Array.isArray(value) ? packed.map(([, each]) => each) : Object.fromEntries(packed), size, blobs }
}

function small(packed: Json, size: number): Part {
  return { packed, size, blobs: [] }
}

function taken(value: Json): Part {
  const text = JSON.stringify(value)
  const hash = sha256(text)
  return { packed: { [reference]: hash, size: text.length }, size: 80, blobs: [[hash, text]] }
}

/** Puts back what {@link pack} took out. @throws AetherisError STORE_CORRUPT when something is missing or damaged. */
export function unpack(value: Json, blobs: ReadonlyMap<string, string | undefined>): Json {
  if (Array.isArray(value)) return value.map((each) => unpack(each, blobs))
  if (!isObject(value)) return value
  if (Object.hasOwn(value, reference)) return blobOf(String(value[reference]), blobs)
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, unpack(each, blobs)]))
}

function blobOf(hash: string, blobs: ReadonlyMap<string, string | undefined>): Json {
  const text = blobs.get(hash)
  if (text === undefined) throw corrupt(`The blob ${hash} is missing.`)
  if (sha256(text) !== hash) throw corrupt(`The blob ${hash} is damaged.`)
  return JSON.parse(text) as Json
}
