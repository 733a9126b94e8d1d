import { expect, test } from 'vitest'
import { createMachine } from 'xstate'
import { z } from 'zod'
import { agent, fromMachine, signal, tool, undo } from '../../src/index.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { Script } from '../support/scripted.ts'

/** Definitions of tools and agents: what is wrong with one is said when it is made, or before anything of it runs. */

const any = { input: z.any(), output: z.any() }

test.each<[string, string, (script: Script) => Parameters<typeof agent>[0]['plan']]>([
  ['a tool', 'The tool "stray" is not known', (script) => (graph) => graph.call('late', script.tool('stray'), 1)],
  [
    'the tool that undoes one',
    'The tool "stray" is not known',
    (script) => {
      const [work, stray] = [script.tool('work'), script.tool('stray')]
      return (graph) => graph.call('first', work, 1, { compensate: () => undo(stray, 1) })
    },
  ],
  ['a signal', 'The signal "stray" is not known', () => (graph) => graph.wait('go', signal('stray', z.any()))],
  [
    'an agent',
    'The agent "stray" is not known',
    () => (graph) => graph.spawn('part', agent({ name: 'stray', ...any, plan: () => null }), null),
  ],
])(
  'a plan in code names %s that its agent does not have: nothing is stored, and nothing runs',
  async (_, why, make) => {
    const script = new Script()
    const it = agent({ name: 'it', ...any, tools: [script.tool('work')], plan: make(script) as never })
    const runtime = await testRuntime({ agents: [it] })
    await expect(runtime.spawn(it, null, { id: 'job' })).rejects.toMatchObject({
      code: 'PLAN_INVALID',
      message: expect.stringContaining(why),
    })
    expect(script.begun).toEqual([])
    expect(await runtime.store.get('job')).toBeUndefined()
  },
)

const run = async () => null

test.each<[string, string, () => unknown]>([
  [
    'a tool whose input is no schema',
    'expected a schema of zod',
    () => tool({ name: 't', ...any, input: {}, run } as never),
  ],
  ['a tool without output', 'expected a schema of zod', () => tool({ name: 't', input: z.any(), run } as never)],
  ['a tool with a slip', 'timeout', () => tool({ name: 't', ...any, timeout: 500, run } as never)],
  ['an agent whose input is no schema', 'its input has', () => agent({ name: 'a', ...any, input: {} } as never)],
  ['an agent without output', 'its output has', () => agent({ name: 'a', input: z.any(), plan: run } as never)],
  ['an agent with a slip', 'no option "signal"', () => agent({ name: 'a', ...any, signal: [], plan: run } as never)],
  [
    'a machine with a slip',
    'no option "effect"',
    () => fromMachine('m', createMachine({}), { effect: { charge: 'read' } } as never),
  ],
  [
    'a machine whose output is no schema',
    'its output has',
    () => fromMachine('m', createMachine({}), { output: 1 } as never),
  ],
])('%s is refused', (_, why, make) => {
  expect(make).toThrow(expect.objectContaining({ code: 'AGENT_INVALID', message: expect.stringContaining(why) }))
})

test('an output that is not what the agent promises is told with its place', async () => {
  const it = agent({ name: 'it', input: z.any(), output: z.object({ m: z.string() }), plan: () => ({ m: 1 }) as never })
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, null, { id: 'job' })
  await expect(job.result()).rejects.toMatchObject({
    code: 'OUTPUT_INVALID',
    message: expect.stringContaining('The output of job "job", for agent "it", is not valid: m: '),
    issues: [{ path: ['m'] }],
  })
})

test.each([
  ['a Date', () => new Date(0), 'give its toISOString()'],
  ['a Promise', async () => 1, 'cannot be async'],
])('a plan that gives %s is told what to do instead', async (_, plan, advice) => {
  const it = agent({ name: 'it', ...any, plan: plan as never })
  const runtime = await testRuntime({ agents: [it] })
  await expect(runtime.spawn(it, null)).rejects.toMatchObject({ message: expect.stringContaining(advice) })
})
