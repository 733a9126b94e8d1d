import { sha256 } from '../../src/base/hash.ts'
import { canonical, type Json } from '../../src/base/json.ts'
import type { JobEvent } from '../../src/event/event.ts'
import { replay } from '../../src/replay/replay.ts'
import { type AgentName, agentsOf, expected } from './agents.ts'
import type { Case, Trouble } from './case.ts'
import { Checker } from './check.ts'
import { levelDisk, memoryDisk } from './disk.ts'
import { Kernel } from './kernel.ts'
import { isPassing, People } from './people.ts'
import { Machine } from './process.ts'
import { World } from './world.ts'

/** One run of a case, from its seed alone. */

export interface Outcome {
  failure: string | undefined
  /** What was done to the system on purpose, by kind. */
  injected: ReadonlyMap<string, number>
  steps: number
  events: number
  /** Of everything that was written: the same for the same case, wherever and whenever it is run. */
  digest: string
  timeline: readonly string[]
}

/** How long things go wrong, in virtual milliseconds; after that nothing does, and everything has to come to an end. */
const stormMs = 90_000
/** As long as a process may be stopped for: by then everything goes on that nobody has to answer. */
const lullMs = 130_000
const stepsMax = 20_000

export async function run(given: Case): Promise<Outcome> {
  const kernel = new Kernel(given.seed)
  const checker = new Checker(kernel)
  const world = new World(kernel, checker, given.weather)
  const agents = agentsOf(kernel, world)
  const machine = new Machine(
    kernel,
    given.disk === 'level' ? levelDisk() : memoryDisk(),
    checker,
    Object.values(agents),
    given.knobs,
  )
  for (const { of, nth, fault } of given.writeFaults) machine.writeFaults.set(`${of} ${nth}`, fault)
  for (const trouble of given.troubles) kernel.after(trouble.atMs, () => strike(trouble, kernel, machine))
  const people = new People(kernel, machine, agents)
  people.plan(given.acts)
  machine.boot()

  const go = async (until: number) => {
    while (kernel.failure === undefined && kernel.steps < stepsMax && (await kernel.step(until)));
  }
  await go(stormMs)
  world.isCalm = true
  machine.writeFaults.clear()
  // Two processes on one store take each other's jobs. Nothing may come to harm by that, but only the next one that is
  // alone need bring them all to their end.
  if (kernel.injected.has('zombie')) machine.kill(false)
  await go(kernel.elapsed + lullMs)
  checker.allTaken()
  await settle(kernel, machine, people, go)
  if (kernel.failure === undefined) await audit(kernel, checker, machine, agents)
  return outcomeOf(kernel, checker)
}

function strike(trouble: Trouble, kernel: Kernel, machine: Machine): void {
  const { life } = machine
  if (trouble.kind !== 'clock jump' && life === undefined) return
  kernel.inject(trouble.kind)
  switch (trouble.kind) {
    case 'clock jump':
      return kernel.clock.jump(trouble.byMs)
    case 'zombie':
      if (machine.disk.kind === 'memory') machine.usurp(trouble.forMs)
      return undefined
    case 'stop':
      life?.pause()
      return kernel.after(trouble.forMs, () => life?.resume())
    default:
      return machine.kill(trouble.kind === 'power cut')
  }
}

const roundsMax = 60
const dayMs = 86_400_000

/** Nothing goes wrong any more, and people answer what they are asked: everything that is not done has to get done. */
async function settle(
  kernel: Kernel,
  machine: Machine,
  people: People,
  go: (until: number) => Promise<void>,
): Promise<void> {
  let left = 'no process'
  for (let round = 0; round < roundsMax && kernel.failure === undefined; round += 1) {
    // What was stopped for long goes on; timers of a day, and clocks that were set back, come to their time.
    await go(kernel.elapsed + (round < 10 ? 10_000 : dayMs))
    const open = await ask(kernel, machine, (runtime) => openJobs(runtime, people))
    if (open?.length === 0 && people.open === 0) return
    left = open?.join('; ') || `${people.open} requests`
  }
  kernel.fail(`nothing goes wrong any more, and this does not end: ${left}`)
}

