import { expect, test } from 'vitest'
import type { NodeKind } from '../../../src/graph/graph.ts'
import { approvedCall, call, idempotentCall } from './call.ts'
import { after, event, promise } from './machines.ts'
import { loop, map } from './map-loop.ts'
import { choose, spawn } from './spawn-choose.ts'
import { type Trial, type Tried, trials } from './trials.ts'
import { sleep, wait } from './wait-sleep.ts'

/** Every kind of node through every trial. A cell that is missing does not compile. */

const nodes: Record<NodeKind, Tried> = { call, wait, sleep, map, spawn, choose, loop }
const more = {
  'call, idempotent': idempotentCall,
  'call, approved': approvedCall,
  'promise of a machine': promise,
  'after of a machine': after,
  'event of a machine': event,
}

const cells = Object.entries({ ...nodes, ...more }).flatMap(([kind, { subject, outcomes }]) =>
  (Object.keys(trials) as Trial[]).map((trial) => ({ kind, trial, subject, wanted: outcomes[trial] })),
)

test.each(cells)('$kind: $trial', async ({ trial, subject, wanted }) => {
  if ('impossible' in wanted) return expect(wanted.impossible).toMatch(/^[A-Z].+\.$/)
  const stage = await trials[trial](subject)
  expect(await stage.outcome()).toEqual(wanted)
  await stage.check()
})
