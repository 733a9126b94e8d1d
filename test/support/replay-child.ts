import type { AnyAgent } from '../../src/agent/agent.ts'
import type { JobEvent } from '../../src/event/event.ts'
import { caseOf, type Sample } from './machine-charts.ts'
import { agentOf } from './machine-runs.ts'
import { fingerprints } from './plans-follow.ts'
import { planRunner, World } from './plans-world.ts'

/** Child process: replays histories that another process has written, and gives the state after each event. */

/** A history, and from what its agent is made again: a chart, or nothing for a plan. */
export interface Foreign {
  chart?: Sample
  events: JobEvent[]
}

process.once('message', (histories: Foreign[]) => {
  const states = histories.map(({ chart, events }) => fingerprints(agentFor(chart), events))
  process.send?.(states, () => process.disconnect())
})

function agentFor(chart: Sample | undefined): AnyAgent {
  return chart === undefined ? planRunner(new World()) : agentOf(caseOf(chart))
}
