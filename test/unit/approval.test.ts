import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { ApprovalPolicy } from '../../src/event/approval.ts'
import { agent, type ToolOptions } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { dataOf, Script, typesOf } from '../support/scripted.ts'

/** Calls that somebody has to agree to. */

type Approval = ToolOptions<z.ZodAny, z.ZodAny>['approval']

async function started(
  approval: Approval,
  { input = { amount: 5 }, node }: { input?: unknown; node?: ApprovalPolicy } = {},
) {
  const script = new Script()
  const pay = script.tool('pay', 'once', approval === undefined ? {} : { approval })
  const it = agent({
    name: 'payer',
    input: z.any(),
    output: z.any(),
    tools: [pay],
    plan: (graph, given) => graph.call('pay', pay, given, node === undefined ? {} : { approval: node }),
  })
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, input, { id: 'job' })
  await runtime.settle()
  const check = async (same = job) => expect((await replay(it, same.events())).divergence).toBeUndefined()
  return { script, runtime, job, check }
}

test('a call is made once somebody agrees, and the history says who and to what', async () => {
  const { script, runtime, job, check } = await started('always')
  expect(script.begun).toEqual([])
  expect(job.getSnapshot().matches('pay.approving')).toBe(true)
  expect((await runtime.store.get('job'))?.status).toBe('waiting')
  const [asked] = await dataOf(job, 'approval.requested')
  expect(asked).toMatchObject({ effect: 'pay', tool: 'pay', input: { amount: 5 }, policy: {} })
  await job.approve('pay', { by: 'ana', reason: 'fine' })
  await runtime.settle()
  expect(script.begun).toEqual(['pay pay'])
  expect(script.call('pay').context.approval).toEqual({ option: 'approve', by: 'ana' })
  script.answer('pay', 'paid')
  await runtime.settle()
  expect(job.getSnapshot().output).toBe('paid')
  expect(await dataOf(job, 'approval.decided')).toEqual([
    { effect: 'pay', digest: asked?.digest, option: 'approve', verdict: 'approve', by: 'ana', reason: 'fine' },
  ])
  await check()
})

test('a call that is refused fails, with the name and the reason', async () => {
  const { script, runtime, job, check } = await started('always')
  await job.deny('pay', { by: 'bob', reason: 'too much' })
  await runtime.settle()
  expect(script.begun).toEqual([])
  expect(job.getSnapshot().error).toMatchObject({
    code: 'APPROVAL_DENIED',
    message: expect.stringMatching(/bob.*too much/),
  })
  await check()
})

test.each([
  [{ amount: 5 }, ['pay pay']],
  [{ amount: 500 }, []],
])('only what the condition names is asked for: %o', async (input, begun) => {
  const { script, check } = await started({ when: ({ amount }) => amount > 100 }, { input })
  expect(script.begun).toEqual(begun)
  await check()
})

test('a condition that throws lets nothing through', async () => {
  const { script, job } = await started({
    when: () => {
      throw new Error('no idea')
    },
  })
  expect(script.begun).toEqual([])
  expect(job.getSnapshot().error?.message).toBe('no idea')
})

test('options of its own', async () => {
  const options = { full: 'approve', partial: 'approve', no: 'deny' } as const
  const { script, runtime, job, check } = await started({ options })
  await expect(job.approve('pay', { by: 'ana' })).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
  // What says yes by the one name never says no by the other.
  await expect(job.approve('pay', { by: 'ana', option: 'no' })).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
  await expect(job.deny('pay', { by: 'ana', option: 'full' })).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
  await job.approve('pay', { by: 'ana', option: 'partial' })
  await runtime.settle()
  expect(script.call('pay').context.approval).toEqual({ option: 'partial', by: 'ana' })
  await check()
})

test.each(['constructor', 'toString', '__proto__', 'timeout', ''])('%o is no option', async (option) => {
  const { script, runtime, job, check } = await started('always')
  await expect(job.approve('pay', { by: 'ana', option })).rejects.toMatchObject({
    code: option === '' ? 'INPUT_INVALID' : 'COMMAND_REFUSED',
  })
  await job.approve('pay', { by: 'ana' })
  await runtime.settle()
  expect(script.begun).toEqual(['pay pay'])
  expect(runtime.problems).toEqual([])
  await check()
})

test('only those who may answer, and after a while those it was passed on to', async () => {
  const { script, runtime, job, check } = await started({ by: ['ana'], escalate: { afterMs: 1_000, to: ['boss'] } })
  await expect(job.approve('pay', { by: 'bob' })).rejects.toMatchObject({
    code: 'COMMAND_REFUSED',
    message: expect.stringContaining('ana'),
  })
  await expect(job.approve('pay', { by: 'boss' })).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
  await runtime.advance(1_000)
  expect(await dataOf(job, 'approval.escalated')).toEqual([{ effect: 'pay', to: ['boss'] }])
  await job.approve('pay', { by: 'boss' })
  await runtime.settle()
  expect(script.begun).toEqual(['pay pay'])
  await check()
})

