import { afterAll, expect, test } from 'vitest'
import type { Defect } from '../support/crash-agents.ts'
import { checkAfter } from '../support/crash-check.ts'
import { loseTail } from '../support/crash-defects.ts'
import type { Kill } from '../support/crash-points.ts'
import { dismissSpares, inDirectory, killedAt } from '../support/crash-run.ts'

/** That the checker of the kills bites: processes, and a disk, that are wrong on purpose, and the complaints that it has to make. */

const planted: [Defect, Kill, RegExp[]][] = [
  [
    'acknowledges starts early',
    { point: 'tool once: done', nth: 1 },
    [/^lost: node.started of job \w+$/m, /^repeated: /m],
  ],
  ['repeats once calls', { point: 'tool once: begun', nth: 1 }, [/^repeated: /m]],
]

test.each(planted)('a process that %s', async (defect, kill, complaints) => {
  await inDirectory(async (directory) => {
    await killedAt(directory, kill, defect)
    const found = (await checkAfter({ directory, defect })).join('\n')
    for (const complaint of complaints) expect(found).toMatch(complaint)
  })
})

test('a disk that loses what it said was written', async () => {
  await inDirectory(async (directory) => {
    await killedAt(directory, { point: 'commit of an outcome: after', nth: 5 })
    loseTail(directory)
    const found = (await checkAfter({ directory })).join('\n')
    // The store sees it by itself where its witness outside the database was written in time.
    expect(found).toMatch(/^lost: |^failed: .* was acknowledged, but the database ends at/m)
  })
})

afterAll(dismissSpares)
