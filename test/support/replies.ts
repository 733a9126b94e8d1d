import type { ContentWithToolCallsResponse, TextResponse, ToolCallResponse } from '@copilotkit/aimock'
import fc from 'fast-check'
import type { TaskGraph } from '../../src/graph/graph.ts'
import { graphs } from './graphs.ts'

/** What a model might answer: what it was asked for, nearly that, and anything else. */

export type AnyReply = TextResponse | ToolCallResponse | ContentWithToolCallsResponse

const anyText = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary', maxLength: 50 }))
const prose = fc.constantFrom('Certainly! Here is the plan:', 'I would rather not.', '', ' ', '```', 'null', '"plan"')
const small = graphs(4)

/** A valid plan with one thing wrong. */
const nearly: fc.Arbitrary<unknown> = fc
  .tuple(
    small.filter(({ nodes }) => nodes.length > 1),
    fc.nat(7),
  )
  .map(([{ nodes, output }, kind]) => {
    const [first, second, ...rest] = nodes as [TaskGraph['nodes'][number], TaskGraph['nodes'][number]]
    const wrong = [
      [{ ...first, after: [second.id] }, { ...second, after: [first.id] }, ...rest],
      [{ ...first, after: [first.id] }, second, ...rest],
      [first, { ...second, id: first.id }, ...rest],
      [{ ...first, after: ['nowhere'] }, second, ...rest],
      [{ ...first, kind: 'call', tool: 'rm' }, second, ...rest],
      [{ ...first, id: '__proto__' }, second, ...rest],
      [{ ...first, kind: 'wait', signal: 'nobody' }, second, ...rest],
      [{ ...first, colour: 'red' }, second, ...rest],
    ][kind]
    return { nodes: wrong, output }
  })

const repeated = (count: number, text: string) => text.repeat(count)

const monsters = fc.constantFrom(
  () => repeated(100_000, '[') + repeated(100_000, ']'),
  () => `{"nodes":${repeated(5_000, '{"body":')}1${repeated(5_000, '}')},"output":null}`,
  () => JSON.stringify({ nodes: Array.from({ length: 20_000 }, (_, n) => ({ id: `n${n}`, kind: 'sleep', ms: 1 })) }),
  () => repeated(500_000, 'very '),
  () => '{"__proto__":{"nodes":[]},"constructor":{"prototype":{}},"output":null}',
  () => '{"nodes":[],"output":1e999}',
)

/** What may come instead of a plan. */
export const planReply: fc.Arbitrary<AnyReply> = fc
  .oneof(
    { weight: 8, arbitrary: small.map((plan) => JSON.stringify(plan)) },
    { weight: 2, arbitrary: small.map((plan) => `\`\`\`json\n${JSON.stringify(plan, null, 2)}\n\`\`\``) },
    { weight: 4, arbitrary: nearly.map((plan) => JSON.stringify(plan)) },
    { weight: 2, arbitrary: fc.tuple(prose, small).map(([said, plan]) => `${said}\n${JSON.stringify(plan)}`) },
    { weight: 2, arbitrary: fc.tuple(small, fc.nat(200)).map(([plan, at]) => JSON.stringify(plan).slice(0, at)) },
    { weight: 2, arbitrary: fc.json({ maxDepth: 6 }) },
    { weight: 2, arbitrary: anyText },
    { weight: 1, arbitrary: prose },
    { weight: 1, arbitrary: monsters.map((make) => make()) },
  )
  .chain((content) =>
    fc.record({ content: fc.constant(content), finishReason: finishReasons(['stop', 'length', 'content_filter']) }),
  )

function finishReasons(usual: string[]): fc.Arbitrary<string> {
  return fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...usual) }, { weight: 1, arbitrary: fc.string() })
}

const toolCall = fc.record(
  {
    name: fc.oneof(fc.constantFrom('height', 'weather', '', '__proto__', 'constructor', 'model'), fc.string()),
    arguments: fc.oneof(
      fc.constantFrom('{"of":"Eiger"}', '{"of":7}', '{}', '', '{"of":', 'null', '[]', '{"__proto__":{"of":"x"}}'),
      fc.json({ maxDepth: 4 }),
      anyText,
      fc.constant('['.repeat(10_000)),
      fc.constant('['.repeat(5_000) + ']'.repeat(5_000)),
    ),
    id: fc.oneof(fc.constantFrom('c1', 'c1', 'c2', '', '__proto__'), fc.string()),
  },
  { requiredKeys: ['name', 'arguments'] },
)

/** What a model that may call tools might say. */
export const actReply: fc.Arbitrary<AnyReply> = fc.oneof(
  fc.record({
    content: fc.oneof(anyText, fc.constantFrom('', '{"metres":1}', '{"metres":"x"}', '```json\n{"metres":2}\n```')),
    finishReason: finishReasons(['stop', 'length', 'content_filter', 'tool_calls']),
  }),
  fc.record({
    toolCalls: fc.array(toolCall, { minLength: 1, maxLength: 5 }),
    finishReason: finishReasons(['tool_calls', 'stop', 'length']),
  }),
  fc.record({ content: anyText, toolCalls: fc.array(toolCall, { minLength: 1, maxLength: 40 }) }),
)
