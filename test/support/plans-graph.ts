import type { Json } from '../../src/base/json.ts'
import type { Condition } from '../../src/graph/condition.ts'
import type { Node, TaskGraph } from '../../src/graph/graph.ts'
import type { Template } from '../../src/graph/template.ts'
import type { CallSample, LoopSample, MapSample, Sample, Script, SpawnSample, When } from './plans.ts'

/** The plan of a sample, as data. */

export function graphOf(sample: readonly Sample[]): TaskGraph {
  return {
    nodes: sample.map((each) => nodeOf(each, sample)),
    output: Object.fromEntries(sample.map(({ id }) => [id, ref(id)])),
  }
}

/** Everything that a graph of a sample may name. */
export const known = {
  tools: new Set(['do-read', 'do-idempotent', 'do-once', 'undo']),
  signals: new Set(Array.from({ length: 20 }, (_, i) => `go-n${i}`)),
  agents: new Set(['plan-child']),
}

const retry = { maxAttempts: 4, initialDelayMs: 100, factor: 2, maxDelayMs: 1_000 }

function nodeOf(each: Sample, sample: readonly Sample[]): Node {
  const { id, when: question } = each
  const base = {
    id,
    ...(each.after.length === 0 ? {} : { after: each.after.map(nodeId) }),
    ...(question === undefined ? {} : { when: conditionOf(question) }),
  }
  // What reads nothing comes after what it would have read.
  const ordered = { ...base, after: [...new Set([...each.reads, ...each.after])].map(nodeId) }
  const from = each.reads.map((index) => readOf(sample[index] as Sample))
  switch (each.kind) {
    case 'call':
      return { ...base, ...callOf(each, from) }
    case 'map':
      return { ...base, ...mapOf(each, from) }
    case 'spawn':
      return { ...base, ...spawnOf(each, from) }
    case 'loop':
      return { ...ordered, ...loopOf(each, from) }
    case 'wait': {
      const timeout = each.timeoutMs === undefined ? {} : { timeoutMs: each.timeoutMs }
      return { ...ordered, kind: 'wait', signal: `go-${id}`, ...timeout }
    }
    case 'sleep':
      return { ...ordered, kind: 'sleep', ms: each.ms }
    case 'choose': {
      const cases = each.cases.map(({ name, when }) => ({ name, when: conditionOf(when) }))
      return {
        ...ordered,
        kind: 'choose',
        cases,
        ...(each.otherwise === undefined ? {} : { otherwise: each.otherwise }),
      }
    }
  }
}

const nodeId = (index: number) => `n${index}`
const ref = (...path: string[]) => ({ $ref: path })

/** What others read of a node. */
function readOf({ id, kind }: Sample): Template {
  return kind === 'choose' ? { $case: [ref(id), { a: 1, b: [ref(id)] }] } : ref(id, 'value')
}

function toolOf(
  { class: effect, failures, end }: Script,
  from: Template,
): { tool: string; input: { [key: string]: Json } } {
  return { tool: `do-${effect}`, input: { script: { failures, end }, from } }
}

function failingOf({ onFailure, deadlineMs }: Pick<CallSample, 'onFailure'> & { deadlineMs?: number | undefined }) {
  return {
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  }
}

function undoOf(isDeclared: boolean, input: Template) {
  return isDeclared ? { compensate: { tool: 'undo', input } } : {}
}

function callOf(call: CallSample, from: Template): Omit<Extract<Node, { kind: 'call' }>, 'id'> {
  const undo = undoOf(call.compensate, { output: { $output: [] } })
  const { verdict, by } = call.approval ?? {}
  const approval = by === 'nobody' ? { timeoutMs: 5_000, ...(verdict === 'deny' ? {} : { onTimeout: verdict }) } : {}
  return {
    kind: 'call',
    ...toolOf(call.script, from),
    retry,
    ...failingOf(call),
    ...undo,
    ...(by === undefined ? {} : { approval }),
  } as never
}

function mapOf(map: MapSample, from: Template): Omit<Extract<Node, { kind: 'map' }>, 'id'> {
  const { tool, input } = toolOf(map.script, from)
  const parts = { item: { $item: [] }, index: { $index: [] } }
  return {
    kind: 'map',
    tool,
    over: map.items,
    input: { ...input, ...parts },
    concurrency: map.concurrency,
    retry,
    ...(map.collect ? { onItemFailure: 'collect' } : {}),
    ...failingOf(map),
    ...undoOf(map.compensate, { output: { $output: [] }, ...parts }),
  } as never
}

function spawnOf(spawn: SpawnSample, from: Template): Omit<Extract<Node, { kind: 'spawn' }>, 'id'> {
  const { script, detach, compensate } = spawn
  return {
    kind: 'spawn',
    agent: 'plan-child',
    input: { script: { ...script }, from },
    ...(detach ? { detach } : {}),
    ...failingOf(spawn),
    ...undoOf(compensate, { output: { $output: [] } }),
  } as never
}

/** Goes on until its value is even. Every iteration makes a value of the one before. */
function loopOf(loop: LoopSample, from: Template[]): Omit<Extract<Node, { kind: 'loop' }>, 'id'> {
  const { script, max, onMax, failAt, compensate } = loop
  const { tool, input } = toolOf(script, [{ $state: ['value'] }])
  const step = { ...input, iteration: { $iteration: [] }, ...(failAt === undefined ? {} : { failAt }) }
  const undo = undoOf(compensate, { output: { $output: [] } })
  return {
    kind: 'loop',
    start: { value: from[0] ?? 0, even: false },
    body: {
      nodes: [{ id: 'step', kind: 'call', tool, input: step, retry, ...undo } as never],
      output: { value: ref('step', 'value'), even: ref('step', 'even') },
    },
    until: { is: { $state: ['even'] } },
    max,
    ...(onMax === 'stop' ? { onMax } : {}),
    ...failingOf(loop),
  } as never
}

function conditionOf({ of, test, and }: When): Condition {
  const value = ref(nodeId(of), 'value')
  const even = ref(nodeId(of), 'even')
  const one: Condition = {
    even: { is: even },
    odd: { eq: [even, false] } as Condition,
    exists: { exists: value },
    absent: { not: { exists: value } },
    small: { lt: [value, 500] } as Condition,
    wayA: { eq: [ref(nodeId(of)), 'a'] } as Condition,
  }[test]
  return and === undefined ? one : { all: [one, conditionOf(and)] }
}
