import { afterAll, describe, expect, test } from 'vitest'
import { checkAfter } from '../support/crash-check.ts'
import type { Kill } from '../support/crash-points.ts'
import { dismissSpares, inDirectory, killedAt, pointsOfALife } from '../support/crash-run.ts'
import { isThorough, some } from '../support/thorough.ts'

/**
 * A real process on LevelDB, with ten jobs under way, is killed with SIGKILL at a point: children, timers, approvals,
 * signals, retries, maps and hand-written machines among them. The next one takes over and brings all jobs to their end.
 * Then nothing is missing that was acknowledged to anybody, no `once` call was made twice, nothing was done unannounced,
 * every job has its result or says which call it knows no outcome of, and all histories replay.
 *
 * The points are found by letting a process live without being killed. `npm run crash` kills at each of them.
 */

/** A death in the middle of everything, after which the next process has much to take over. */
const busy: Kill = { point: 'tool idempotent: begun', nth: 3 }

const first = await pointsOfALife()
const second = await pointsOfALife(busy)
let kills = 0

async function survives(...deaths: readonly Kill[]): Promise<void> {
  await inDirectory(async (directory) => {
    for (const death of deaths) if (await killedAt(directory, death)) kills += 1
    expect(await checkAfter({ directory })).toEqual([])
  })
}

test('there are more than 120 points', () => {
  const names = new Set(first.map(({ point }) => point))
  for (const name of ['commit of an approval: after', 'commit of a child: before', 'commit of a timer: after'])
    expect(names).toContain(name)
  expect(names.size).toBeGreaterThan(45)
  expect(first.length).toBeGreaterThan(200)
})

describe.concurrent('a process that is killed', () => {
  test.each(some(first, 40))('$point ($nth)', (kill) => survives(kill))
})

describe.concurrent('a process that takes over and is killed in its turn', () => {
  test.each(some(second, 12))('$point ($nth)', (kill) => survives(busy, kill))

  test('again and again', () =>
    survives(
      busy,
      { point: 'claim: before', nth: 1 },
      { point: 'claim: after', nth: 3 },
      { point: 'commit of a recovery: before', nth: 1 },
      { point: 'commit of a recovery: after', nth: 2 },
    ))
})

afterAll(() => {
  dismissSpares()
  console.info(`${kills} kills, of ${first.length} points in a first life and ${second.length} in a second`)
  expect(kills).toBeGreaterThanOrEqual(isThorough ? 300 : 50)
})
