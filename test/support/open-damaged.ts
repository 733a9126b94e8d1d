import { readFileSync } from 'node:fs'
import { levelStore } from '../../src/store/level-store.ts'
import { all } from '../../src/testing/job-store-bench.ts'
import { contentsOf } from './store-data.ts'

/**
 * Child process: opens damaged data directories and says what became of each. On its own, since LevelDB can abort.
 *
 * - `refused`: the store did not open;
 * - `reported`: what is damaged was refused when it was read;
 * - `harmless`: everything is as it was;
 * - `found`: nothing wrong was given out but something that is no event and no row is missing, and verify says so;
 * - `threw`: a call failed with something that says nothing about damage;
 * - `served`: something wrong was given out, and nothing noticed.
 */

const jobIds = ['job-0', 'job-1', 'job-2', 'job-3', 'job-4']

process.on('message', async ({ directory, expected }: { directory: string; expected: string }) => {
  const verdict = await judge(directory, JSON.parse(readFileSync(expected, 'utf8'))).catch(
    (error) => `threw ${error.stack}`,
  )
  process.send?.(verdict)
})

async function judge(directory: string, expected: Record<string, unknown>): Promise<string> {
  const store = levelStore(directory)
  try {
    await store.open()
  } catch (error) {
    return `refused ${(error as { code?: string }).code ?? String(error)}`
  }
  try {
    const found = JSON.parse(JSON.stringify(await contentsOf(store, jobIds))) as Record<string, unknown>
    const wrong = Object.keys(expected).filter((key) => JSON.stringify(found[key]) !== JSON.stringify(expected[key]))
    const silent = wrong.filter((key) => !isRefused(found[key]))
    if (wrong.length > 0 && silent.length === 0) return 'reported'
    const hasFindings = (await all(store.verify())).length > 0
    if (wrong.length === 0) return hasFindings ? 'found' : 'harmless'
    const isServed = silent.some((key) => /^(row|events|list)/.test(key)) || !hasFindings
    return `${isServed ? 'served' : 'found'} ${silent.join(', ')}`
  } finally {
    await store.close()
  }
}

function isRefused(part: unknown): boolean {
  return typeof part === 'object' && part !== null && (part as { refused?: string }).refused === 'STORE_CORRUPT'
}
