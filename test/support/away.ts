import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import type { AnyTool } from '../../src/agent/tool.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { EffectClass } from '../../src/event/event.ts'
import { type HttpAgentOptions, httpAgent } from '../../src/http/http.ts'
import { agent, type JobHandle, openRuntime } from '../../src/index.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { SimulatedClock } from '../../src/testing/simulated-clock.ts'
import { OtherAgent, type Received, type Reply } from './other-agent.ts'

/** Jobs that ask somebody's agent, over real HTTP and under a simulated clock. */

type Options = Partial<HttpAgentOptions<z.ZodAny, z.ZodAny>>

const ends: (() => Promise<void>)[] = []

/** Closes what a test has opened. */
export async function endAll(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end()
}

/** Lets the network go on until something holds. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await setImmediate()
}

export async function agentThat(
  answer: (request: Received, nth: number) => Reply | Promise<Reply>,
): Promise<OtherAgent> {
  const other = await OtherAgent.listen(answer)
  ends.push(() => other.close())
  return other
}

/** A job of one call. `reopen` is the next process after a crash. */
export function started(url: string, effect: EffectClass, options: Options = {}) {
  const clock = new SimulatedClock()
  const retry = { maxAttempts: 2, initialDelayMs: 1_000 }
  const away = httpAgent({ name: 'away', url, input: z.any(), output: z.any(), effect, retry, clock, ...options })
  return startedWith(away, clock)
}

export async function startedWith(away: AnyTool, clock: SimulatedClock) {
  const store = memoryStore()
  const it = agent({
    name: 'it',
    input: z.any(),
    output: z.any(),
    tools: [away],
    plan: (graph, input) => graph.call('ask', away, input),
  })
  const open = async () => {
    const runtime = await openRuntime({ store, agents: [it], clock, random: seededRandom(1) })
    ends.push(() => runtime.close())
    return runtime
  }
  const runtime = await open()
  const job = await runtime.spawn(it, { q: 1 }, { id: 'job' })
  const reopen = async () => {
    clock.clear()
    await runtime.close()
    return (await open()).job('job')
  }
  return { it, job: job as unknown as JobHandle, clock, runtime, reopen }
}

/** How the call stands once no request is under way: its failure, or the delay to the next attempt. */
export async function rest(job: JobHandle, clock: SimulatedClock) {
  const { pending, output, error } = await job.waitFor(
    ({ status, pending }) => status !== 'active' || ['unknown', 'backoff'].includes(pending[0]?.status ?? ''),
  )
  const [call] = pending
  if (call === undefined) return error === undefined ? { output } : { failed: error.message }
  return call.status === 'unknown' ? 'unknown' : { againInMs: (call.dueAt ?? 0) - clock.now() }
}
