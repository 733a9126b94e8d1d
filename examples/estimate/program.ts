/** A machine that measures again and again, on LevelDB: it rests for a moment instead of an hour. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRuntime } from 'aetheris'
import { levelStore } from 'aetheris/level'
import { estimate } from './agent.ts'

const folder = await mkdtemp(join(tmpdir(), 'estimate-'))
await using runtime = await openRuntime({ store: levelStore(join(folder, 'data')), agents: [estimate] })

const patient = await runtime.spawn(estimate, { goodEnough: 0.1, pauseMs: 10 }, { id: 'patient' })
console.log(await patient.result())

const hurried = await runtime.spawn(estimate, { goodEnough: 0.1 }, { id: 'hurried' })
await hurried.waitFor((snapshot) => snapshot.matches('resting'))
await hurried.signal('accept', { by: 'ana' })
console.log(await hurried.result())

/* It prints:
{ mean: 20.032, error: 0.092, count: 60, by: null }
{ mean: 20.196, error: 0.219, count: 10, by: 'ana' }
*/
