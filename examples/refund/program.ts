/** A large refund, on LevelDB: it waits for somebody, says for whom, and is made once. */
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRuntime } from 'aetheris'
import { levelStore } from 'aetheris/level'
import { refund } from './agent.ts'

const folder = await mkdtemp(join(tmpdir(), 'refund-'))
const books = join(folder, 'books.txt')
await using runtime = await openRuntime({ store: levelStore(join(folder, 'data')), agents: [refund] })

const job = await runtime.spawn(refund, { order: 'A-7', amount: 250, books }, { id: 'refund-7' })
await job.waitFor((snapshot) => snapshot.matches('pay.approving'))
for (const { what, owes, moves } of await job.why()) console.log(`${what} Owed by ${owes}: ${moves.join(', ')}`)

await job.approve('pay', { by: 'ana', reason: 'broken on arrival' })
console.log(await job.result())
console.log((await readFile(books, 'utf8')).trimEnd())

/* It prints:
pay needs somebody to agree to a call of pay. Owed by ana or ben: approve pay, deny pay
{ receipt: 'refund-7/pay' }
paid 250 for A-7, agreed by ana
told the customer of A-7: refunded
*/
