/**
 * Keeps recordings of what a process does to its files, for machines without strace: `npx tsx scripts/record-disk.ts`.
 * They show that data of this version can be opened after a crash, so they are made anew only when the format changes.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setup } from '../test/support/bundled.ts'
import { packed, record } from '../test/support/disk-record.ts'

const folder = join(import.meta.dirname, '../test/crash/recordings')
await setup()
mkdirSync(folder, { recursive: true })
for (const workload of ['usual', 'small'] as const) {
  const ops = record(workload)
  writeFileSync(join(folder, `${workload}.jsonl.gz`), packed(ops))
  console.log(`${workload}: ${ops.length} calls`)
}
