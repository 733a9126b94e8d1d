import { once } from 'node:events'
import { measure } from './helpers.ts'
import { openLevel, runMany } from './run.ts'

/** One of the processes of shards.ts: `node shards-child.ts DIRECTORY JOBS`. Begins when it is told to, by a line. */

const [directory = '', jobs = '0'] = process.argv.slice(2)
const runtime = await openLevel(directory)
await runMany(runtime, Math.ceil(Number(jobs) / 2), 200)
process.stdout.write('ready\n')
await once(process.stdin, 'data')
process.stdin.destroy()
const reading = await measure(() => runMany(runtime, Number(jobs), 200))
process.stdout.write(`${JSON.stringify(reading)}\n`)
await runtime.close()
