import fc from 'fast-check'
import { z } from 'zod'
import type { EffectClass } from '../../src/event/event.ts'
import type { Condition, Node, TaskGraph } from '../../src/graph/graph.ts'
import { agent, RetryableError, signal, TerminalError, type ToolContext, tool } from '../../src/index.ts'

/**
 * Random plans, an agent that runs them, and what they should come to.
 *
 * What a tool does is written in its input, so a plan is data all the way. What really happened outside is kept in a
 * {@link World}, which outlives every crash.
 */

/** What one call does: fail some times, then end. */
export interface Script {
  class: EffectClass
  /** Failed attempts before the last, each of which may be tried again. */
  failures: number
  end: 'ok' | 'terminal' | 'always'
}

interface Base {
  id: string
  /** Earlier nodes whose output this one reads. */
  reads: number[]
  /** Earlier nodes that it only comes after. */
  after: number[]
  when: When | undefined
}

export type Sample =
  | (Base & { kind: 'call'; script: Script })
  | (Base & { kind: 'map'; script: Script; items: number[]; concurrency: number })
  | (Base & { kind: 'wait'; timeoutMs: number | undefined; given: Given })
  | (Base & { kind: 'sleep'; ms: number })

/** When a wait's signal comes: before the job starts anything, when somebody waits for it, or not at all. */
export type Given = 'early' | 'waiting' | 'never'

/** A question about one earlier node, in a form that {@link expected} can answer by itself. */
export type When = { of: number; test: 'even' | 'odd' | 'exists' | 'absent' | 'small'; and?: When }

export const attemptsMax = 4

const retry = { maxAttempts: attemptsMax, initialDelayMs: 100, factor: 2, maxDelayMs: 1_000 }

export interface ScriptOptions {
  classes?: readonly EffectClass[]
  /** Whether calls may fail for good. */
  failing?: boolean
}

function scripts({ classes = ['read', 'idempotent', 'once'], failing = true }: ScriptOptions): fc.Arbitrary<Script> {
  const end = failing
    ? fc.constantFrom(...Array<'ok'>(12).fill('ok'), 'terminal' as const, 'always' as const)
    : fc.constant('ok' as const)
  return fc.record({ class: fc.constantFrom(...classes), failures: fc.constantFrom(0, 0, 0, 1, 2), end })
}

function nodeAt(index: number, options: ScriptOptions): fc.Arbitrary<Sample> {
  const earlier: fc.Arbitrary<number[]> =
    index === 0 ? fc.constant([]) : fc.uniqueArray(fc.nat({ max: index - 1 }), { maxLength: 3 })
  const base = {
    id: fc.constant(`n${index}`),
    reads: earlier,
    after: earlier,
    when: index === 0 ? fc.constant(undefined) : fc.option(when(index), { nil: undefined, freq: 4 }),
  }
  const script = scripts(options)
  const wait = fc.record({
    timeoutMs: fc.option(fc.nat({ max: 100_000 }), { nil: undefined }),
    given: fc.constantFrom<Given>('early', 'waiting', 'never'),
  })
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ ...base, kind: fc.constant('call' as const), script }) },
    {
      weight: 2,
      arbitrary: fc.record({
        ...base,
        kind: fc.constant('map' as const),
        script,
        items: fc.array(fc.nat({ max: 9 }), { maxLength: 4 }),
        concurrency: fc.integer({ min: 1, max: 3 }),
      }),
    },
    // A wait without a timeout gets its signal, or the job would wait for ever.
    {
      weight: 1,
      arbitrary: fc.record({ ...base, kind: fc.constant('wait' as const), wait }).map(
        ({ wait: { timeoutMs, given }, ...rest }): Sample => ({
          ...rest,
          timeoutMs: given === 'never' ? (timeoutMs ?? 1_000) : timeoutMs === undefined ? undefined : timeoutMs + 1_000,
          given,
        }),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        ...base,
        kind: fc.constant('sleep' as const),
        ms: fc.constantFrom(0, 1, 1_000, 86_400_000),
      }),
    },
  )
}

