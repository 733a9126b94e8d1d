import type { CallSample, LoopSample, MapSample, Sample, Script, When } from './plans.ts'

/** What a plan should come to, by a plain walk through it: the model that the runtime is held against. */

/** What a node should come to. */
export type Expected =
  | { status: 'completed'; output: unknown }
  | { status: 'skipped' | 'timedOut' | 'failed' | 'blocked' }

export function expected(sample: readonly Sample[]): Expected[] {
  const results: Expected[] = []
  for (const node of sample) {
    const isStuck = needsOf(node).some((index) => {
      const { status } = results[index] as Expected
      return status === 'blocked' || (status === 'failed' && !goesOn(sample[index] as Sample))
    })
    results.push(isStuck ? { status: 'blocked' } : resultOf(node, results))
  }
  return results
}

/** The nodes whose failure is that of the plan. */
export function failingNodes(sample: readonly Sample[], results: readonly Expected[]): Sample[] {
  return sample.filter((node, index) => results[index]?.status === 'failed' && !goesOn(node))
}

function goesOn(node: Sample): boolean {
  return 'onFailure' in node && node.onFailure === 'continue'
}

/** All nodes that a node waits for. */
export function needsOf(node: Sample): number[] {
  const asked = [node.when, ...(node.kind === 'choose' ? node.cases.map(({ when }) => when) : [])].flatMap(asks)
  return [...new Set([...node.reads, ...node.after, ...asked])]
}

function asks(question: When | undefined): number[] {
  return question === undefined ? [] : [question.of, ...asks(question.and)]
}

function resultOf(node: Sample, results: readonly Expected[]): Expected {
  if (node.when !== undefined && !answer(node.when, results)) return { status: 'skipped' }
  const from = node.reads.map((index) => read(results[index]) ?? null)
  switch (node.kind) {
    case 'call':
      return ends(node) ? { status: 'completed', output: outputOf(node.id, from) } : { status: 'failed' }
    case 'map':
      return mapResult(node, from)
    case 'wait':
      return node.given === 'never' ? { status: 'timedOut' } : { status: 'completed', output: payloadOf(node.id) }
    case 'sleep':
      return { status: 'completed', output: null }
    case 'spawn':
      if (node.detach) return { status: 'completed', output: { jobId: `job/${node.id}` } }
      return node.script.end === 'ok' ? { status: 'completed', output: outputOf('inside', from) } : { status: 'failed' }
    case 'choose': {
      const way = node.cases.find(({ when }) => answer(when, results))?.name ?? node.otherwise
      return way === undefined ? { status: 'skipped' } : { status: 'completed', output: way }
    }
    case 'loop':
      return loopResult(node, from)
  }
}

function ends({ script, approval }: CallSample): boolean {
  return script.end === 'ok' && approval?.verdict !== 'deny'
}

function mapResult({ id, script, items, collect }: MapSample, from: readonly unknown[]): Expected {
  const ok = script.end === 'ok'
  if (!ok && !collect && items.length > 0) return { status: 'failed' }
  const output = items.map((item, index) => {
    if (!ok) return { status: 'failed', error: errorOf(script) }
    const value = outputOf(`${id}/${index}`, [...from, item, index])
    return collect ? { status: 'completed', output: value } : value
  })
  return { status: 'completed', output }
}

/** What a call ends with that fails for good. */
function errorOf({ end }: Script): object {
  return end === 'terminal'
    ? { name: 'TerminalError', message: 'never' }
    : { name: 'RetryableError', message: 'not yet' }
}

function loopResult({ id, max, onMax, failAt, reads }: LoopSample, from: readonly unknown[]): Expected {
  // What a reference does not find is left out of an object, and null in a list.
  let state: { value?: unknown; even: boolean } = { value: reads.length === 0 ? 0 : from[0], even: false }
  for (let iteration = 0; iteration < max; iteration += 1) {
    if (iteration === failAt) return { status: 'failed' }
    state = outputOf(`${id}/${iteration}/step`, [state.value ?? null])
    if (state.even) return { status: 'completed', output: state }
  }
  return onMax === 'stop' ? { status: 'completed', output: state } : { status: 'failed' }
}

/** How many iterations a loop begins. */
export function iterationsOf(loop: LoopSample, results: readonly Expected[]): number {
  const from = loop.reads.map((index) => read(results[index]) ?? null)
  for (let max = 1; max <= loop.max; max += 1) {
    const { status } = loopResult({ ...loop, max, onMax: 'fail', failAt: undefined }, from)
    if (status === 'completed' || loop.failAt === max - 1) return max
  }
  return loop.max
}

function answer({ of, test, and }: When, results: readonly Expected[]): boolean {
  const result = results[of]
  const value = field(result, 'value')
  const even = field(result, 'even')
  const one = {
    even: even === true,
    odd: even === false,
    exists: value !== undefined,
    absent: value === undefined,
    small: typeof value === 'number' && value < 500,
    wayA: result?.status === 'completed' && result.output === 'a',
  }[test]
  return one && (and === undefined || answer(and, results))
}

/** What others read of a node: its value, or of a choice what stands for its way. */
function read(result: Expected | undefined): unknown {
  const output = result?.status === 'completed' ? result.output : undefined
  if (typeof output === 'string') return output === 'a' ? 1 : output === 'b' ? ['b'] : undefined
  return field(result, 'value')
}

function field(result: Expected | undefined, key: string): unknown {
  const output = result?.status === 'completed' ? result.output : undefined
  return typeof output === 'object' && output !== null && !Array.isArray(output)
    ? (output as Record<string, unknown>)[key]
    : undefined
}

/** A value that tells what it was made from. */
export function outputOf(effect: string, from: readonly unknown[]): { value: number; even: boolean } {
  let value = 0
  for (const char of JSON.stringify([effect, from])) value = (value * 31 + char.charCodeAt(0)) % 1_009
  return { value, even: value % 2 === 0 }
}

/** The payload that the wait of a node is given. */
export function payloadOf(id: string): unknown {
  return outputOf(id, [])
}
