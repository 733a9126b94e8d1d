import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'

/** What every workload needs: sizes, clocks, places on disk, and the shape of what it gives back. */

/** `tiny` only shows that a workload runs; `large` takes minutes. */
export type Size = 'tiny' | 'normal' | 'large'

export interface Figure {
  what: string
  unit: 'ms' | 's' | 'bytes' | 'x' | 'MB' | '/s' | '%' | ''
  /** One number for each repetition. */
  samples: readonly number[]
  /** What we aim at, for people. */
  aim?: string
}

export interface Workload {
  name: string
  /** One line for the list of workloads. */
  about: string
  /** Run only where it is named. */
  isExtra?: true
  run(size: Size): Promise<Figure[]>
}

/** A figure that each of `runs` has. */
export function figure<Run>(
  what: string,
  unit: Figure['unit'],
  runs: readonly Run[],
  of: (run: Run) => number,
  aim?: string,
): Figure {
  return { what, unit, samples: runs.map(of), ...(aim === undefined ? {} : { aim }) }
}

/** A figure that is the same in every run. */
export function single(what: string, unit: Figure['unit'], value: number): Figure {
  return { what, unit, samples: [value] }
}

export function pick<T>(size: Size, sizes: { tiny: T; normal: T; large?: T }): T {
  return size === 'large' ? (sizes.large ?? sizes.normal) : sizes[size]
}

export interface Reading {
  wallMs: number
  /** Of all threads of this process. */
  cpuMs: number
}

/** Wall and CPU time of `body`. */
export async function measure(body: () => unknown): Promise<Reading> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await body()
  const wallMs = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  return { wallMs, cpuMs: (user + system) / 1000 }
}

/** How many cores all other processes of the machine keep busy between this call and the call of what it returns. */
export function watchOthers(): () => number {
  const busyMs = () => cpus().reduce((sum, { times }) => sum + times.user + times.sys + times.nice + times.irq, 0)
  const [busy, own, start] = [busyMs(), process.cpuUsage(), performance.now()]
  return () => {
    const { user, system } = process.cpuUsage(own)
    const others = busyMs() - busy - (user + system) / 1000
    return Math.max(0, others / (performance.now() - start))
  }
}

/** Runs `each` for 0 to `count` - 1, at most `concurrency` at a time. */
export async function pool(
  count: number,
  concurrency: number,
  each: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < count) {
      next += 1
      await each(next - 1)
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, lane))
}

export async function repeat<T>(times: number, body: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let index = 0; index < times; index += 1) results.push(await body(index))
  return results
}

export function quantile(samples: readonly number[], part: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

export const median = (samples: readonly number[]) => quantile(samples, 0.5)

/** Under the project and not in the system's folder for temporary files, which is often no disk at all. */
export const dataRoot = join(import.meta.dirname, '../.aetheris', `bench-${process.pid}`)

/** Runs `body` with a new, empty directory. */
export async function inDirectory<T>(body: (directory: string) => Promise<T>): Promise<T> {
  await mkdir(dataRoot, { recursive: true })
  const directory = await mkdtemp(join(dataRoot, 'run-'))
  try {
    return await body(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Bytes of all files in a directory, and below it. */
export async function bytesIn(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true })
  const stats = await Promise.all(names.map((name) => stat(join(directory, name))))
  return stats.reduce((sum, each) => sum + (each.isFile() ? each.size : 0), 0)
}

/** Heap in use after a full collection; needs `node --expose-gc` to be exact. */
export function heapBytes(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}