describe.each([
  [undefined, 'failed'],
  ['deny', 'failed'],
  ['approve', 'running'],
] as const)('where nobody answers in time, and the default is %s', (onTimeout, end) => {
  test(`the job is ${end}, also when the time passed while nothing was running`, async () => {
    const policy = { timeoutMs: 86_400_000, ...(onTimeout === undefined ? {} : { onTimeout }) }
    const { runtime, check } = await started(policy)
    await using after = await runtime.reopen({ afterMs: 3 * 86_400_000 })
    await after.settle()
    const job = await after.job('job')
    expect(JSON.stringify(job.getSnapshot().value)).toContain(end)
    expect(await dataOf(job, 'approval.decided')).toMatchObject([{ option: 'timeout', verdict: onTimeout ?? 'deny' }])
    await check(job as never)
  })
})

test('an answer to something else than is asked now is refused, and asking again is needed', async () => {
  const { script, runtime, job, check } = await started('always')
  const digest = job.getSnapshot().pending[0]?.approval?.digest as string
  await expect(job.approve('pay', { by: 'ana', digest: 'of another call' })).rejects.toMatchObject({
    code: 'COMMAND_REFUSED',
    message: expect.stringContaining('changed'),
  })
  await job.approve('pay', { by: 'ana', digest })
  await runtime.settle()
  expect(script.begun).toEqual(['pay pay'])
  await check()
})

test('the same answer twice counts once, also after all is done; another one is refused', async () => {
  const { script, runtime, job, check } = await started('always')
  await job.approve('pay', { by: 'ana' })
  await job.approve('pay', { by: 'ana' })
  await runtime.settle()
  await job.approve('pay', { by: 'ana' })
  await expect(job.deny('pay', { by: 'ana' })).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
  await runtime.settle()
  expect((await typesOf(job)).filter((type) => type === 'approval.decided')).toHaveLength(1)
  expect(script.begun).toEqual(['pay pay'])
  await check()
})

test('two answers that cross: the first counts, and the other is in the history as refused', async () => {
  const { script, runtime, job, check } = await started('always')
  await Promise.all([job.approve('pay', { by: 'ana' }), job.deny('pay', { by: 'bob' })])
  await runtime.settle()
  expect(script.begun).toEqual(['pay pay'])
  expect(await dataOf(job, 'command.refused')).toMatchObject([
    { command: 'decide', by: 'bob', why: expect.stringContaining('already') },
  ])
  await check()
})

test('an approval that is waited for outlives crashes, and is asked for once', async () => {
  const { script, runtime, check } = await started('always')
  await using after = await runtime.reopen()
  await after.settle()
  await using later = await after.reopen()
  await later.settle()
  const job = await later.job('job')
  expect((await typesOf(job)).filter((type) => type === 'approval.requested')).toHaveLength(1)
  await job.approve('pay', { by: 'ana' })
  await later.settle()
  expect(script.begun).toEqual(['pay pay'])
  await check(job as never)
})

test('a plan may ask for an approval that the tool does not, but not spare one', async () => {
  const asking = await started(undefined, { node: { by: ['ana'] } })
  expect(asking.script.begun).toEqual([])
  const both = await started('always', { node: { by: ['model'] } })
  // The policy of the tool holds.
  await both.job.approve('pay', { by: 'anybody' })
  await both.runtime.settle()
  expect(both.script.begun).toEqual(['pay pay'])
})

test('a changed argument makes the answer stale: the new call is asked for anew', async () => {
  const script = new Script()
  const pay = script.tool('pay', 'once', { approval: 'always' })
  const it = agent({
    name: 'payer',
    input: z.any(),
    output: z.any(),
    tools: [pay],
    planner: {
      name: 'rules',
      plan: ({ round }) => ({
        nodes: [{ id: 'pay', kind: 'call', tool: 'pay', input: { amount: round } }],
        output: null,
      }),
    },
  })
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, null, { id: 'job' })
  await runtime.settle()
  const digest = job.getSnapshot().pending[0]?.approval?.digest as string
  await job.revise({ by: 'ana' })
  await runtime.settle()
  await expect(job.approve('pay', { by: 'ana', digest })).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
  expect(script.begun).toEqual([])
  await job.approve('pay', { by: 'ana' })
  await runtime.settle()
  expect(script.call('pay#2').input).toEqual({ amount: 2 })
  expect((await replay(it, job.events())).divergence).toBeUndefined()
})
