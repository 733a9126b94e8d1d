import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { agent, TerminalError, tool, undo } from '../../src/index.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'

/** What is undone of a call that has failed: whatever may have taken effect all the same. */

type Options = { deadlineMs?: number; effect?: 'read' | 'idempotent' | 'once'; timeoutMs?: number }

/** What a job undoes whose only call runs as `run` does. */
async function undone(run: () => unknown, options: Options): Promise<string[]> {
  const { deadlineMs, effect = 'idempotent', timeoutMs } = options
  const given: string[] = []
  const book = tool({
    name: 'book',
    input: z.null(),
    output: z.null(),
    effect,
    retry: { maxAttempts: 2, initialDelayMs: 100 },
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    run: run as () => null,
  })
  const giveBack = tool({
    name: 'give-back',
    input: z.null(),
    output: z.null(),
    effect: 'idempotent',
    run() {
      given.push('booking')
      return null
    },
  })
  const trip = agent({
    name: 'trip',
    input: z.null(),
    output: z.null(),
    tools: [book, giveBack],
    plan(graph) {
      const deadline = deadlineMs === undefined ? {} : { deadlineMs }
      graph.call('flight', book, null, { compensate: () => undo(giveBack, null), ...deadline })
      return null
    },
  })
  await using runtime = await testRuntime({ agents: [trip] })
  const job = await runtime.spawn(trip, null, { id: 'trip' })
  await runtime.advance(60_000)
  await runtime.advance(60_000)
  expect(job.getSnapshot().value).toBe('failed')
  return given
}

const hang = () => new Promise(() => {})

describe('a call that has failed', () => {
  test('is undone where its node ran out of time while it was under way', async () => {
    expect(await undone(hang, { deadlineMs: 1_000 })).toEqual(['booking'])
  })

  test('is undone where each attempt ran out of time', async () => {
    expect(await undone(hang, { timeoutMs: 1_000 })).toEqual(['booking'])
  })

  test('is undone where what it returned is of no use', async () => {
    expect(await undone(() => 'nothing that its schema takes', {})).toEqual(['booking'])
  })

  test('is left where it says so itself', async () => {
    const refuse = () => {
      throw new TerminalError('no seat')
    }
    expect(await undone(refuse, {})).toEqual([])
  })

  test('is left where it changes nothing', async () => {
    expect(await undone(hang, { timeoutMs: 1_000, effect: 'read' })).toEqual([])
  })
})
