import { mkdirSync, rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { dataRoot, type Workload, watchOthers } from './helpers.ts'
import { heading, line, machine } from './table.ts'
import { workloads } from './workloads.ts'

/** `npm run bench [-- NAME ... --large --json]`: see README.md. */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { large: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
})
const size = values.large ? 'large' : 'normal'
const unknown = positionals.find((name) => !workloads.some((workload) => workload.name === name))
if (values.help || unknown !== undefined) {
  if (unknown !== undefined) console.error(`There is no workload "${unknown}".`)
  console.error('npm run bench [-- NAME ... --large --json]\n')
  for (const { name, about, isExtra } of workloads)
    console.error(`  ${name.padEnd(10)} ${about}${isExtra ? ' (only where it is named)' : ''}`)
  process.exit(unknown === undefined ? 0 : 2)
}

const isChosen = ({ name, isExtra }: Workload) => (positionals.length === 0 ? !isExtra : positionals.includes(name))
const chosen = workloads.filter(isChosen)
mkdirSync(dataRoot, { recursive: true })
process.on('exit', () => rmSync(dataRoot, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))
const say = values.json ? console.error : console.log
say(`${machine(dataRoot)}\n`)
say(heading)
const others = watchOthers()
const start = performance.now()
for (const { name, run } of chosen) {
  if (process.stderr.isTTY) process.stderr.write(`measuring ${name} ...\r`)
  for (const figure of await run(size)) {
    if (values.json) console.log(JSON.stringify({ workload: name, ...figure }))
    else console.log(line(name, figure))
  }
}
const seconds = Math.round((performance.now() - start) / 1000)
const cores = others()
say(`\n${seconds} s. Other processes kept ${cores.toFixed(1)} cores busy meanwhile.`)
if (cores > 0.3) say('That is much: trust ratios and CPU times, and measure the rest again on a quiet machine.')