function when(index: number): fc.Arbitrary<When> {
  const one = fc.record({
    of: fc.nat({ max: index - 1 }),
    test: fc.constantFrom<When['test']>('even', 'odd', 'exists', 'absent', 'small'),
  })
  return fc.oneof(
    { weight: 3, arbitrary: one },
    { weight: 1, arbitrary: fc.tuple(one, one).map(([first, and]) => ({ ...first, and })) },
  )
}

/** Plans of up to `nodesMax` nodes, in random order. */
export function samples(options: ScriptOptions & { nodesMax?: number } = {}): fc.Arbitrary<Sample[]> {
  const { nodesMax = 9 } = options
  return fc
    .nat({ max: nodesMax })
    .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => nodeAt(index, options))))
}

/** The plan of a sample. `order` shuffles how it is written down, which must not matter to what it does. */
export function graphOf(sample: readonly Sample[]): TaskGraph {
  return { nodes: sample.map(nodeOf), output: Object.fromEntries(sample.map(({ id }) => [id, ref(id)])) }
}

function nodeOf(sample: Sample): Node {
  const { id, when: question } = sample
  const base = {
    id,
    ...(sample.after.length === 0 ? {} : { after: sample.after.map(nodeId) }),
    ...(question === undefined ? {} : { when: conditionOf(question) }),
  }
  const from = sample.reads.map((index) => ref(nodeId(index), 'value'))
  switch (sample.kind) {
    case 'call':
      return {
        ...base,
        kind: 'call',
        tool: toolName(sample.script),
        input: { script: scriptJson(sample.script), from },
        retry,
      }
    case 'map':
      return {
        ...base,
        kind: 'map',
        tool: toolName(sample.script),
        over: sample.items,
        input: { script: scriptJson(sample.script), from, item: { $item: [] }, index: { $index: [] } },
        concurrency: sample.concurrency,
        retry,
      }
    case 'wait':
      return {
        ...base,
        after: readAfter(sample),
        kind: 'wait',
        signal: `go-${id}`,
        ...(sample.timeoutMs === undefined ? {} : { timeoutMs: sample.timeoutMs }),
      }
    case 'sleep':
      return { ...base, after: readAfter(sample), kind: 'sleep', ms: sample.ms }
  }
}

/** Waits and sleeps read nothing, so what they would read they come after. */
function readAfter({ reads, after }: Sample): string[] {
  return [...new Set([...reads, ...after])].map(nodeId)
}

const nodeId = (index: number) => `n${index}`
const ref = (...path: string[]) => ({ $ref: path })
const toolName = ({ class: effect }: Script) => `do-${effect}`
const scriptJson = ({ failures, end }: Script) => ({ failures, end })

function conditionOf({ of, test, and }: When): Condition {
  const value = ref(nodeId(of), 'value')
  const even = ref(nodeId(of), 'even')
  const one: Condition = {
    even: { is: even },
    odd: { eq: [even, false] } as Condition,
    exists: { exists: value },
    absent: { not: { exists: value } },
    small: { lt: [value, 500] } as Condition,
  }[test]
  return and === undefined ? one : { all: [one, conditionOf(and)] }
}

/** All nodes that a node waits for. */
export function needsOf(sample: Sample): number[] {
  const asked: number[] = []
  for (let each = sample.when; each !== undefined; each = each.and) asked.push(each.of)
  return [...new Set([...sample.reads, ...sample.after, ...asked])]
}

/** What a node should come to. */
export type Expected =
  | { status: 'completed'; output: unknown }
  | { status: 'skipped' | 'timedOut' | 'failed' | 'blocked' }

/** What a plan should come to, by a plain walk through it: the model that the runtime is held against. */
export function expected(sample: readonly Sample[]): Expected[] {
  const results: Expected[] = []
  for (const node of sample) {
    const needs = needsOf(node).map((index) => results[index] as Expected)
    const stuck = needs.some(({ status }) => status === 'failed' || status === 'blocked')
    results.push(stuck ? { status: 'blocked' } : resultOf(node, results))
  }
  return results
}

