import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import type { DatabaseMaker } from '../../src/store/level-files.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { commitNumber } from './store-data.ts'

/**
 * Child process whose writes are recorded: opens a data directory twice, commits to five jobs at once, and writes the
 * number of each commit into ACKS when it was acknowledged. With `small`, LevelDB changes logs and writes tables often.
 */

const [root = '', size = ''] = process.argv.slice(2)
const acks = openSync(join(root, 'ACKS'), 'a')
const turns = 8
const jobs = 5

const small: DatabaseMaker = (location, options) =>
  new ClassicLevel(location, { ...options, writeBufferSize: 64 * 1024, compression: false })

for (let session = 0; session < 2; session += 1) {
  const store = levelStore(join(root, 'data'), size === 'small' ? { openDatabase: small } : {})
  await store.open()
  for (let turn = session * turns; turn < (session + 1) * turns; turn += 1) {
    const numbers = Array.from({ length: jobs }, (_, job) => turn * jobs + job)
    await Promise.all(
      numbers.map(async (n) => {
        await commitNumber(store, n, jobs)
        writeSync(acks, `${n}\n`)
      }),
    )
  }
  await store.close()
}
closeSync(acks)
