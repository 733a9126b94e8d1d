import { expect, test } from 'vitest'
import { z } from 'zod'
import { agent, tool } from '../../src/index.ts'
import { Timers } from '../../src/scheduler/timers.ts'
import type { JobStore, TimerRow } from '../../src/store/store.ts'
import { memoryStore, SimulatedClock, testRuntime } from '../../src/testing/testing.ts'

/** When jobs are woken for their timers. */

/** Rows of timers, and a hold on the answers to reads. */
function timerRows() {
  const rows: TimerRow[] = []
  const held: (() => void)[] = []
  const control = { holding: false }
  const answer = async <T>(value: T): Promise<T> => {
    if (control.holding) await new Promise<void>((resolve) => held.push(resolve))
    return value
  }
  const store = {
    dueTimers: (now: number) => answer(rows.filter(({ dueAt }) => dueAt <= now)),
    nextTimer: () => answer(rows.map(({ dueAt }) => dueAt).sort((a, b) => a - b)[0]),
  } as unknown as JobStore
  const release = async () => {
    for (const go of held.splice(0)) go()
    for (let turn = 0; turn < 5; turn += 1) await null
  }
  return { rows, store, control, release }
}

test('a timer that is set and due while a look is under way is not lost', async () => {
  const clock = new SimulatedClock()
  const { rows, store, control, release } = timerRows()
  const woken: string[] = []
  const timers = new Timers(store, clock, (jobId) => woken.push(jobId))
  control.holding = true
  const look = timers.look()
  await release() // what is due now: nothing
  // The next timer is being read, without this one.
  const dueAt = clock.now()
  rows.push({ jobId: 'job', id: 't1', dueAt })
  timers.notice(dueAt)
  clock.goTo(dueAt)
  control.holding = false
  await release()
  await look
  clock.goTo(clock.now() + 1_000)
  await release()
  expect(woken).toEqual(['job'])
})

test('a job that was woken for a timer that it had handled already is woken for the next one', async () => {
  const never = tool({ name: 'never', input: z.any(), output: z.any(), run: () => new Promise(() => {}) })
  const napper = agent({
    name: 'napper',
    input: z.any(),
    output: z.any(),
    tools: [never],
    plan(graph) {
      graph.call('busy', never, null)
      const second = graph.sleep('second', 1_000, { after: [graph.sleep('first', 100)] })
      return graph.call('after', never, null, { after: [second] })
    },
  })
  const store = memoryStore()
  const { dueTimers } = store
  let stale: TimerRow[] = []
  // A read that began before the commit that used a timer up, and answers after it.
  store.dueTimers = async (now, limit) => [...stale.splice(0), ...(await dueTimers.call(store, now, limit))]
  const runtime = await testRuntime({ agents: [napper], store })
  const job = await runtime.spawn(napper, null, { id: 'job' })
  await runtime.advance(50)
  await runtime.spawn(napper, null, { id: 'other' }) // whose timer makes the runtime look in between
  await runtime.advance(50)
  stale = [{ jobId: 'job', id: 't1', dueAt: 0 }]
  await runtime.advance(1_000)
  expect(job.getSnapshot().nodes).toMatchObject({ first: 'completed', second: 'completed', after: 'running' })
})
