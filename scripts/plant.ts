import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Copies of the source with something changed, and what is run in them. */

export const root = fileURLToPath(new URL('..', import.meta.url))

const parts = ['src', 'machines', 'test', 'scripts', 'examples', 'package.json', 'tsconfig.json', 'vitest.config.ts']

/** A copy of the project in `directory`, with one of its files changed. */
export async function plant(directory: string, file: string, change: (text: string) => string): Promise<void> {
  await mkdir(directory)
  for (const part of parts) await cp(join(root, part), join(directory, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
  const path = join(directory, file)
  await writeFile(path, change(await readFile(path, 'utf8')))
}

const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) kill(child)
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

export interface Run {
  output: string
  errors: string
  code: number | null
}

/** With all that it has started: what hangs may be a child of it. */
function kill({ pid }: ChildProcess): void {
  if (pid !== undefined) process.kill(-pid, 'SIGKILL')
}

/** Runs Node in `directory`, for at most `limitMs`. */
export function run(directory: string, args: readonly string[], limitMs: number): Promise<Run> {
  const child = spawn(process.execPath, args, { cwd: directory, detached: true })
  children.add(child)
  const timer = setTimeout(() => kill(child), limitMs)
  return new Promise((resolve) => {
    let output = ''
    let errors = ''
    child.stdout.on('data', (data) => {
      output += data
    })
    child.stderr.on('data', (data) => {
      errors += data
    })
    child.on('close', (code) => {
      children.delete(child)
      clearTimeout(timer)
      resolve({ output, errors, code })
    })
  })
}

export interface Search {
  runs: number
  found: { failure: string; case: unknown } | null
}

/** Lets the simulation in `directory` look for a failure. What makes it crash or hang is found as well. */
export async function simulate(directory: string, args: readonly string[], limitMs = 600_000): Promise<Search> {
  const { output, errors } = await run(directory, ['--import', 'tsx', 'scripts/sim.ts', '--json', ...args], limitMs)
  if (output !== '') return JSON.parse(output) as Search
  const failure = errors.match(/^\w*Error.*$/m)?.[0] ?? 'it does not end'
  return { runs: 0, found: { failure, case: null } }
}

/** Does `work` for all of `items`, as many at a time as there are cores. */
export async function forAll<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  const queue = [...items.entries()]
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await work(next[1], next[0])
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
}
