import { openRuntime, type Runtime, type RuntimeOptions } from 'aetheris'
import { levelStore } from 'aetheris/level'
import { chain, fan, parked, waiting } from './agents.ts'
import { inDirectory, pool } from './helpers.ts'
import { type Batch, Recorder } from './raw.ts'

/** Runtimes for the workloads, and the jobs that most of them run. */

/** Bounds that never hold a workload back: what is measured is not the queue before them. */
const unbounded = { maxJobs: 1_000_000, maxEffects: 1_000_000 }

export function openLevel(directory: string, options: Partial<RuntimeOptions> = {}): Promise<Runtime> {
  return openRuntime({ store: levelStore(directory), agents: [chain, fan, parked, waiting], ...unbounded, ...options })
}

/** Runs `body` on a runtime with a store of its own on disk. */
export async function withLevel<T>(
  body: (runtime: Runtime, directory: string) => Promise<T>,
  options: Partial<RuntimeOptions> = {},
): Promise<T> {
  return inDirectory(async (directory) => {
    const runtime = await openLevel(directory, options)
    try {
      return await body(runtime, directory)
    } finally {
      await runtime.close()
    }
  })
}

/** The batches that the store writes while `body` runs. */
export async function recordBatches(
  body: (runtime: Runtime, take: () => Batch[]) => Promise<unknown>,
): Promise<Batch[]> {
  return inDirectory(async (directory) => {
    const recorder = new Recorder()
    const runtime = await openLevel(directory, { store: levelStore(directory, recorder.options) })
    recorder.take()
    await body(runtime, () => recorder.take())
    await runtime.close()
    return recorder.take()
  })
}

/** One job of `steps` steps in a row, to its end. */
export async function runChain(runtime: Runtime, steps = 10): Promise<void> {
  await (await runtime.spawn(chain, { steps })).result()
}

/** One job of `width` steps at once, joined, to its end. */
export async function runFan(runtime: Runtime, width = 100): Promise<void> {
  await (await runtime.spawn(fan, { width })).result()
}

/** `jobs` jobs of ten steps, at most `concurrency` under way. */
export function runMany(runtime: Runtime, jobs: number, concurrency: number): Promise<void> {
  return pool(jobs, concurrency, () => runChain(runtime))
}
