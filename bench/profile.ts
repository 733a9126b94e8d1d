import { Session } from 'node:inspector/promises'
import type { Runtime } from 'aetheris'
import { type Figure, figure, pick, repeat, type Size, type Workload } from './helpers.ts'
import { runMany, withLevel } from './run.ts'

/** Where the CPU time of the main thread goes in `many`, as V8's profiler samples it. */

type Profile = Awaited<ReturnType<typeof sampled>>
type Sampled = Profile['nodes'][number]

/** By what a file's address holds; the first that fits. What is in none of them is told as its caller's. */
const categories: readonly [name: string, files: RegExp][] = [
  ['XState', /node_modules\/xstate\//],
  ['zod', /node_modules\/zod\//],
  ['bindings of LevelDB', /node_modules\/(classic-level|abstract-level)\//],
  ['the store: rows, text and hashes of events', /dist\/src\/(store|event)\//],
  ['JSON: checks and canonical form', /dist\/src\/base\/(json|hash|bytes)/],
  ['fold: events, effects, snapshots for readers', /dist\/src\/replay\//],
  ['plans: made, checked, compiled', /dist\/src\/(graph|agent)\//],
  ['machines of ours', /dist\/(machines|src\/compile)\//],
  ['runner, attempts, scheduling', /dist\/src\/(runtime|scheduler|base)\//],
]
const collector = 'garbage collection'
const rest = 'Node, the workload itself'

async function sampled(body: () => Promise<unknown>) {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 500 })
  await session.post('Profiler.start')
  await body()
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  return profile
}

/** Milliseconds by category; idle time and what the profiler needs itself are left out. */
function byCategory({ nodes, samples = [], timeDeltas = [] }: Profile): Map<string, number> {
  const parents = new Map<number, Sampled>()
  for (const node of nodes) for (const child of node.children ?? []) parents.set(child, node)
  const categoryOf = new Map(nodes.map((node) => [node.id, categoryOfNode(node, parents)]))
  const spent = new Map<string, number>()
  for (const [index, id] of samples.entries()) {
    const category = categoryOf.get(id)
    if (category !== undefined) spent.set(category, (spent.get(category) ?? 0) + (timeDeltas[index] ?? 0) / 1000)
  }
  return spent
}

function categoryOfNode(node: Sampled, parents: ReadonlyMap<number, Sampled>): string | undefined {
  const { functionName } = node.callFrame
  if (functionName === '(garbage collector)') return collector
  if (functionName === '(idle)' || functionName === '(program)') return undefined
  for (let at: Sampled | undefined = node; at !== undefined; at = parents.get(at.id)) {
    const { url } = at.callFrame
    const found = categories.find(([, files]) => files.test(url))
    if (found !== undefined) return found[0]
  }
  return rest
}

async function once(runtime: Runtime, jobs: number): Promise<Map<string, number>> {
  const spent = byCategory(await sampled(() => runMany(runtime, jobs, 200)))
  const all = [...spent.values()].reduce((sum, ms) => sum + ms, 0)
  return new Map([...spent].map(([category, ms]) => [category, (100 * ms) / all]))
}

export const profile: Workload = {
  name: 'profile',
  about: 'where the CPU time of the main thread goes in jobs of 10 steps, 200 at a time',
  isExtra: true,
  async run(size: Size): Promise<Figure[]> {
    const jobs = pick(size, { tiny: 4, normal: 2_000 })
    const runs = await withLevel(async (runtime) => {
      await runMany(runtime, Math.ceil(jobs / 2), 200)
      return repeat(pick(size, { tiny: 1, normal: 3 }), () => once(runtime, jobs))
    })
    return [collector, ...categories.map(([name]) => name), rest].map((name) =>
      figure(name, '%', runs, (run) => run.get(name) ?? 0),
    )
  },
}
