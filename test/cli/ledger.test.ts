import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import type { ModelUsage } from '../../src/event/spending.ts'
import { agent, openRuntime, tool } from '../../src/index.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { aetheris } from '../support/cli.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

/** What `show` tells of what a job has used up, on data of a real process. */

let cwd: string
afterAll(removeDirectories)
beforeAll(async () => {
  cwd = await newDirectory()
  await using runtime = await openRuntime({ store: levelStore(join(cwd, '.aetheris')), agents: [asking, idle] })
  await (await runtime.spawn(asking, null, { id: 'asking' })).result()
  await (await runtime.spawn(idle, null, { id: 'idle' })).result()
})

const usage: ModelUsage = {
  ...{ model: 'local/small', inputTokens: 1_000, cachedTokens: 600, outputTokens: 50, reasoningTokens: 20 },
  price: { microUnits: 1_200_034, currency: 'EUR', table: 'digest' },
}

/** Fails at its first attempt, which costs as much. */
const ask = tool({
  name: 'ask',
  input: z.null(),
  output: z.null(),
  effect: 'read',
  retry: { initialDelayMs: 1 },
  run(_, { attempt, charge }) {
    charge(usage)
    if (attempt === 1) throw new Error('broke off')
    return null
  },
})

const look = tool({
  name: 'look',
  input: z.null(),
  output: z.null(),
  run(_, { charge }) {
    charge({ model: 'local/tiny', inputTokens: 0, outputTokens: 7, isPartial: true })
    charge(3)
    return null
  },
})

const asking = agent({
  name: 'asking',
  input: z.null(),
  output: z.null(),
  tools: [ask, look],
  plan(graph) {
    const asked = graph.call('ask', ask, null)
    return graph.call('look', look, null, { after: [asked] })
  },
})

const idle = agent({ name: 'idle', input: z.null(), output: z.null(), plan: () => null })

test('show prints what each node has used up, what is cached and thought apart, and the money to the last digit', async () => {
  const { code, stdout } = await aetheris(['show', 'asking'], { cwd })
  expect(stdout.split('\n').slice(-7)).toEqual([
    '',
    'USED BY  CALLS  INPUT  CACHED  OUTPUT  REASONING  MONEY         UNITS',
    'ask      2      2000   1200    100     40         2.400068 EUR  0',
    'look     1      0      0       7       0          0             3',
    'all      3      2000   1200    107     40         2.400068 EUR  3',
    'Of 1 call the provider did not say all.',
    '',
  ])
  expect(code).toBe(0)
})

test('show --json gives the same in whole numbers', async () => {
  const { stdout } = await aetheris(['show', 'asking', '--json'], { cwd })
  expect(JSON.parse(stdout).used).toEqual({
    nodes: {
      ask: { ...nothing, ...{ calls: 2, inputTokens: 2_000, cachedTokens: 1_200, outputTokens: 100 }, ...twice },
      look: { ...nothing, calls: 1, outputTokens: 7, cost: 3, partial: 1 },
    },
    job: {
      ...nothing,
      ...{ calls: 3, inputTokens: 2_000, cachedTokens: 1_200, outputTokens: 107, cost: 3, partial: 1 },
      ...twice,
    },
  })
})

const nothing = {
  ...{ calls: 0, inputTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, outputTokens: 0, reasoningTokens: 0 },
  ...{ microUnits: {}, cost: 0, partial: 0 },
}
const twice = { reasoningTokens: 40, microUnits: { EUR: 2_400_068 } }

test('show says nothing of it where nothing was used up', async () => {
  const { stdout } = await aetheris(['show', 'idle'], { cwd })
  expect(stdout).not.toContain('USED')
  expect(JSON.parse((await aetheris(['show', 'idle', '--json'], { cwd })).stdout)).not.toHaveProperty('used')
})
