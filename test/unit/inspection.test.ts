import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect'
import { expect, test } from 'vitest'
import { createMachine, type InspectionEvent } from 'xstate'
import { fromMachine } from '../../src/index.ts'
import type { JobInspectionEvent } from '../../src/runtime/inspection.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { approval, researcher } from '../support/agents.ts'

/** Jobs as XState's inspectors see them; Stately's own is one of them here. */

/** An inspector of Stately's, and what it sends to its window. It sends in a later turn of the event loop. */
function stately() {
  const sent: StatelyInspectionEvent[] = []
  let look = () => {}
  const send = (event: StatelyInspectionEvent) => {
    sent.push(event)
    look()
  }
  const until = (isThere: (event: StatelyInspectionEvent) => boolean) =>
    new Promise<void>((resolve) => {
      look = () => sent.some(isThere) && resolve()
      look()
    })
  return { inspector: createInspector({ send }), sent, until }
}

const isEnd = (event: StatelyInspectionEvent) => event.type === '@xstate.snapshot' && event.snapshot.status !== 'active'

test("Stately's inspector is shown a job from its birth to its end", async () => {
  const { inspector, sent, until } = stately()
  const runtime = await testRuntime({ agents: [researcher], inspect: inspector.inspect })
  const job = await runtime.spawn(researcher, { topic: 'tea' }, { id: 'job' })
  await job.signal(approval, { approved: true, by: 'ana' })
  await job.result()
  await until(isEnd)
  for (const { sessionId, rootId } of sent) expect([sessionId, rootId]).toEqual(['job', 'job'])
  const told = sent.flatMap((event) => (event.type === '@xstate.event' ? [event.event.type] : []))
  const types = []
  for await (const event of job.events()) types.push(event.type)
  expect(told).toEqual(types)
  expect(sent.filter(({ type }) => type === '@xstate.actor')).toHaveLength(1)
  expect(sent.at(0)).toMatchObject({ type: '@xstate.actor', name: 'researcher' })
  expect(sent.at(-1)).toMatchObject({
    type: '@xstate.snapshot',
    event: { type: 'job.completed' },
    snapshot: { status: 'done', value: 'completed', output: { page: 'http://localhost/reports/1' } },
  })
})

test('every state that it is shown is one of the chart that it is shown', async () => {
  const door = fromMachine(
    'door',
    createMachine({
      id: 'door',
      initial: 'shut',
      states: {
        shut: { on: { open: 'open' } },
        open: { initial: 'wide', states: { wide: {} }, after: { 100: '#door.shut' } },
      },
    }),
  )
  const { inspector, sent, until } = stately()
  const runtime = await testRuntime({ agents: [researcher, door], inspect: inspector.inspect })
  await runtime.spawn(researcher, { topic: 'tea' }, { id: 'planned' })
  const byHand = await runtime.spawn(door, null, { id: 'by-hand' })
  await byHand.signal('open', {})
  await runtime.advance(100)
  await byHand.cancel()
  await runtime.settle()
  await until(isEnd)
  const charts = new Map<string, string>()
  for (const event of sent) {
    if (event.type === '@xstate.actor') charts.set(event.sessionId, event.definition as string)
    if (event.type !== '@xstate.snapshot') continue
    const chart = createMachine(JSON.parse(charts.get(event.sessionId) as string))
    const { value } = event.snapshot as unknown as { value: never }
    expect(chart.resolveState({ value }).value).toEqual(value)
  }
  expect(charts.size).toBe(2)
})

test('a process that takes over introduces the jobs that it moves', async () => {
  const before = await testRuntime({ agents: [researcher] })
  await before.spawn(researcher, { topic: 'tea' }, { id: 'job' })
  await before.settle()
  const seen: JobInspectionEvent[] = []
  const after = await before.reopen({ inspect: (event) => seen.push(event) })
  await (await after.job('job')).signal(approval, { approved: false, by: 'ana' })
  await after.settle()
  expect(seen[0]).toMatchObject({ type: '@xstate.actor', rootId: 'job', actorRef: { id: 'job', src: 'researcher' } })
  expect(seen.filter(({ type }) => type === '@xstate.actor')).toHaveLength(1)
})

test("an observer of XState's own type is an inspector", async () => {
  const seen: InspectionEvent[] = []
  const observer = { next: (event: InspectionEvent) => void seen.push(event) }
  const runtime = await testRuntime({ agents: [researcher], inspect: observer })
  const job = await runtime.spawn(researcher, { topic: 'tea' })
  await runtime.settle()
  expect(seen[0]?.actorRef.getSnapshot()).toMatchObject({ status: 'active', jobId: job.id })
  expect(() => seen[0]?.actorRef.send({ type: 'approval' })).toThrow(
    expect.objectContaining({ code: 'SIGNAL_INVALID' }),
  )
})

test('an inspector that throws is reported, and the job goes on', async () => {
  const inspect = () => {
    throw new Error('no window')
  }
  const runtime = await testRuntime({ agents: [researcher], inspect })
  const job = await runtime.spawn(researcher, { topic: 'tea' })
  await job.signal(approval, { approved: true, by: 'ana' })
  await runtime.settle()
  expect(job.getSnapshot().status).toBe('done')
  expect(runtime.problems[0]).toEqual({ jobId: job.id, error: new Error('no window') })
})
