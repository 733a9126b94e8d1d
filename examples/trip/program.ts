/** A trip without a car, on LevelDB. Its process ends in the middle of giving back, and the next one goes on there. */
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRuntime } from 'aetheris'
import { levelStore } from 'aetheris/level'
import { trip } from './agent.ts'

const folder = await mkdtemp(join(tmpdir(), 'trip-'))
const world = join(folder, 'bookings.txt')
const open = () => openRuntime({ store: levelStore(join(folder, 'data')), agents: [trip] })

const before = await open()
const job = await before.spawn(trip, { world }, { id: 'trip' })
await job.waitFor((snapshot) => snapshot.value === 'compensating')
await before.close() // nothing is waited for; for the job this is the same as a crash

await using after = await open()
const same = await after.job('trip')
const { value, error } = await same.waitFor((snapshot) => snapshot.status !== 'active')
console.log(value, error?.message)
console.log((await readFile(world, 'utf8')).trimEnd())

/* It prints:
failed There is no car.
booked the flight, by trip/flight
booked the hotel, by trip/hotel
gave back the hotel, by trip/job.undo/hotel
gave back the flight, by trip/job.undo/flight
*/
