import { join } from 'node:path'
import { z } from 'zod'
import type { EffectClass } from '../../src/event/event.ts'
import { callEndpoint, exposeTools, type Handler, httpAgent, serve } from '../../src/http/http.ts'
import { agent, type JobHandle, openRuntime, type Runtime, tool } from '../../src/index.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { World } from './crash-world.ts'

/**
 * The life of a process, on disk, that asks an external agent and lets it call tools. The same function is what is
 * killed and what comes after it.
 */

export interface AwayLife {
  /** The data directory is `data` in here, beside what the world knows. */
  directory: string
  /** Of the external agent. */
  url: string
  effect: EffectClass
  /** Where the endpoint listens; 0 for any that is free. */
  port: number
  /** Its tools begin, and never end. */
  stalls?: boolean
}

export interface Living {
  runtime: Runtime
  job: JobHandle
  port: number
  close(): Promise<void>
}

export async function live(life: AwayLife, tell: (deed: string) => void = () => {}): Promise<Living> {
  const { directory, url, effect } = life
  let handler: Handler = async () => new Response(null, { status: 503 })
  const server = await serve((request) => handler(request), { port: life.port })
  const tools = exposeTools({ tools: toolsOf(life, tell), url: `${server.url}/calls`, secret: 'a secret of the tests' })
  const retry = { maxAttempts: 5, initialDelayMs: 5 }
  const away = httpAgent({ name: 'away', url, input: z.any(), output: z.any(), effect, retry, tools })
  const asks = agent({
    name: 'asks',
    input: z.any(),
    output: z.any(),
    tools: [away],
    plan: (graph, input) => graph.call('trip', away, input),
  })
  const runtime = await openRuntime({ store: levelStore(join(directory, 'data')), agents: [asks, tools.agent] })
  handler = await callEndpoint({ runtime, tools })
  const job = (await runtime.spawn(asks, null, { id: 'job' })) as unknown as JobHandle
  const close = async () => {
    await runtime.close()
    await server.close()
  }
  return { runtime, job, port: Number(new URL(server.url).port), close }
}

function toolsOf({ directory, stalls = false }: AwayLife, tell: (deed: string) => void) {
  const world = new World(directory)
  const doing = (name: string, effectClass: EffectClass) =>
    tool({
      name,
      input: z.any(),
      output: z.any(),
      effect: effectClass,
      run(_, { jobId: job, effect }) {
        world.note({ what: 'begin', job, effect, class: effectClass })
        tell(name)
        return stalls ? new Promise(() => {}) : { by: name }
      },
    })
  return [doing('book', 'once'), doing('look', 'read')]
}
