import { agent, all, eq, gt, gte, not, signal, type TaskGraph, tool, undo } from 'aetheris'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { limits } from '../../src/base/limits.ts'
import { nodeSchema } from '../../src/graph/graph.ts'
import * as conditions from '../../src/graph/question.ts'
import * as aetheris from '../../src/index.ts'
import { block, page } from '../support/docs.ts'

/** The plans of docs/plans.md: what the builder makes of the code is the JSON beside it. */

const order = z.object({ customer: z.string(), cents: z.int() })

const list = tool({ name: 'list', input: z.object({ month: z.string() }), output: z.array(order), run: () => [] })
const sum = tool({
  name: 'sum',
  input: z.object({ month: z.string() }),
  output: z.object({ cents: z.int() }),
  run: () => ({ cents: 0 }),
})
const pay = tool({ name: 'pay', input: order, output: z.object({ receipt: z.string() }), run: () => ({ receipt: '' }) })
const giveBack = tool({ name: 'give-back', input: z.object({ to: z.string() }), output: z.null(), run: () => null })
const draft = z.object({ text: z.string(), points: z.number() })
const improve = tool({ name: 'improve', input: draft, output: draft, run: (given) => given })
const approval = signal('approval', z.object({ approved: z.boolean(), by: z.string() }))
const audit = agent({
  name: 'audit',
  input: z.object({ month: z.string() }),
  output: z.object({ clean: z.boolean() }),
  plan: () => ({ clean: true }),
})

type Graph = Parameters<NonNullable<Parameters<typeof agent>[0]['plan']>>[0]

/** The plan that an agent makes for the month of March. */
function made(plan: (graph: Graph, input: { month: string }) => unknown): TaskGraph {
  const it = agent({
    name: 'it',
    input: z.object({ month: z.string() }),
    output: z.any(),
    tools: [list, sum, pay, giveBack, improve],
    signals: [approval],
    agents: [audit],
    plan: plan as never,
  })
  return it.plan?.({ month: 'March' }) as TaskGraph
}

const shown: Record<string, TaskGraph> = {
  call: made((graph) => {
    // #region call
    const paid = graph.call(
      'pay',
      pay,
      { customer: 'Ana', cents: 100 },
      {
        retry: { maxAttempts: 2, initialDelayMs: 500 },
        timeoutMs: 10_000, // one attempt
        deadlineMs: 60_000, // all of them, and the pauses
        approval: { by: ['ben'] },
        onFailure: 'compensate',
        compensate: () => undo(giveBack, { to: 'Ana' }),
      },
    )
    // #endregion
    return paid.receipt
  }),
  map: made((graph, { month }) => {
    // #region map
    const orders = graph.call('list', list, { month })
    const receipts = graph.map('pay', pay, orders, ({ customer, cents }) => ({ customer, cents }), {
      concurrency: 4,
      onItemFailure: 'collect',
    })
    // #endregion
    return receipts
  }),
  wait: made((graph) => {
    // #region wait
    const answer = graph.wait('review', approval, { timeoutMs: 86_400_000 })
    // #endregion
    return answer.by
  }),
  sleep: made((graph) => {
    // #region sleep
    const answer = graph.wait('review', approval)
    graph.sleep('cool-down', 3_600_000, { after: [answer] })
    // #endregion
    return null
  }),
  spawn: made((graph, { month }) => {
    // #region spawn
    const { clean } = graph.spawn('check', audit, { month }, { onParentEnd: 'terminate' })
    // #endregion
    return clean
  }),
  choose: made((graph, { month }) => {
    // #region choose
    const { cents } = graph.call('sum', sum, { month })
    const by = graph.choose('route', {
      large: { when: gt(cents, 10_000), plan: (way) => way.wait('review', approval).by },
      small: { plan: () => 'the rules' },
    })
    // #endregion
    return by
  }),
  loop: made((graph) => {
    // #region loop
    const best = graph.loop(
      'polish',
      { text: 'tea', points: 0 },
      (inner, state) => inner.call('improve', improve, state),
      { until: (state) => gte(state.points, 10), max: 5, onMax: 'stop' },
    )
    // #endregion
    return best.text
  }),
  when: made((graph, { month }) => {
    // #region when
    const orders = graph.call('list', list, { month })
    const review = graph.wait('review', approval, { after: [orders] })
    const paid = graph.map('pay', pay, orders, (each) => each, {
      when: all(review.approved, not(eq(review.by, 'nobody'))),
    })
    // #endregion
    return paid
  }),
}

test.each(Object.keys(shown))('the code of %s makes the JSON beside it', (name) => {
  expect(JSON.parse(block('docs/plans.md', `json of: ${name}`))).toEqual(shown[name])
})

describe('the page names', () => {
  const text = page('docs/plans.md')

  test('every kind of node', () => {
    const kinds = nodeSchema.options.map((option) => option.shape.kind.value)
    for (const kind of kinds) expect(text).toContain(`## \`${kind}\``)
  })

  test('every condition that users can write, all of which the package exports', () => {
    const names = Object.keys(conditions).filter((name) => name !== 'conditionOf')
    for (const name of names) {
      expect(text).toMatch(new RegExp(`^\\| .*\`${name}\\(`, 'm'))
      expect(aetheris).toHaveProperty(name)
    }
  })

  test('every limit as it is', () => {
    const rows = [...text.matchAll(/^\| `(\w+Max)` \| ([\d,]+) \|/gm)].map((match) => [match[1], match[2]])
    const { delayMsMax: _, ...numbers } = limits
    const known = Object.entries(numbers).map(([name, value]) => [name, value.toLocaleString('en-US')])
    expect(rows).toEqual(known)
  })
})
