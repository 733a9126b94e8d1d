import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { isAetherisError } from '../../src/base/error.ts'
import { type Json, toJson } from '../../src/base/json.ts'
import { commandSchemas, parseCommand } from '../../src/event/command.ts'
import { parseEvent } from '../../src/event/event.ts'
import type { Condition } from '../../src/graph/condition.ts'
import { conditionIssues, holds } from '../../src/graph/condition.ts'
import { parseGraph } from '../../src/graph/validate.ts'
import { agent, signal, tool } from '../../src/index.ts'
import { jsonIn } from '../../src/models/reply.ts'
import { chainHash, eventIdentity, openEvent, seal, unseal, wholeEvent } from '../../src/store/chain.ts'
import { checkKeyPart, keyParts, keys } from '../../src/store/keys.ts'
import { decodeRow } from '../../src/store/level-rows.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { JobStore } from '../../src/store/store.ts'
import { readWatermark } from '../../src/store/watermark.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { boundaries } from '../support/boundaries.ts'
import { check } from '../support/property.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

/** Whatever a decoder is given, it takes it or refuses it with an error of ours, and comes to an end. */

afterAll(removeDirectories)

const golden = join(import.meta.dirname, '../golden/0.1.0')
const histories = readdirSync(golden).filter((name) => name.endsWith('.jsonl'))
const events = histories.flatMap((name) =>
  readFileSync(join(golden, name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Json),
)
const corpus = <T>(file: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, `../corpus/${file}.json`), 'utf8')) as T[]

const nothingKnown = { tools: new Set<string>(), signals: new Set<string>(), agents: new Set<string>() }

/** Something else than what a part was: short and hostile values are likely. */
const anyPart: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(...[null, -1, 0.5, 2 ** 53, Number.NaN, '', '__proto__', 'constructor', '\ud800', [], {}, undefined]),
  fc.anything({ maxDepth: 2, withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
)

const jsonPart: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(...[null, -1, 0.5, 2 ** 53, '', '__proto__', 'constructor', '\ud800', [], {}, '$ref', { $ref: 1 }]),
  fc.jsonValue(),
)

/** One of `values` in which one part is another, is gone, or has been joined by one. */
function mutated(values: readonly Json[], part = anyPart): fc.Arbitrary<unknown> {
  const steps = fc.record({ at: fc.nat(), by: part, how: fc.constantFrom('other', 'gone', 'more') })
  return fc.tuple(fc.constantFrom(...values), steps).map(([value, step]) => mutate(structuredClone(value), step))
}

function mutate(value: Json, { at, by, how }: { at: number; by: unknown; how: string }): unknown {
  const places: [owner: object, key: string][] = []
  const visit = (each: unknown) => {
    if (typeof each !== 'object' || each === null) return
    for (const [key, part] of Object.entries(each)) {
      places.push([each, key])
      visit(part)
    }
  }
  visit(value)
  const [owner, key] = places[at % Math.max(places.length, 1)] ?? []
  if (owner === undefined || key === undefined) return by
  if (how === 'gone') Reflect.deleteProperty(owner, key)
  else Reflect.set(owner, how === 'more' ? `${key}x` : key, by)
  return value
}

/** Fails where something else is thrown than an error of ours. */
function typed(act: () => unknown): void {
  try {
    act()
  } catch (error) {
    if (!isAetherisError(error)) throw error
  }
}