/** Asks the process that runs now, while time goes on. Undefined where it dies before it has answered. */
async function ask<T>(
  kernel: Kernel,
  machine: Machine,
  question: (runtime: OpenRuntime) => Promise<T>,
): Promise<T | undefined> {
  const { life } = machine
  if (life?.runtime === undefined) return undefined
  let answer: { value: T | undefined } | undefined
  question(life.runtime).then(
    (value) => {
      answer = { value }
    },
    (error) => {
      answer = { value: undefined }
      if (life.isAlive && !isPassing(error)) kernel.fail(`a job cannot be asked: ${error.code} ${error.message}`)
    },
  )
  for (let turn = 0; turn < 1_000 && answer === undefined && life.isAlive; turn += 1) {
    await kernel.drain()
    if (answer === undefined) await kernel.step()
  }
  return answer?.value
}

type OpenRuntime = NonNullable<NonNullable<Machine['life']>['runtime']>

/** The jobs that have not ended, each with what it waits for; people do what they are asked to. */
async function openJobs(runtime: OpenRuntime, people: People): Promise<string[]> {
  const open: string[] = []
  for await (const { id } of runtime.jobs({ unfinished: true })) {
    const job = await runtime.job(id)
    const { pending, isPaused, value } = job.getSnapshot()
    open.push(`${id} ${JSON.stringify(value)} ${JSON.stringify((await job.why()).map(({ what }) => what))}`)
    if (isPaused) people.ask({ kind: 'resume', job: id }, '')
    for (const { status } of pending) {
      if (status === 'approving') people.ask({ kind: 'approve', job: id, who: 0 }, '')
      if (status === 'unknown') people.ask({ kind: 'resolve', job: id, as: 'completed' }, '')
      if (status === 'waiting') people.ask({ kind: 'signal', job: id, n: 1, count: 1 }, `last-${job.getSnapshot().seq}`)
    }
  }
  return open
}

/** The whole of what is left, as a process finds it that begins anew. */
async function audit(
  kernel: Kernel,
  checker: Checker,
  machine: Machine,
  agents: ReturnType<typeof agentsOf>,
): Promise<void> {
  machine.life?.die()
  machine.life = undefined
  machine.disk.died(false, () => 0)
  const store = machine.disk.open(kernel.clock)
  await settled(kernel, store.open())
  for await (const { message } of store.verify()) kernel.fail(`verify says: ${message}`)
  checker.familiesAgree()
  for (const [id, { facts }] of checker.jobs) {
    const events: JobEvent[] = []
    for await (const chunk of store.read(id)) events.push(...chunk)
    if (events.length !== facts.length)
      kernel.fail(`${id}: ${facts.length} events were written and ${events.length} are there`)
    const created = events[0]
    if (created?.type !== 'job.created') continue
    if (!wasResolved(checker, id)) checkResult(kernel, id, created.data, events)
    const { divergence, snapshot } = await replay(agents[created.data.agent as AgentName], events)
    if (divergence !== undefined) kernel.fail(`${id} does not replay: ${JSON.stringify(divergence)}`)
    if (JSON.stringify(snapshot.value) !== JSON.stringify(events.at(-1)?.state))
      kernel.fail(`${id} replays to another state`)
  }
}

/** Whether a person has said what a call of a job, or of its children, gave. */
function wasResolved({ jobs }: Checker, id: string): boolean {
  return [...jobs].some(
    ([each, { facts }]) =>
      (each === id || each.startsWith(`${id}/`)) && facts.some(({ type }) => type === 'node.resolved'),
  )
}

/** What a job that went its own way has come to. */
function checkResult(
  kernel: Kernel,
  id: string,
  { agent, input }: { agent: string; input: Json },
  events: readonly JobEvent[],
): void {
  const last = events.findLast(({ type }) => type === 'job.completed')
  const wanted = expected(agent, input)
  if (last?.type !== 'job.completed' || wanted === undefined) return
  if (canonical(last.data.output) === canonical(wanted)) return
  kernel.fail(`${id} has come to ${canonical(last.data.output)}, and should have come to ${canonical(wanted)}`)
}

/** Waits for what takes virtual time. */
async function settled<T>(kernel: Kernel, promise: Promise<T>): Promise<T> {
  let isDone = false
  void promise.finally(() => {
    isDone = true
  })
  while (!isDone) if (!(await kernel.step())) await kernel.drain()
  return promise
}

function outcomeOf(kernel: Kernel, checker: Checker): Outcome {
  const texts: string[] = []
  let events = 0
  for (const [id, { facts }] of checker.jobs) {
    events += facts.length
    texts.push(id, ...facts.map((fact) => JSON.stringify([fact.id, fact.at, fact.type, fact.data])))
  }
  const { failure, injected, steps, timeline } = kernel
  return { failure, injected, steps, events, digest: sha256(texts.join('\n')), timeline }
}
