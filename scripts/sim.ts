import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Case } from '../test/simulation/case.ts'
import { run } from '../test/simulation/run.ts'
import { faultsOf, search, type Totals, told } from '../test/simulation/search.ts'

/** Runs the simulation for as long as wanted, each run from the next seed, until one fails. See docs/reliability.md. */

const usage = `npm run sim -- [--seed N] [--minutes M | --runs N] [--json]
npm run sim -- --case FILE

  --seed N      number of the first run (default 0); the next has the next number
  --minutes M   for how long (default 1)
  --runs N      how many runs, instead of for how long
  --json        one JSON object at the end, and nothing else
  --case FILE   one case, as a failure prints it`

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '0' },
    minutes: { type: 'string', default: '1' },
    runs: { type: 'string' },
    case: { type: 'string' },
    json: { type: 'boolean', default: false },
    // For whoever only wants to know whether something is found.
    'no-shrink': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

function number(name: 'seed' | 'minutes' | 'runs'): number {
  const value = Number(values[name])
  if (Number.isFinite(value) && value >= 0) return value
  console.error(`--${name} ${values[name]} is no number.\n\n${usage}`)
  process.exit(2)
}

if (values.help) console.log(usage)
else if (values.case === undefined) await go()
else await again(values.case)

async function again(path: string): Promise<void> {
  const { failure, timeline } = await run(JSON.parse(readFileSync(path, 'utf8')) as Case)
  console.log(timeline.join('\n'))
  console.log(failure === undefined ? 'It holds.' : `It fails: ${failure}`)
  process.exitCode = failure === undefined ? 0 : 1
}

async function go(): Promise<void> {
  const startedAt = performance.now()
  const seconds = () => (performance.now() - startedAt) / 1_000
  const isLast =
    values.runs === undefined ? () => seconds() >= number('minutes') * 60 : ({ runs }: Totals) => runs >= number('runs')
  let toldAt = 0
  const isOver = (totals: Totals) => {
    if (seconds() - toldAt >= 5) {
      toldAt = seconds()
      console.error(`${totals.runs} runs, ${faultsOf(totals)} faults, ${Math.round(toldAt)} s`)
    }
    return isLast(totals)
  }
  const firstSeed = number('seed')
  const report = await search({ firstSeed, isOver, ...(values['no-shrink'] ? { shrinkMs: 0 } : {}) })
  const { found, ...totals } = report
  if (values.json) {
    const failed = found && { seed: found.seed, failure: found.outcome.failure, case: found.given }
    const injected = Object.fromEntries(totals.injected)
    console.log(JSON.stringify({ firstSeed, ...totals, injected, seconds: seconds(), found: failed ?? null }))
  } else console.log(text(firstSeed, totals, seconds()))
  if (found === undefined) return
  if (!values.json) console.log(`\n${told(found)}`)
  process.exitCode = 1
}

function text(firstSeed: number, totals: Totals, seconds: number): string {
  const { runs, steps, events, injected } = totals
  const kinds = [...injected].sort(([, one], [, other]) => other - one)
  return [
    `${runs} runs (seeds ${firstSeed} to ${firstSeed + runs - 1}) in ${seconds.toFixed(1)} s:`,
    `${steps} steps (${Math.round(steps / seconds)}/s), ${events} events, ${faultsOf(totals)} faults:`,
    ...kinds.map(([kind, times]) => `${String(times).padStart(8)}  ${kind}`),
  ].join('\n')
}