const texts = fc.oneof(
  fc.string(),
  fc.json(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('null', '[]', '{}', '"x"'),
)

describe('plain decoders', () => {
  const eventTexts = fc.oneof(
    texts,
    mutated(events, jsonPart).map((event) => JSON.stringify(event) ?? ''),
  )
  const kinds = fc.oneof(fc.constantFrom(...Object.keys(commandSchemas)), fc.string())
  const bodies = corpus<{ body: Json }>('commands').map(({ body }) => body)
  const decoders: Record<string, fc.IProperty<unknown>> = {
    event: fc.property(fc.oneof(mutated(events), anyPart), (event) => typed(() => parseEvent(event))),
    'stored event': fc.property(fc.string(), eventTexts, fc.boolean(), (previous, text, isForged) =>
      typed(() => {
        const hash = isForged ? chainHash(previous, keys.event('job', 1), text) : ''
        wholeEvent(openEvent('job', 1, previous, hash + text), new Map())
      }),
    ),
    'identity of an event': fc.property(texts, (value) => typed(() => eventIdentity('x'.repeat(43) + value))),
    record: fc.property(texts, texts, (key, value) => typed(() => unseal(key, value))),
    row: fc.property(texts, texts, (key, text) => typed(() => decodeRow(key, seal(key, text)))),
    key: fc.property(fc.oneof(fc.string(), anyPart), (id) =>
      typed(() => {
        checkKeyPart(id, 'id')
        expect(keyParts(keys.event(id, 7))).toEqual([id, '0000000007'])
      }),
    ),
    plan: fc.property(fc.oneof(mutated(corpus<{ plan: Json }>('plans').map(({ plan }) => plan)), anyPart), (plan) =>
      typed(() => parseGraph(plan, nothingKnown)),
    ),
    condition: fc.property(
      mutated(
        corpus<{ condition: Json }>('conditions').map((each) => each.condition),
        jsonPart,
      ),
      (given) => {
        conditionIssues(given)
        expect(typeof holds(given as Condition, { input: null, output: () => undefined })).toBe('boolean')
      },
    ),
    command: fc.property(kinds, fc.oneof(mutated(bodies), anyPart), (kind, body) =>
      typed(() => parseCommand(kind, body)),
    ),
    value: fc.property(fc.anything({ withBigInt: true, withSparseArray: true, withTypedArray: true }), (value) =>
      typed(() => expect(toJson(value, 'It')).toEqual(JSON.parse(JSON.stringify(value ?? null)))),
    ),
    'text of a model': fc.property(texts, (text) => void jsonIn(text)),
  }

  test.each(Object.keys(decoders))('%s', (name) => check(decoders[name] as fc.IProperty<unknown>, 2_000))
})

test('a witness', async () => {
  const path = join(await newDirectory(), 'WATERMARK')
  const property = fc.asyncProperty(fc.array(texts), async (lines) => {
    await writeFile(path, lines.join('\n'))
    await readWatermark(path)
  })
  await check(property, 300)
})

test('a snapshot that is none costs the history to be folded, and nothing else', async () => {
  const go = signal('go', z.any())
  const echo = tool({ name: 'echo', input: z.any(), output: z.any(), effect: 'read', run: (given) => given })
  const waiting = agent({
    ...{ name: 'waiting', input: z.any(), output: z.any(), tools: [echo], signals: [go] },
    plan: (graph) => graph.call('last', echo, { said: graph.wait('wait', go), first: graph.call('first', echo, 1) }),
  })
  const property = fc.asyncProperty(
    fc.oneof(fc.jsonValue(), fc.constantFrom({ planSeq: 99 }, { planSeq: 'x' })),
    async (state) => {
      const store = memoryStore()
      const first = await testRuntime({ store, agents: [waiting] })
      await first.spawn(waiting, null, { id: 'job' })
      await first.settle()
      const other: Partial<JobStore> = { snapshot: async () => ({ seq: 3, machine: 'plan/1', state: state as Json }) }
      const runtime = await first.reopen({ store: Object.assign(store, other) })
      const job = await runtime.job('job')
      await job.signal('go', 'yes')
      await runtime.settle()
      expect(job.getSnapshot().output).toEqual({ said: 'yes', first: 1 })
      await runtime.close()
    },
  )
  await check(property, 100)
})

describe('from outside', () => {
  const words = fc.oneof(
    fc.constantFrom(...['run', 'jobs', 'show', 'why', 'events', 'replay', 'verify', 'signal', 'approve', 'cancel']),
    fc.constantFrom(...['agents.mjs', '--agent', 'echo', '--input', '{}', '--id', 'job', '--no-wait', '--by', '--seq']),
    fc.constantFrom(
      ...['--kill-at', '--', '-', '--no-', '--input=', '--id=__proto__', '--help', '--version', '@x', 'a\0b'],
    ),
    fc.string({ maxLength: 12 }),
  )

  test('a command line', async () => {
    const property = fc.asyncProperty(fc.array(words, { maxLength: 7 }), async (line) => {
      const kept = line.filter((word) => !word.startsWith('--kill-at') && !word.startsWith('--data'))
      const code = await boundaries['lines']?.({ name: '', words: kept })
      expect(code ?? '0 done').toMatch(/^[0-7] /)
    })
    await check(property, 200)
  })

  test('a request', async () => {
    const bodiesOf = fc.oneof(
      texts,
      mutated([{ key: 'k', tool: 'look', input: null }], jsonPart).map((body) => JSON.stringify(body)),
    )
    const requests = fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'HEAD'),
      path: fc.oneof(
        fc.constantFrom('', '/k', '?wait=0', '/'),
        fc.webPath(),
        fc.webQueryParameters().map((query) => `?${query}`),
      ),
      headers: fc.dictionary(
        fc.constantFrom('content-type', 'origin', 'host', 'x'),
        fc.constantFrom('application/json', 'null', '127.0.0.1:1'),
      ),
      body: bodiesOf,
    })
    const property = fc.asyncProperty(requests, async ({ body, ...request }) => {
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      const code = await boundaries['requests']?.({ name: '', ...request, ...(isRead ? {} : { body }) })
      expect(code ?? '').not.toMatch(/^5/)
    })
    await check(property, 500)
  })
})
