import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { assign, fromPromise, setup } from 'xstate'
import { z } from 'zod'
import { agent, fromMachine, gte, openRuntime, signal, tool } from '../src/index.ts'
import { levelStore } from '../src/store/level-store.ts'
import { type TestRuntime, testRuntime } from '../src/testing/test-runtime.ts'

/**
 * Endurance: many parked jobs, one very long history, two years of timers. Prints what was measured while it goes on;
 * fails where memory or file handles grow. docs/reliability.md has what it printed. Needs `--expose-gc`.
 */

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '100000' },
    events: { type: 'string', default: '1000000' },
    months: { type: 'string', default: '24' },
    /** Only these of `parked`, `long`, `months`. */
    only: { type: 'string', multiple: true, default: ['parked', 'long', 'months'] },
  },
})

interface Standing {
  heap: number
  handles: number
}

async function standing(): Promise<Standing> {
  if (globalThis.gc === undefined) throw new Error('Run it with --expose-gc.')
  await new Promise((resolve) => setTimeout(resolve, 50))
  globalThis.gc()
  return { heap: process.memoryUsage().heapUsed, handles: (await readdir('/proc/self/fd')).length }
}

async function bytesIn(directory: string): Promise<number> {
  let sum = 0
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size
  return sum
}

const mib = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
const told = ({ heap, handles }: Standing) => `heap ${mib(heap)}, ${handles} file handles`
let failures = 0

