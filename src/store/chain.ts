import { isAetherisError } from '../base/error.ts'
import { crc32, sha256 } from '../base/hash.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { type JobEvent, type NewEvent, parseEvent } from '../event/event.ts'
import { pack, packedFrom, unpack } from './blobs.ts'
import { keys } from './keys.ts'
import type { Finding } from './store.ts'
import { corrupt } from './store-error.ts'

/**
 * How events and other records are written down, and how damage is seen when they are read.
 *
 * 1. The hash of an event covers the hash before it, its key and its text exactly as stored, so that no canonical
 *    form of JSON is needed and an event that was moved, changed, left out or exchanged is seen.
 * 2. Every other record starts with a checksum of its key and text: LevelDB does not check its own by default.
 */

/** The hash before the first. */
export const genesisHash = ''
const hashLength = 43
const checksumLength = 8

export function chainHash(previous: string, key: string, text: string): string {
  return sha256(previous + key + text)
}

/** The text of an event: what is hashed, and the blobs that it names. The job and the seq are in the key. */
export function eventText(event: NewEvent, epoch: number): { text: string; blobs: ReadonlyMap<string, string> } {
  const { id, type, v, at, cause, state, data } = event
  const text = JSON.stringify({ id, type, v, at, cause, epoch, state, data })
  if (text.length < packedFrom) return { text, blobs: noBlobs }
  const { value, blobs } = pack(data as unknown as Json)
  if (blobs.size === 0) return { text, blobs }
  return {
    text: JSON.stringify({ id, type, v, at, cause, epoch, state, data: value, blobs: [...blobs.keys()] }),
    blobs,
  }
}

const noBlobs: ReadonlyMap<string, string> = new Map()

/** A value that carries its own chain hash: an event or a commit record. */
export function splitHash(value: string): { hash: string; text: string } {
  return { hash: value.slice(0, hashLength), text: value.slice(hashLength) }
}

/** An event whose place in the chain is right, and whose blobs are still to be put in. */
export interface OpenedEvent {
  event: JobEvent
  /** Hashes of the blobs that it names. */
  blobs: readonly string[]
}

/**
 * The event stored as `value` at `seq`, checked against the hash before it.
 * @throws AetherisError STORE_CORRUPT when the hash does not fit.
 */
export function openEvent(jobId: string, seq: number, previous: string, value: string): OpenedEvent {
  const { hash, text } = splitHash(value)
  if (chainHash(previous, keys.event(jobId, seq), text) !== hash) {
    throw corrupt(`Event ${seq} of job "${jobId}" is damaged: its hash does not fit.`, { jobId, seq })
  }
  const { blobs = none, ...event } = parseRecord(text, `Event ${seq} of job "${jobId}"`)
  if (!Array.isArray(blobs)) throw corrupt(`Event ${seq} of job "${jobId}" names its blobs in no list.`, { jobId, seq })
  return { event: { jobId, seq, ...event, hash } as unknown as JobEvent, blobs: blobs.map(String) }
}

const none: Json[] = []

/**
 * The whole event, with its blobs put in.
 * @throws AetherisError STORE_CORRUPT when one is missing or damaged, EVENT_INVALID when a newer version has written it.
 */
export function wholeEvent({ event, blobs }: OpenedEvent, texts: ReadonlyMap<string, string | undefined>): JobEvent {
  const { jobId, seq } = event
  try {
    const whole = blobs.length === 0 ? event : { ...event, data: unpack(event.data as unknown as Json, texts) }
    // The parsed copy is dropped: it may have another key order, and then an export could not be checked.
    parseEvent(whole)
    return whole as JobEvent
  } catch (error) {
    if (!isAetherisError(error, 'STORE_CORRUPT')) throw error
    throw corrupt(`Event ${seq} of job "${jobId}": ${error.message}`, { jobId, seq })
  }
}

/** Id and epoch of a stored event, to recognise a repeated commit. */
export function eventIdentity(value: string): { id: string; epoch: number; hash: string } {
  const { hash, text } = splitHash(value)
  const { id, epoch } = parseRecord(text, 'An event') as { id: string; epoch: number }
  return { id, epoch, hash }
}

/**
 * The first damage in an exported history, or undefined where events are dense from `seq` 0 and chained.
 * The events must have the key order in which they were read from a store; JSON text keeps it.
 */
export function verifyChain(events: Iterable<JobEvent>): Finding | undefined {
  let previous = genesisHash
  let seq = 0
  for (const event of events) {
    const { jobId } = event
    if (event.seq !== seq) return { kind: 'gap', jobId, seq, message: `Event ${seq} of job "${jobId}" is missing.` }
    const hash = chainHash(previous, keys.event(jobId, seq), eventText(event, event.epoch).text)
    if (hash !== event.hash)
      return { kind: 'hash', jobId, seq, message: `Event ${seq} of job "${jobId}" is not what was recorded.` }
    previous = hash
    seq += 1
  }
  return undefined
}

/** `text` with a checksum of it and of its key in front. */
export function seal(key: string, text: string): string {
  return checksum(key, text) + text
}

/** @throws AetherisError STORE_CORRUPT when the checksum does not fit. */
export function unseal(key: string, value: string): string {
  const text = value.slice(checksumLength)
  if (value.slice(0, checksumLength) !== checksum(key, text)) throw corrupt(`The record ${key} is damaged.`)
  return text
}

function checksum(key: string, text: string): string {
  return crc32(key + text)
    .toString(16)
    .padStart(checksumLength, '0')
}

/** @throws AetherisError STORE_CORRUPT when `text` is no JSON object. */
function parseRecord(text: string, what: string): JsonObject {
  const value = parseText(text, what)
  if (isObject(value)) return value
  throw corrupt(`${what} is not the JSON that was stored.`)
}

/** @throws AetherisError STORE_CORRUPT when `text` is no JSON. */
export function parseText(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw corrupt(`${what} is not the JSON that was stored.`, { cause })
  }
}