function resultOf(node: Sample, results: readonly Expected[]): Expected {
  if (node.when !== undefined && !answer(node.when, results)) return { status: 'skipped' }
  const from = node.reads.map((index) => field(results[index], 'value') ?? null)
  switch (node.kind) {
    case 'call':
      return node.script.end === 'ok' ? { status: 'completed', output: outputOf(node.id, from) } : { status: 'failed' }
    case 'map':
      if (node.script.end !== 'ok' && node.items.length > 0) return { status: 'failed' }
      return {
        status: 'completed',
        output: node.items.map((item, index) => outputOf(`${node.id}/${index}`, [...from, item, index])),
      }
    case 'wait':
      return node.given === 'never' ? { status: 'timedOut' } : { status: 'completed', output: outputOf(node.id, []) }
    case 'sleep':
      return { status: 'completed', output: null }
  }
}

function answer({ of, test, and }: When, results: readonly Expected[]): boolean {
  const value = field(results[of], 'value')
  const even = field(results[of], 'even')
  const one = {
    even: even === true,
    odd: even === false,
    exists: value !== undefined,
    absent: value === undefined,
    small: typeof value === 'number' && value < 500,
  }[test]
  return one && (and === undefined || answer(and, results))
}

function field(result: Expected | undefined, key: string): unknown {
  const output = result?.status === 'completed' ? result.output : undefined
  return typeof output === 'object' && output !== null && !Array.isArray(output)
    ? (output as Record<string, unknown>)[key]
    : undefined
}

/** A value that tells what it was made from. */
function outputOf(effect: string, from: readonly unknown[]): { value: number; even: boolean } {
  let value = 0
  for (const char of JSON.stringify([effect, from])) value = (value * 31 + char.charCodeAt(0)) % 1_009
  return { value, even: value % 2 === 0 }
}

/** What happened outside. Survives crashes, as the outside does. */
export class World {
  /** In order: each call as it begins and as it returns its value. */
  readonly log: {
    what: 'begin' | 'end'
    job: string
    effect: string
    key: string
    attempt: number
    class: EffectClass
  }[] = []
  private readonly failures = new Map<string, number>()
  /** Calls under way now, and the most there ever were. */
  underWay = 0
  underWayMax = 0

  begin(context: ToolContext, effectClass: EffectClass): void {
    this.underWay += 1
    this.underWayMax = Math.max(this.underWayMax, this.underWay)
    this.note('begin', context, effectClass)
  }

  note(what: 'begin' | 'end', { jobId, effect, idempotencyKey, attempt }: ToolContext, effectClass: EffectClass): void {
    this.log.push({ what, job: jobId, effect, key: idempotencyKey, attempt, class: effectClass })
  }

  /** Whether this attempt of `key` is one of its first `count`. */
  failsYet(key: string, count: number): boolean {
    const failed = this.failures.get(key) ?? 0
    if (failed >= count) return false
    this.failures.set(key, failed + 1)
    return true
  }
}

const callInput = z.object({
  script: z.any(),
  from: z.array(z.any()),
  item: z.any().optional(),
  index: z.any().optional(),
})

/** The agent whose input is the plan that it runs. `pause` lets tools take turns of the event loop. */
export function planRunner(world: World, pause: () => Promise<void> | void = () => {}) {
  const doing = (effect: EffectClass) =>
    tool({
      name: `do-${effect}`,
      input: callInput,
      output: z.any(),
      effect,
      async run({ script, from, item, index }, context) {
        world.begin(context, effect)
        try {
          await pause()
          if (script.end === 'terminal') throw new TerminalError('never')
          if (script.end === 'always' || world.failsYet(context.idempotencyKey, script.failures))
            throw new RetryableError('not yet')
          world.note('end', context, effect)
          return outputOf(context.effect, item === undefined ? from : [...from, item, index])
        } finally {
          world.underWay -= 1
        }
      },
    })
  return agent({
    name: 'plan-runner',
    input: z.any(),
    output: z.any(),
    tools: [doing('read'), doing('idempotent'), doing('once')],
    signals: Array.from({ length: 20 }, (_, index) => signal(`go-n${index}`, z.any())),
    planner: { name: 'given', plan: ({ input }) => input as unknown as TaskGraph },
  })
}

/** The payload that the wait of a node is given. */
export function payloadOf(id: string): unknown {
  return outputOf(id, [])
}
