import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { JobEvent } from '../../src/event/event.ts'
import type { Ref } from '../../src/graph/ref.ts'
import { agent, TerminalError, tool, undo } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'

/** What is undone when a job fails or is cancelled, and in which order. */

const calls: string[] = []

const named = z.object({ name: z.string() })

const book = tool({
  name: 'book',
  input: named,
  output: z.object({ id: z.string() }),
  effect: 'idempotent',
  run({ name }) {
    if (name === 'bad') throw new TerminalError('sold out')
    calls.push(`book ${name}`)
    return { id: `id-${name}` }
  },
})
const cancel = tool({
  name: 'cancel',
  input: z.object({ id: z.string() }),
  output: z.null(),
  effect: 'idempotent',
  run({ id }) {
    calls.push(`cancel ${id}`)
    return null
  },
})

async function eventsOf(job: { events(): AsyncIterable<JobEvent> }): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  for await (const event of job.events()) events.push(event)
  return events
}

const trip = agent({
  name: 'trip',
  input: z.object({ legs: z.array(z.string()) }),
  output: z.any(),
  tools: [book, cancel],
  plan(graph, { legs }) {
    let last: Parameters<typeof graph.call>[3] = {}
    for (const [index, name] of legs.entries()) {
      const ref: Ref<unknown> = graph.call(
        `leg${index}`,
        book,
        { name },
        { ...last, compensate: (leg) => undo(cancel, { id: leg.id }) },
      )
      last = { after: [ref] }
    }
    return 'done'
  },
})

describe('a plan whose node fails', () => {
  test('undoes what completed, latest first, and fails', async () => {
    calls.length = 0
    await using runtime = await testRuntime({ agents: [trip] })
    const job = await runtime.spawn(trip, { legs: ['a', 'b', 'c', 'bad'] })
    await runtime.settle()
    expect(calls).toEqual(['book a', 'book b', 'book c', 'cancel id-c', 'cancel id-b', 'cancel id-a'])
    expect(job.getSnapshot().value).toBe('failed')
    expect(job.getSnapshot().error?.message).toBe('sold out')
    expect((await eventsOf(job)).filter(({ type }) => type === 'compensation.started')).toHaveLength(1)
    expect((await replay(trip, job.events())).divergence).toBeUndefined()
  })
})
