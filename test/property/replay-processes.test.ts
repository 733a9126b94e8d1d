import { fork } from 'node:child_process'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { caseOf, chartSamples } from '../support/machine-charts.ts'
import { agentOf, runDurable } from '../support/machine-runs.ts'
import { samples } from '../support/plans.ts'
import { fingerprints } from '../support/plans-follow.ts'
import { runPlan } from '../support/plans-run.ts'
import { planRunner, World } from '../support/plans-world.ts'
import { runs } from '../support/property.ts'
import type { Foreign } from '../support/replay-child.ts'

/** A history leads to the same states wherever it is replayed: nothing of the process gets into them. */

/** Replays histories in a process of its own, with other surroundings than this one. */
function elsewhere(histories: readonly Foreign[], surroundings: Record<string, string>): Promise<string[][]> {
  const child = fork(join(import.meta.dirname, '../support/replay-child.ts'), {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, ...surroundings },
    serialization: 'json',
  })
  return new Promise((resolve, reject) => {
    child.once('message', (states) => resolve(states as string[][]))
    child.once('exit', (code) => reject(new Error(`The process ended with ${code} and without an answer.`)))
    child.send(histories)
  })
}

test('two other processes come to the states of this one, after every event', async () => {
  const charts = fc.sample(chartSamples, runs(40))
  const plans = fc.sample(samples(), runs(40))
  const histories: Foreign[] = []
  const here: string[][] = []
  for (const chart of charts) {
    const { events } = await runDurable(caseOf(chart))
    histories.push({ chart, events })
    here.push(fingerprints(agentOf(caseOf(chart)), events))
  }
  for (const plan of plans) {
    const { events } = await runPlan(plan)
    histories.push({ events })
    here.push(fingerprints(planRunner(new World()), events))
  }
  const [one, other] = await Promise.all([
    elsewhere(histories, { TZ: 'Asia/Tokyo', LC_ALL: 'tr_TR.UTF-8' }),
    // In another order, so that all counters of the process stand elsewhere.
    elsewhere(histories.toReversed(), { TZ: 'America/New_York', LC_ALL: 'C' }),
  ])
  expect(one).toEqual(here)
  expect(other.toReversed()).toEqual(here)
})
