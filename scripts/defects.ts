import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Defect, defects } from '../test/simulation/defects.ts'

/**
 * Plants each defect of test/simulation/defects.ts in a copy of the source, and lets the simulation look for it. Prints
 * what was found, in which run and after how many seconds. Fails where one is not found.
 */

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '2000' },
    /** Part of the name of the defects to plant. */
    only: { type: 'string', default: '' },
    /** A folder to keep the cases in, as small as could be found. */
    keep: { type: 'string' },
  },
})

interface Result {
  defect: Defect
  found: string | undefined
  runs: number
  seconds: number
}

const root = fileURLToPath(new URL('..', import.meta.url))
const children = new Set<ChildProcess>()

/** A copy of what the simulation runs, with one thing in it changed. */
async function planted({ name, file, find, replace }: Defect, directory: string): Promise<void> {
  await mkdir(directory)
  for (const part of ['src', 'machines', 'test/simulation', 'scripts', 'package.json'])
    await cp(join(root, part), join(directory, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
  const path = join(directory, file)
  const text = await readFile(path, 'utf8')
  if (text.split(find).length !== 2) throw new Error(`"${name}": ${file} should have this once:\n${find}`)
  await writeFile(
    path,
    text.replace(find, () => replace),
  )
}

async function look(defect: Defect, directory: string): Promise<Result> {
  await planted(defect, directory)
  const startedAt = performance.now()
  const shrink = values.keep === undefined ? ['--no-shrink'] : []
  const output = await simulated(directory, ['--runs', values.runs, '--json', ...shrink])
  const seconds = (performance.now() - startedAt) / 1_000
  const { runs, found } = JSON.parse(output) as { runs: number; found: { failure: string; case: unknown } | null }
  if (found !== null && values.keep !== undefined)
    await writeFile(join(values.keep, `${defect.name.replaceAll(/\W+/g, '-')}.json`), `${JSON.stringify(found.case)}\n`)
  return { defect, found: found?.failure, runs, seconds }
}

function simulated(directory: string, args: string[]): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/sim.ts', ...args], { cwd: directory })
  children.add(child)
  return new Promise((resolve, reject) => {
    let output = ''
    let errors = ''
    child.stdout.on('data', (data) => (output += data))
    child.stderr.on('data', (data) => (errors += data))
    child.on('close', () => {
      children.delete(child)
      if (output === '') reject(new Error(errors))
      else resolve(output)
    })
  })
}

function told({ defect: { name }, found, runs, seconds }: Result): string {
  const how = found === undefined ? `NOT FOUND in ${runs} runs` : `run ${runs}: ${found.slice(0, 110)}`
  return `${seconds.toFixed(1).padStart(6)} s  ${name}\n          ${how}`
}

const directory = await mkdtemp(join(tmpdir(), 'aetheris-defects-'))
process.once('exit', () => {
  for (const child of children) child.kill()
})
try {
  const queue = defects.filter(({ name }) => name.includes(values.only))
  const results: Result[] = []
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const result = await look(next, join(directory, String(queue.length)))
      results.push(result)
      console.log(told(result))
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  const missed = results.filter(({ found }) => found === undefined)
  console.log(`${results.length - missed.length} of ${results.length} defects were found.`)
  process.exitCode = missed.length === 0 ? 0 : 1
} finally {
  await rm(directory, { recursive: true })
}
