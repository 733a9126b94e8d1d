import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { agent, type JobHandle } from '../../src/index.ts'
import type { StreamPart } from '../../src/runtime/stream.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { Script, turns } from '../support/scripted.ts'

/** What those who watch a job are given, and how they go on after they were away. */

async function started() {
  const script = new Script()
  const write = script.tool('write', 'read', { retry: { maxAttempts: 2 } })
  const it = agent({
    name: 'writer',
    input: z.any(),
    output: z.any(),
    tools: [write],
    plan: (graph) => {
      const first = graph.call('first', write, null)
      return graph.call('second', write, null, { after: [first] })
    },
  })
  const runtime = await testRuntime({ agents: [it] })
  const job = await runtime.spawn(it, null, { id: 'job' })
  await runtime.settle()
  const emit = (effect: string, text: string) => script.call(effect).context.emit(text)
  return { script, runtime, job, emit }
}

/** Collects the parts of a stream as they come. */
function watch(job: JobHandle, after?: string) {
  const parts: StreamPart[] = []
  const stream = job.stream(after === undefined ? {} : { after })
  const ended = (async () => {
    for await (const part of stream) parts.push(part)
  })()
  const brief = () =>
    parts.map((part) =>
      part.type === 'event'
        ? part.event.type
        : part.type === 'text'
          ? `${part.effect}/${part.attempt}@${part.offset} ${part.text}`
          : `${part.effect} ${JSON.stringify(part.data)}`,
    )
  return { parts, brief, ended, stream }
}

const begin = ['job.created', 'plan.requested', 'plan.adopted', 'node.started']

describe('a stream', () => {
  test('gives every event in order, and the text of each attempt before the event that ends it', async () => {
    const { script, runtime, job, emit } = await started()
    const { brief, ended } = watch(job)
    await turns()
    emit('first', 'Once ')
    await turns()
    emit('first', 'upon ')
    emit('first', 'a time')
    script.call('first').context.progress({ words: 4 })
    script.answer('first', 'Once upon a time')
    await runtime.settle()
    emit('second', 'The end')
    script.answer('second', 'The end')
    await runtime.settle()
    await ended
    expect(brief()).toEqual([
      ...begin,
      'first/1@0 Once ',
      'first/1@5 upon a time',
      'first {"words":4}',
      'node.progressed',
      'node.completed',
      'node.started',
      'second/1@0 The end',
      'node.completed',
      'job.completed',
    ])
  })

  test('gives what was made before anybody watched', async () => {
    const { job, emit, stream } = { ...(await started()), stream: watch }
    emit('first', 'Once upon')
    const { brief } = stream(job)
    await turns()
    emit('first', ' a time')
    await turns()
    expect(brief()).toEqual([...begin, 'first/1@0 Once upon', 'first/1@9  a time'])
  })

  test('goes on where a watcher was, from any part, with nothing missing and nothing twice', async () => {
    const { script, runtime, job, emit } = await started()
    const whole = watch(job)
    await turns()
    emit('first', 'Once ')
    await turns()
    const away = whole.parts.length
    emit('first', 'upon')
    await turns()
    const back = watch(job, whole.parts[away - 1]?.cursor)
    await turns()
    expect(back.brief()).toEqual(['first/1@5 upon'])
    script.answer('first')
    await runtime.settle()
    script.answer('second')
    await runtime.settle()
    await Promise.all([whole.ended, back.ended])
    expect(back.brief()).toEqual(whole.brief().slice(away))
    for (const [index, { cursor }] of whole.parts.entries()) {
      const rest = watch(job, cursor)
      await rest.ended
      const events = whole.parts.slice(index + 1).filter(({ type }) => type === 'event')
      expect(rest.parts).toEqual(
        events.map((part) => expect.objectContaining({ type: 'event', event: (part as { event: unknown }).event })),
      )
    }
  })

  test('shows an attempt that was cut off as abandoned, and begins anew with the next one', async () => {
    const { script, runtime, job, emit } = await started()
    const before = watch(job)
    await turns()
    emit('first', 'Once upon a ti')
    await turns()
    const cursor = before.parts.at(-1)?.cursor
    await runtime.crash()
    await expect(before.ended).resolves.toBeUndefined()

    const reopened = await runtime.reopen()
    await reopened.settle()
    const after = watch(await reopened.job('job'), cursor)
    emitLast(script, 'Long ago')
    await turns()
    expect(after.brief()).toEqual(['job.recovered', 'node.attempted', 'first/2@0 Long ago'])
    await reopened.close()
    await after.ended
  })

  test('refuses a cursor that is none', async () => {
    const { job } = await started()
    for (const cursor of ['', '7', '[-1,{}]', '[1,{"a":[0,0]}]', '{"seq":1}']) {
      await expect(job.stream({ after: cursor }).next()).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    }
  })

  test('holds no more than the text for a watcher that is slow', async () => {
    const { job, emit } = await started()
    const stream = job.stream()
    for (const type of begin) expect((await stream.next()).value).toMatchObject({ event: { type } })
    for (let piece = 0; piece < 1_000; piece += 1) emit('first', 'x')
    expect((await stream.next()).value).toMatchObject({ type: 'text', offset: 0, text: 'x'.repeat(1_000) })
    await stream.return()
  })
})

/** The call that was begun last, where an older one of the same effect is still open. */
function emitLast(script: Script, text: string): void {
  script.answer('first')
  script.call('first').context.emit(text)
}

test('an attempt that emits without end fails', async () => {
  const { job, emit, runtime } = await started()
  const megabyte = 'x'.repeat(1024 * 1024)
  for (let count = 0; count < 16; count += 1) emit('first', megabyte)
  expect(() => emit('first', 'x')).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }))
  await runtime.close()
  expect(job.getSnapshot().status).toBe('active')
})
