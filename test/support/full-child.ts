import { writeSync } from 'node:fs'
import { levelStore } from '../../src/store/level-store.ts'
import { commitNumber } from './store-data.ts'

/**
 * Child process on a disk that fails: commits to five jobs at once, says on stdout what was acknowledged and what was
 * refused, and asks again until it was acknowledged. It goes on until it is killed, or has made its commits.
 */

const [directory = '', commits = ''] = process.argv.slice(2)
const jobs = 5
const store = levelStore(directory)
await store.open()
await Promise.all(Array.from({ length: jobs }, (_, job) => lead(job)))
await store.close()

async function lead(job: number): Promise<void> {
  for (let n = job; n < Number(commits); n += jobs) await acknowledged(n)
}

async function acknowledged(n: number): Promise<void> {
  for (;;) {
    try {
      await commitNumber(store, n, jobs)
      return say(`acked ${n}`)
    } catch (error) {
      say(`refused ${(error as { code?: string }).code ?? String(error)}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

function say(line: string): void {
  writeSync(1, `${line}\n`)
}
