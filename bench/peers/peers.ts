import { mkdirSync, rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { dataRoot, median, repeat, watchOthers } from '../helpers.ts'
import { machine, shown } from '../table.ts'
import { install, peerOf, runPeer, type Said, sizes, type Workload } from './run-peer.ts'

/** `npm run bench:peers [-- NAME ... --rounds 3]`: the same work given to other systems, side by side. See README.md. */

const all = ['aetheris', 'restate', 'dbos', 'langgraph']
const steps = sizes.jobs * sizes.steps

/** One line of the table each. */
const figures: { workload: Workload; what: string; unit: 'ms' | '/s' | ''; of: (said: Said) => number | undefined }[] =
  [
    { workload: 'lone', what: '10 steps in a row: p50', unit: 'ms', of: ({ p50Ms }) => p50Ms },
    { workload: 'lone', what: '10 steps in a row: p99', unit: 'ms', of: ({ p99Ms }) => p99Ms },
    { workload: 'lone', what: '10 steps in a row: CPU a job', unit: 'ms', of: ({ cpuMs }) => cpuMs },
    {
      workload: 'many',
      what: '200 such jobs at a time: steps',
      unit: '/s',
      of: ({ wallMs = 0 }) => (steps * 1000) / wallMs,
    },
    { workload: 'many', what: '200 such jobs at a time: CPU a job', unit: 'ms', of: ({ cpuMs }) => cpuMs },
    { workload: 'fan', what: '100 steps at once, joined: p50', unit: 'ms', of: ({ p50Ms }) => p50Ms },
    {
      workload: 'crash',
      what: 'kill -9: first step after the restart',
      unit: 'ms',
      of: ({ firstStepMs }) => firstStepMs,
    },
    { workload: 'crash', what: 'kill -9: all jobs at their end', unit: 'ms', of: ({ allMs }) => allMs },
    { workload: 'crash', what: 'kill -9: steps run twice', unit: '', of: ({ twice }) => twice },
    { workload: 'crash', what: 'kill -9: steps lost', unit: '', of: ({ lost }) => lost },
  ]

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '3' } },
})
const unknown = positionals.find((name) => !all.includes(name))
if (unknown !== undefined) {
  console.error(`There is no peer "${unknown}"; there are ${all.join(', ')}.`)
  process.exit(2)
}
const names = all.filter((name) => name === 'aetheris' || positionals.length === 0 || positionals.includes(name))
for (const name of names) install(name)
mkdirSync(dataRoot, { recursive: true })
process.on('exit', () => rmSync(dataRoot, { recursive: true, force: true }))

const others = watchOthers()
const results = new Map<string, Said[]>()
const key = (name: string, workload: Workload) => `${name} ${workload}`
// Round by round and one after the other, so that a slow minute of the machine hits all of them.
await repeat(Number(values.rounds), async (round) => {
  for (const workload of ['lone', 'many', 'fan', 'crash'] as const) {
    for (const name of names) {
      console.error(`round ${round + 1}: ${workload}, ${name} ...`)
      const said = await runPeer(name, workload)
      results.set(key(name, workload), [...(results.get(key(name, workload)) ?? []), said])
    }
  }
})

const peers = await Promise.all(names.map(peerOf))
const row = (first: string, cells: string[]) => [first.padEnd(40), ...cells.map((cell) => cell.padStart(14))].join('')
console.log(`${machine(dataRoot)}\n`)
console.log(
  row(
    '',
    peers.map(({ title }) => title),
  ),
)
for (const { workload, what, unit, of } of figures) {
  const cells = names.map((name) => {
    const samples = (results.get(key(name, workload)) ?? []).map((said) => of(said) ?? Number.NaN)
    return shown(median(samples), unit)
  })
  console.log(row(what, cells))
}
console.log('')
for (const { title, durability } of peers) console.log(`${title}: ${durability}.`)
console.log(
  `Medians of ${values.rounds} rounds. Other processes kept ${others().toFixed(1)} cores busy meanwhile, servers of peers included.`,
)
