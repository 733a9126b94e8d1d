import { expect, test } from 'vitest'
import { z } from 'zod'
import { agent, tool } from '../../src/index.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'

/** What plans become: nodes may be called as they like. */

const echo = tool({ name: 'echo', input: z.any(), output: z.any(), effect: 'read', run: (_, { effect }) => effect })

const ids = [
  ...['done', 'blocked', 'running', 'waiting', 'sleeping', 'settled', 'halted', 'skipped'],
  ...['plan', 'job', 'body', 'planner', 'reviser', 'saga', 'call', 'map', 'loop', 'wait', 'sleep', 'spawn', 'choose'],
]

test.each(ids)('a node called %s is a node like others, alone, in a row and beside others', async (id) => {
  const shapes = agent({
    name: 'shapes',
    input: z.any(),
    output: z.any(),
    tools: [echo],
    plan(graph, shape: string) {
      const first = shape === 'alone' ? [] : [graph.call('first', echo, null)]
      const named = graph.call(id, echo, null, { after: shape === 'row' ? first : [] })
      const beside = shape === 'beside' ? [graph.call('beside', echo, null, { after: first })] : []
      if (shape === 'alone') return { named }
      return { named, last: graph.call('last', echo, null, { after: [named, ...beside] }) }
    },
  })
  const runtime = await testRuntime({ agents: [shapes] })
  for (const shape of ['alone', 'row', 'beside']) {
    const job = await runtime.spawn(shapes, shape)
    await runtime.settle()
    const last = shape === 'alone' ? {} : { last: 'last' }
    expect(job.getSnapshot().output, shape).toEqual({ named: id, ...last })
  }
})
