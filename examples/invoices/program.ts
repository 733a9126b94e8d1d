/** Seven invoices, three of which cannot be entered, on LevelDB. */
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRuntime } from 'aetheris'
import { levelStore } from 'aetheris/level'
import { invoices } from './agent.ts'

const folder = await mkdtemp(join(tmpdir(), 'invoices-'))
await using runtime = await openRuntime({ store: levelStore(join(folder, 'data')), agents: [invoices] })

const [ledger, report] = [join(folder, 'ledger.txt'), join(folder, 'report.txt')]
const job = await runtime.spawn(invoices, { ledger, report }, { id: 'march' })
const { entered, cents } = await job.result()
console.log(`${entered} entered, ${cents / 100} in all`)
console.log((await readFile(report, 'utf8')).trimEnd())

/* It prints:
4 entered, 1420.4 in all
Entered 4 of 7.
2026-003: "eighty" is no amount.
2026-004: It names no customer.
2026-006: "-5" is no amount.
*/