function expectFlat(what: string, before: Standing, after: Standing, slack = 8 * 1024 * 1024): void {
  const isFlat = after.heap <= before.heap * 1.2 + slack && after.handles <= before.handles + 8
  if (!isFlat) failures += 1
  console.log(`${isFlat ? 'flat' : 'NOT FLAT'}: ${what}: ${told(before)}; at the end ${told(after)}`)
}

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'aetheris-soak-'))
  try {
    await body(join(directory, 'data'))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

// --- parked jobs

const go = signal('go', z.object({ by: z.string() }))
const note = tool({
  name: 'note',
  input: z.object({ n: z.int() }),
  output: z.object({ n: z.int() }),
  effect: 'read',
  run: ({ n }) => ({ n: n + 1 }),
})
const waiting = agent({
  name: 'waiting',
  input: z.object({}),
  output: z.object({ by: z.string() }),
  tools: [note],
  signals: [go],
  plan: (graph) => graph.wait('go', go, { after: [graph.call('first', note, { n: 0 })] }),
})

const together = 200

async function parked(count: number): Promise<void> {
  await inDirectory(async (directory) => {
    const first = await openRuntime({ store: levelStore(directory), agents: [waiting] })
    const empty = await standing()
    let next = 0
    const worker = async () => {
      for (let index = next++; index < count; index = next++) {
        const job = await first.spawn(waiting, {}, { id: `parked-${index}` })
        await job.waitFor((snapshot) => snapshot.matches('go.waiting'))
        if (index % 10_000 === 0) console.log(`parked: ${index} of ${count}`)
      }
    }
    await Promise.all(Array.from({ length: together }, worker))
    const full = await standing()
    console.log(
      `parked: ${count} jobs, ${((full.heap - empty.heap) / count).toFixed(0)} bytes of heap each; ${told(full)}`,
    )
    await first.close()
    console.log(`parked: ${((await bytesIn(directory)) / count).toFixed(0)} bytes on disk each`)
    const begin = performance.now()
    const second = await openRuntime({ store: levelStore(directory), agents: [waiting] })
    const openedMs = performance.now() - begin
    const reopened = await standing()
    const each = Math.max(0, reopened.heap - empty.heap) / count
    console.log(`parked: opened again in ${openedMs.toFixed(0)} ms, ${each.toFixed(0)} bytes of heap each`)
    const job = await second.job(`parked-${count - 1}`)
    await job.signal(go, { by: 'soak' })
    await job.result()
    await second.close()
    expectFlat('parked jobs', empty, await standing())
  })
}

// --- a long history

/** Goes round for ever, with a state that does not grow: a turn is two events. */
function circling(onTurn: (turn: number) => void) {
  const machine = setup({
    types: { context: {} as { turn: number } },
    actors: {
      step: fromPromise(async ({ input }: { input: number }) => {
        onTurn(input)
        return input + 1
      }),
    },
  }).createMachine({
    context: { turn: 0 },
    initial: 'on',
    states: {
      on: {
        invoke: {
          src: 'step',
          input: ({ context }) => context.turn,
          onDone: { target: 'on', reenter: true, actions: assign({ turn: ({ event }) => event.output }) },
        },
      },
    },
  })
  return fromMachine('circling', machine, { effects: { step: 'read' } })
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

async function long(events: number): Promise<void> {
  const turns = Math.ceil(events / 2)
  const part = Math.ceil(turns / 10)
  await inDirectory(async (directory) => {
    let waiting = (_turn: number) => {}
    const it = circling((turn) => waiting(turn))
    const reach = (turn: number) =>
      new Promise<void>((resolve) => {
        waiting = (at) => {
          if (at >= turn) resolve()
        }
      })
    const first = await openRuntime({ store: levelStore(directory), agents: [it] })
    const job = await first.spawn(it, undefined, { id: 'long' })
    await reach(Math.min(1_000, part))
    const early = await standing()
    let last = early
    for (let at = part; at <= turns; at += part) {
      const begin = cpuMs()
      await reach(at)
      const each = (cpuMs() - begin) / part
      last = await standing()
      console.log(`long: ${job.getSnapshot().seq} events, ${each.toFixed(3)} ms of CPU a turn; ${told(last)}`)
    }
    await first.close()
    console.log(`long: ${mib(await bytesIn(directory))} on disk`)
    const begin = performance.now()
    const goesOn = reach(turns)
    const second = await openRuntime({ store: levelStore(directory), agents: [it] })
    await goesOn
    console.log(`long: goes on ${(performance.now() - begin).toFixed(0)} ms after it is opened again`)
    await second.close()
    expectFlat('one history', early, last)
  })
}

// --- months

const day = 86_400_000
const standingOrder = agent({
  name: 'standing-order',
  input: z.object({ months: z.int() }),
  output: z.any(),
  tools: [note],
  plan: (graph, { months }) =>
    graph.loop(
      'monthly',
      { n: 0 },
      (inner, state) => {
        const slept = inner.sleep('month', 30 * day)
        const paid = inner.call('pay', note, { n: state.n }, { after: [slept] })
        return { n: paid.n }
      },
      { until: (_, iteration) => gte(iteration, months - 1), max: months },
    ),
})

/** A disk takes longer than the turns of the event loop after which a test takes a runtime for settled. */
const patience = 1_000_000

async function pass(runtime: TestRuntime, days: number): Promise<void> {
  for (let passed = 0; passed < days; passed += 1) {
    await runtime.advance(day)
    await runtime.settle(patience)
  }
}

async function months(count: number): Promise<void> {
  const jobs = 100
  await inDirectory(async (directory) => {
    let runtime = await testRuntime({ agents: [standingOrder], store: levelStore(directory) })
    for (let index = 0; index < jobs; index += 1)
      await runtime.spawn(standingOrder, { months: count }, { id: `order-${index}` })
    await runtime.settle(patience)
    let early: Standing | undefined
    for (let month = 1; month <= count; month += 1) {
      await pass(runtime, 30)
      // A deployment a month, and a day without anybody.
      runtime = await runtime.reopen({ store: levelStore(directory), afterMs: day })
      await runtime.settle(patience)
      const now = await standing()
      early ??= now
      if (month % 6 === 0) console.log(`months: ${month}; ${told(now)}; ${mib(await bytesIn(directory))} on disk`)
      if (month === count) expectFlat('months', early, now)
    }
    // What the days without anybody have put off.
    await pass(runtime, count + 1)
    let ended = 0
    for await (const { status, seq } of runtime.store.list()) if (status === 'completed' && seq > 0) ended += 1
    if (ended !== jobs) failures += 1
    console.log(`months: ${ended} of ${jobs} standing orders have come to their end`)
    await runtime.crash()
  })
}

const parts: Record<string, () => Promise<void>> = {
  parked: () => parked(Number(values.jobs)),
  long: () => long(Number(values.events)),
  months: () => months(Number(values.months)),
}
console.log(`Node ${process.versions.node}, ${cpus().length} x ${cpus()[0]?.model}; LevelDB, every commit synced`)
for (const name of values.only) await parts[name]?.()
process.exitCode = failures === 0 ? 0 : 1
