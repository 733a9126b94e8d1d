import { rm } from 'node:fs/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { dataRoot } from '../../bench/helpers.ts'
import { line } from '../../bench/table.ts'
import { workloads } from '../../bench/workloads.ts'

/** Not what they measure: that a change of the runtime does not leave a benchmark behind that no longer runs. */
describe('every benchmark still runs', () => {
  afterAll(() => rm(dataRoot, { recursive: true, force: true }))

  test.each(workloads)('$name', async ({ name, run }) => {
    const figures = await run('tiny')
    expect(figures.length).toBeGreaterThan(0)
    for (const figure of figures) {
      expect(figure.samples.length, figure.what).toBeGreaterThan(0)
      for (const sample of figure.samples) expect(sample, figure.what).toBeGreaterThanOrEqual(0)
      expect(line(name, figure)).toContain(figure.what)
    }
  })
})
