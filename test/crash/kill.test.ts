import { afterAll, describe, expect, test } from 'vitest'
import { checkAfter } from '../support/crash-check.ts'
import type { Kill } from '../support/crash-points.ts'
import { dismissSpares, inDirectory, killedAt } from '../support/crash-run.ts'

/**
 * A real process on LevelDB, with seven jobs under way, is killed with SIGKILL at a point. The next one takes over and
 * brings all jobs to their end. Then nothing is missing that was acknowledged to anybody, no `once` call was made
 * twice, nothing was done unannounced, every job has its result or says which call it knows no outcome of, and all
 * histories replay.
 */

/** Points, with the times of reaching them at which the process is killed there. */
const points: Readonly<Record<string, readonly number[]>> = {
  'opening: before': [1],
  // The first two batches make the database and open it.
  'batch: handed to LevelDB': [1, 3, 7],
  'batch: on disk': [1, 5],
  'batch with a snapshot: handed to LevelDB': [2],
  'batch with a snapshot: on disk': [2],
  'commit of a new job: before': [4],
  'commit of a new job: after': [4],
  'commit of a plan: after': [5],
  'commit of a start: before': [1, 8],
  'commit of a start: after': [1, 14],
  'commit of another attempt: after': [1],
  'commit of an outcome: before': [1, 12],
  'commit of an outcome: after': [5, 17],
  'commit of a signal: before': [1],
  'commit of a signal: after': [2],
  'commit of a timer: before': [1],
  'commit of a timer: after': [2],
  'commit of an end: before': [1],
  'commit of an end: after': [6],
  'commit with a snapshot: after': [2],
  'send of a signal: before': [1],
  'send of a signal: after': [1],
  'look for due timers: after': [2],
  'tool idempotent: begun': [3],
  'tool idempotent: done': [5],
  'tool once: begun': [1, 4],
  'tool once: done': [1],
  'planner: done': [1],
  'promise once: done': [1],
  'promise idempotent: done': [1],
  'close: before': [1],
}

/** Points in the life of the process that takes over, in which it is killed in its turn. */
const recovering: readonly Kill[] = [
  { point: 'load of a snapshot: after', nth: 1 },
  { point: 'claim: before', nth: 1 },
  { point: 'claim: after', nth: 3 },
  { point: 'commit of a recovery: before', nth: 1 },
  { point: 'commit of a recovery: after', nth: 2 },
  { point: 'commit of another attempt: before', nth: 1 },
  { point: 'commit of another attempt: after', nth: 1 },
]

const busy: Kill = { point: 'tool idempotent: begun', nth: 3 }
let kills = 0

async function survives(...deaths: readonly Kill[]): Promise<void> {
  await inDirectory(async (directory) => {
    for (const death of deaths) {
      await killedAt(directory, death)
      kills += 1
    }
    expect(await checkAfter({ directory })).toEqual([])
  })
}

describe.concurrent('a process that is killed', () => {
  const singles = Object.entries(points).flatMap(([point, times]) => times.map((nth): Kill => ({ point, nth })))
  test.each(singles)('$point ($nth)', (kill) => survives(kill))
})

describe.concurrent('a process that takes over and is killed in its turn', () => {
  test.each(recovering)('$point ($nth)', (kill) => survives(busy, kill))

  test('again and again', () => survives(busy, ...recovering.slice(2, 6)))
})

afterAll(() => {
  dismissSpares()
  expect(kills).toBeGreaterThanOrEqual(40)
})
