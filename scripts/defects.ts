import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Defect, defects } from '../test/simulation/defects.ts'
import { forAll, plant, type Search, simulate } from './plant.ts'

/**
 * Plants each defect of test/simulation/defects.ts in a copy of the source, and lets the simulation look for it. Prints
 * what was found, in which run and after how many seconds. Fails where one is not found.
 */

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '2000' },
    /** Part of the name of the defects to plant. */
    only: { type: 'string', default: '' },
    /** A folder to keep the cases in, as small as could be found. */
    keep: { type: 'string' },
  },
})

async function look({ name, file, find, replace }: Defect, directory: string): Promise<Search> {
  await plant(directory, file, (text) => {
    if (text.split(find).length !== 2) throw new Error(`"${name}": ${file} should have this once:\n${find}`)
    return text.replace(find, () => replace)
  })
  return simulate(directory, ['--runs', values.runs, ...(values.keep === undefined ? ['--no-shrink'] : [])])
}

const directory = await mkdtemp(join(tmpdir(), 'aetheris-defects-'))
const chosen = defects.filter(({ name }) => name.includes(values.only))
let missed = 0
try {
  await forAll(chosen, async (defect, index) => {
    const startedAt = performance.now()
    const { runs, found } = await look(defect, join(directory, String(index)))
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    if (found === null) missed += 1
    else if (values.keep !== undefined)
      await writeFile(join(values.keep, `${defect.name.replaceAll(/\W+/g, '-')}.json`), JSON.stringify(found.case))
    const how = found === null ? `NOT FOUND in ${runs} runs` : `run ${runs}: ${found.failure.slice(0, 110)}`
    console.log(`${seconds.padStart(6)} s  ${defect.name}\n          ${how}`)
  })
} finally {
  await rm(directory, { recursive: true })
}
console.log(`${chosen.length - missed} of ${chosen.length} defects were found.`)
process.exitCode = missed === 0 ? 0 : 1
