import { join } from 'node:path'
import type { AnyAgent } from '../../src/agent/agent.ts'
import { openRuntime, type Runtime, type RuntimeOptions } from '../../src/index.ts'
import type { JobHandle } from '../../src/runtime/job-handle.ts'
import { levelStore } from '../../src/store/level-store.ts'
import type { JobStore } from '../../src/store/store.ts'
import { agentsOf, type Defect, outputs, review } from './crash-agents.ts'
import { Points, pointedLevel, pointedStore } from './crash-points.ts'
import { World } from './crash-world.ts'

/**
 * The life of a process: jobs of every kind at once, on disk. The same function is what is killed and what comes after
 * it: it starts the jobs that are not there, gives them their signals, and ends when all have come as far as they can.
 */

export interface Life {
  /** The data directory is `data` in here, beside what the world knows. */
  directory: string
  points?: Points
  defect?: Defect | undefined
  onProblem?: RuntimeOptions['onProblem']
}

export function storeOf({ directory, points = new Points() }: Life): JobStore {
  return levelStore(join(directory, 'data'), { openDatabase: pointedLevel(points) })
}

/** Lets all jobs live until they have ended, or wait for somebody to say what became of a call. */
export async function live(life: Life, wrap: (store: JobStore) => JobStore = (store) => store): Promise<void> {
  const { directory, points = new Points(), defect } = life
  const world = new World(directory)
  const agents = agentsOf(world, points, defect)
  const runtime = await openRuntime({
    store: pointedStore(wrap(storeOf(life)), points),
    agents: Object.values(agents),
    snapshotEvery: 5,
    ...(life.onProblem === undefined ? {} : { onProblem: life.onProblem }),
    inspect(event) {
      if (event.type !== '@xstate.event') return
      world.note({ what: 'event', job: event.rootId, id: event.event.id, type: event.event.type })
    },
  })
  const led = Object.entries(agents).filter(([id]) => id in outputs)
  const all = Promise.all(led.map(([id, each]) => lead(runtime, each, id, world)))
  const patience = new Patience(
    runtime,
    led.map(([id]) => id),
  )
  try {
    await Promise.race([all, patience.end])
  } finally {
    patience.clear()
    await runtime.close()
  }
}

/** Much longer than all jobs take together, on a slow machine too. */
const patienceMs = 30_000

/** Ends with where each job is, instead of waiting for ever. */
class Patience {
  readonly end: Promise<never>
  private timer: NodeJS.Timeout | undefined

  constructor(runtime: Runtime, ids: readonly string[]) {
    this.end = new Promise((_, reject) => {
      this.timer = setTimeout(async () => {
        const found = await Promise.all(ids.map(async (id) => (await runtime.job(id)).getSnapshot()))
        reject(new Error(`The jobs do not come to an end: ${JSON.stringify(found)}`))
      }, patienceMs)
    })
  }

  clear(): void {
    clearTimeout(this.timer)
  }
}

async function lead(runtime: Runtime, each: AnyAgent, id: string, world: World): Promise<void> {
  const job = await runtime.spawn(each, null, { id })
  world.note({ what: 'job', job: id })
  if (id === 'late')
    await job.waitFor((snapshot) => snapshot.status !== 'active' || !snapshot.matches('review.blocked'))
  if (id === 'early' || id === 'late') {
    const message = `review-${id}`
    const sent = await job.signal(review, { answer: 'yes' }, { id: message }).then(
      () => true,
      (error) => error.code !== 'JOB_SETTLED' && Promise.reject(error),
    )
    if (sent) world.note({ what: 'signal', job: id, message })
  }
  if (id === 'approved') await agree(job, world)
  await job.waitFor(({ status, pending }) => status !== 'active' || isStuck(pending))
}

async function agree(job: JobHandle, world: World): Promise<void> {
  const { pending } = await job.waitFor(
    ({ status, pending: [only] }) => status !== 'active' || only?.approval !== undefined || only?.status === 'unknown',
  )
  // In a later life it may have been answered already.
  if (pending[0]?.approval === undefined || pending[0].approval.option !== undefined) return
  await job.approve('pay', { by: 'ana' })
  world.note({ what: 'approval', job: job.id })
}

/** Nothing but calls without a known outcome is left. */
function isStuck(pending: readonly { status: string }[]): boolean {
  return pending.length > 0 && pending.every(({ status }) => status === 'unknown')
}
