import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { seededRandom } from '../src/base/random.ts'
import { forAll, plant, root, run, simulate } from './plant.ts'

/**
 * Changes the core at random places, and sees whether the simulation, and then the unit tests, notice. Prints those
 * that nobody has noticed: each is a test that is missing, or code that could go, or a change that means nothing.
 */

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '100' },
    /** Of the simulation, for each mutant. */
    runs: { type: 'string', default: '150' },
  },
})

const core = [
  ...['attempt', 'calls', 'commands', 'family', 'patience', 'roster', 'runner', 'turn'].map(
    (name) => `src/runtime/${name}`,
  ),
  ...['effect', 'fire', 'inputs', 'notes', 'orphans', 'pending', 'state'].map((name) => `src/replay/${name}`),
  ...['group-commit', 'level-stage', 'level-writer', 'memory-store', 'row'].map((name) => `src/store/${name}`),
  ...['slots', 'timers'].map((name) => `src/scheduler/${name}`),
  ...['job', 'loop', 'map', 'saga'].map((name) => `machines/${name}`),
].map((path) => `${path}.ts`)

/** What is changed into what. Texts and types are left alone as far as a line can tell. */
const changes: readonly [RegExp, string][] = [
  [/ === /g, ' !== '],
  [/ !== /g, ' === '],
  [/ && /g, ' || '],
  [/ \|\| /g, ' && '],
  [/ < /g, ' <= '],
  [/ <= /g, ' < '],
  [/ > /g, ' >= '],
  [/ >= /g, ' > '],
  [/ \+ 1\b/g, ''],
  [/ - 1\b/g, ''],
  [/\breturn true\b/g, 'return false'],
  [/\breturn false\b/g, 'return true'],
  [/^( +)(?:await )?[\w.#?]+\([^=]*\)$/g, '$1'],
  [/\bif \(!/g, 'if ('],
  [/\.filter\(.*?\)(?=[\s.)]|$)/g, ''],
]
const leftAlone =
  /^\s*(\/\/|\*|\/\*|import |export type|type |interface |readonly |private readonly |\w+\??: [A-Z]\w+)|message|throw /

interface Mutant {
  file: string
  line: number
  from: string
  to: string
}

async function mutantsOf(file: string): Promise<Mutant[]> {
  const lines = (await readFile(join(root, file), 'utf8')).split('\n')
  return lines.flatMap((text, index) => {
    if (leftAlone.test(text)) return []
    return changes.flatMap(([pattern, replacement]) =>
      [...text.matchAll(pattern)].map((match) => {
        const [found] = match
        const to = found.replace(new RegExp(pattern.source), replacement)
        return {
          ...{ file, line: index, from: text },
          to: text.slice(0, match.index) + to + text.slice(match.index + found.length),
        }
      }),
    )
  })
}

/** Of a simulation, and of the tests: both are given far more than they need, as what hangs has been noticed too. */
const limitsMs = { simulation: 2 * 60_000, tests: 10 * 60_000 }

/** Who has noticed, if anybody. */
async function noticed({ file, line, to }: Mutant, directory: string): Promise<string | undefined> {
  await plant(directory, file, (text) => text.split('\n').with(line, to).join('\n'))
  return complaining(directory)
}

async function complaining(directory: string): Promise<string | undefined> {
  const { found } = await simulate(directory, ['--runs', values.runs, '--no-shrink'], limitsMs.simulation)
  if (found !== null) return 'simulation'
  const tests = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--bail',
    '1',
    'test/unit',
    'test/property',
    'test/conformance',
  ]
  const { code } = await run(directory, tests, limitsMs.tests)
  if (code === null) return 'tests, which did not end'
  return code === 0 ? undefined : 'tests'
}

const random = seededRandom(Number(values.seed))
const all = (await Promise.all(core.map(mutantsOf))).flat()
const chosen = all
  .map((mutant) => ({ mutant, at: random.next() }))
  .sort((one, other) => one.at - other.at)
  .slice(0, Number(values.count))
  .map(({ mutant }) => mutant)
const directory = await mkdtemp(join(tmpdir(), 'aetheris-mutants-'))
const counts = new Map<string, number>()
try {
  const unchanged = join(directory, 'unchanged')
  await plant(unchanged, 'package.json', (text) => text)
  const complaint = await complaining(unchanged)
  // Else everything would count as noticed.
  if (complaint !== undefined) throw new Error(`Without any change there is a complaint already, by the ${complaint}.`)
  await forAll(chosen, async (mutant, index) => {
    const own = join(directory, String(index))
    const by = (await noticed(mutant, own)) ?? 'nobody'
    await rm(own, { recursive: true, force: true })
    counts.set(by, (counts.get(by) ?? 0) + 1)
    const tried = [...counts.values()].reduce((sum, each) => sum + each, 0)
    console.error(`${tried} of ${chosen.length}: ${mutant.file}:${mutant.line + 1} is noticed by ${by}`)
    if (by === 'nobody')
      console.log(`${mutant.file}:${mutant.line + 1}\n- ${mutant.from.trim()}\n+ ${mutant.to.trim()}`)
  })
} finally {
  await rm(directory, { recursive: true })
}
console.log(`${chosen.length} of ${all.length} mutants, noticed by: ${JSON.stringify(Object.fromEntries(counts))}`)
