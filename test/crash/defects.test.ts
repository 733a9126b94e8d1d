import { afterAll, expect, test } from 'vitest'
import type { Defect } from '../support/crash-agents.ts'
import { checkAfter } from '../support/crash-check.ts'
import type { Kill } from '../support/crash-points.ts'
import { dismissSpares, inDirectory, killedAt } from '../support/crash-run.ts'

/** That the checker of the kills bites: processes that are wrong on purpose, and the complaints that it has to make. */

const planted: [Defect, Kill, RegExp[]][] = [
  [
    'acknowledges starts early',
    { point: 'tool once: done', nth: 1 },
    [/^lost: node.started of job \w+$/m, /^repeated: /m],
  ],
  ['repeats once calls', { point: 'tool once: begun', nth: 1 }, [/^repeated: /m]],
  [
    'loses what was written last',
    { point: 'commit of an outcome: after', nth: 5 },
    [/^lost: |^failed: .* was acknowledged, but the database ends at/m],
  ],
]

test.each(planted)('a process that %s', async (defect, kill, complaints) => {
  await inDirectory(async (directory) => {
    await killedAt(directory, kill, defect)
    const found = (await checkAfter({ directory, defect })).join('\n')
    for (const complaint of complaints) expect(found).toMatch(complaint)
  })
})

afterAll(dismissSpares)
