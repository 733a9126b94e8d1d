import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { setup } from 'xstate'
import { z } from 'zod'
import type { AnyAgent } from '../../../src/agent/agent.ts'
import type { TaskGraph } from '../../../src/graph/graph.ts'
import { agent, fromMachine, signal, tool } from '../../../src/index.ts'
import { expectGolden, testRuntime } from '../../../src/testing/testing.ts'
import { newDirectory, removeDirectories } from '../../support/store-data.ts'

const any = { input: z.any(), output: z.any() }
const text = (name: string, input: z.ZodType = z.string()) => tool({ ...any, name, input, run: () => name })
const [read, write, wipe] = [text('read'), text('write'), text('wipe')]
const go = signal('go', z.any())
const child = agent({ ...any, name: 'child', plan: () => null })

/** Names a tool in a loop, one that undoes, a signal and an agent. */
const plan: TaskGraph = {
  nodes: [
    {
      ...{ id: 'loop', kind: 'loop', start: 'tea', until: { eq: [1, 1] } as never, max: 1, onMax: 'stop' },
      body: { nodes: [{ id: 'read', kind: 'call', tool: 'read', input: 'tea' }], output: 'tea' },
    },
    { id: 'write', kind: 'call', tool: 'write', input: 'tea', compensate: { tool: 'wipe', input: 'tea' } },
    { id: 'child', kind: 'spawn', agent: 'child', input: null },
    { id: 'go', kind: 'wait', signal: 'go' },
  ],
  output: null,
}

const writer = (changed: Partial<Record<'tools' | 'signals' | 'agents', readonly object[]>> = {}): AnyAgent =>
  agent({
    ...any,
    name: 'writer',
    tools: [read, write, wipe],
    signals: [go],
    agents: [child],
    planner: { name: 'planner', plan: () => plan },
    ...changed,
  } as never)

async function jobOf(it: AnyAgent) {
  const runtime = await testRuntime({ agents: [it, ...it.agents.values()] })
  const job = await runtime.spawn(it, null, { id: 'job' })
  await runtime.settle()
  return job
}

let file = ''
beforeAll(async () => {
  file = join(await newDirectory(), 'writer.jsonl')
})
afterAll(removeDirectories)

test('it has to be there; it is kept when that is asked for, always the same', async () => {
  const job = await jobOf(writer())
  await expect(expectGolden(file, job)).rejects.toThrow(
    `There is no golden history "${file}". Keep the one of this job`,
  )
  await expectGolden(file, job, { update: true })
  await expectGolden(file, job)
  const kept = await readFile(file, 'utf8')
  expect(kept).toContain('"node.waiting"')
  await expectGolden(file, await jobOf(writer()), { update: true })
  expect(await readFile(file, 'utf8')).toBe(kept)
})

describe('an agent that has changed', () => {
  const against = async (changed: AnyAgent) => {
    await expectGolden(file, await jobOf(writer()), { update: true })
    await expectGolden(file, { agent: changed, async *events() {} })
  }

  test('goes on with jobs whose plan it would not make any more, since they have their own', async () => {
    const other = agent({
      ...any,
      name: 'writer',
      tools: [read, write, wipe],
      signals: [go],
      agents: [child],
      plan: () => 1,
    })
    await against(other)
  })

  test.each([
    ['a tool in a loop', { tools: [write, wipe] }, 'it has no tool read, which the plan of seq 3 names.'],
    ['a tool that undoes', { tools: [read, write] }, 'it has no tool wipe,'],
    ['a signal', { signals: [] }, 'it has no signal go,'],
    ['an agent', { agents: [] }, 'it has no agent child,'],
    [
      'an input that is still allowed',
      { tools: [read, text('write', z.int()), wipe] },
      'its tool write does not take the input of write',
    ],
  ])('has to have %s', async (_, changed, message) => {
    await expect(against(writer(changed))).rejects.toThrow(message)
  })

  test('is told what to do', async () => {
    await expect(against(writer({ signals: [] }))).rejects.toThrow(
      /^Jobs that began as the one in ".*writer\.jsonl" cannot go on with agent "writer" as it is now: it has no signal go, .* keep a new history with \{ update: true \}\.$/,
    )
  })
})

test('a machine that has changed does not go on', async () => {
  const door = (initial: 'open' | 'shut') =>
    fromMachine('door', setup({}).createMachine({ initial, states: { open: {}, shut: {} } }))
  await expectGolden(file, await jobOf(door('open')), { update: true })
  await expect(expectGolden(file, await jobOf(door('shut')))).rejects.toThrow('at seq 0, state')
})

test.each(['', 'not JSON\n', '{"type":"job.created"}\n'])('what is not a history is refused: %j', async (content) => {
  await writeFile(file, content)
  await expect(expectGolden(file, await jobOf(writer()))).rejects.toMatchObject({
    code: expect.stringMatching(/INPUT_INVALID|EVENT_INVALID/),
  })
})
