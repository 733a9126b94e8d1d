import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Json } from '../../src/base/json.ts'
import { agent, OutcomeUnknownError, type ToolContext } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { dataOf, eventsOf, Script, typesOf } from '../support/scripted.ts'

/** A call that goes on elsewhere, as a task: it is asked about, and never made again. */

interface Poll {
  task: Json
  context: ToolContext
  resolve(output: unknown): void
  reject(error: unknown): void
}

async function started({ polls = true } = {}) {
  const script = new Script()
  const asked: Poll[] = []
  const poll = (task: Json, _: unknown, context: ToolContext) =>
    new Promise((resolve, reject) => asked.push({ task, context, resolve, reject }))
  const render = script.tool('render', 'once', { timeoutMs: 60_000, ...(polls ? { poll } : {}) })
  const it = agent({
    name: 'studio',
    input: z.any(),
    output: z.any(),
    tools: [render],
    plan: (graph) => graph.call('render', render, { scene: 1 }),
  })
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, null, { id: 'job' })
  await runtime.settle()
  const { context } = script.call('render')
  const check = async (same = job) => expect((await replay(it, same.events())).divergence).toBeUndefined()
  return { script, asked, runtime, job, context, check }
}

describe('a call that was submitted', () => {
  test('is asked about after a crash, although it is once', async () => {
    const { script, asked, runtime, context, check } = await started()
    await context.submitted({ id: 'task-1' })
    await runtime.crash()

    const after = await runtime.reopen()
    await after.settle()
    const job = await after.job('job')
    expect(asked.map(({ task }) => task)).toEqual([{ id: 'task-1' }])
    expect(asked[0]?.context.attempt).toBe(2)
    asked[0]?.resolve('film')
    await after.settle()
    expect(await job.result()).toBe('film')
    expect(script.begun).toEqual(['render render'])
    expect(await dataOf(job, 'node.submitted')).toEqual([{ effect: 'render', attempt: 1, task: { id: 'task-1' } }])
    await check(job)
  })

  test('is durable when submitted resolves, and not before', async () => {
    const { runtime, job, context } = await started()
    let isDurable = false
    const submitted = context.submitted('task-1').then(() => {
      isDurable = true
    })
    expect(isDurable).toBe(false)
    await submitted
    expect(await typesOf(job)).toContain('node.submitted')
    await runtime.close()
  })

  test('has no known outcome when time runs out, and is made anew only where somebody says so', async () => {
    const { script, asked, runtime, job, context, check } = await started()
    await context.submitted('task-1')
    await runtime.advance(60_000)
    expect(job.getSnapshot().matches('render.unknown')).toBe(true)
    await job.resolve('render', 'again', { by: 'ana', reason: 'the studio has lost it' })
    await runtime.settle()
    expect(asked).toEqual([])
    expect(script.begun).toEqual(['render render', 'render render'])
    script.answer('render')
    script.answer('render', 'film')
    await runtime.settle()
    expect(await job.result()).toBe('film')
    await check()
  })

  test('is refused of a tool that cannot ask', async () => {
    const { job, script, context, runtime } = await started({ polls: false })
    await expect(context.submitted('task-1')).rejects.toMatchObject({ code: 'AGENT_INVALID' })
    expect(await typesOf(job)).not.toContain('node.submitted')
    script.answer('render', 'film')
    await runtime.settle()
    expect(await job.result()).toBe('film')
  })

  test('is refused when the job no longer wants it', async () => {
    const { job, context, runtime } = await started()
    await job.terminate()
    await runtime.settle()
    await expect(context.submitted('task-1')).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
    expect(await typesOf(job)).not.toContain('node.submitted')
  })
})

describe('a tool that says that it cannot know', () => {
  test('leaves a once call unknown, with why', async () => {
    const { script, runtime, job, check } = await started()
    script.fail('render', new OutcomeUnknownError('the line went dead'))
    await runtime.settle()
    expect(await dataOf(job, 'node.outcome_unknown')).toEqual([
      {
        effect: 'render',
        attempt: 1,
        reason: 'lost',
        error: { name: 'OutcomeUnknownError', message: 'the line went dead' },
      },
    ])
    await check()
  })

  test('is asked again where the call may be repeated', async () => {
    const script = new Script()
    const read = script.tool('read', 'read')
    const it = agent({
      name: 'reader',
      input: z.any(),
      output: z.any(),
      tools: [read],
      plan: (graph) => graph.call('read', read, null),
    })
    const runtime = await testRuntime({ agents: [it] })
    const job = await runtime.spawn(it, null)
    await runtime.settle()
    script.fail('read', new OutcomeUnknownError('the line went dead'))
    await runtime.advance(60_000)
    script.answer('read', 'text')
    await runtime.settle()
    expect(await job.result()).toBe('text')
    expect((await eventsOf(job)).filter(({ type }) => type === 'node.retried')).toHaveLength(1)
  })
})
