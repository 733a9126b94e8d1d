import { z } from 'zod'
import type { EffectClass } from '../../src/event/event.ts'
import {
  callEndpoint,
  type ExposedTools,
  exposeTools,
  type Handler,
  httpAgent,
  type Server,
  serve,
} from '../../src/http/http.ts'
import { agent, type JobHandle, openRuntime, type Runtime } from '../../src/index.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { SimulatedClock } from '../../src/testing/simulated-clock.ts'
import { OtherAgent, type Received, type Reply } from './other-agent.ts'
import { Script } from './scripted.ts'

/** A job that has asked an external agent, which has not answered yet, and the endpoint that this agent may call. */

const secret = 'a secret of the tests'

export interface Outside {
  runtime: Runtime
  /** The job that has asked the agent, as its node `trip`. */
  job: JobHandle
  script: Script
  server: Server
  /** The agent that calls are jobs of. */
  calls: ExposedTools['agent']
  url: string
  token: string
  other: OtherAgent
  /** By which the endpoint waits. */
  clock: SimulatedClock
  /** What the endpoint could not answer. */
  problems: unknown[]
  /** Sends the answer that the agent owes. */
  answer(reply: Reply): void
  call(body: unknown, options?: { token?: string; wait?: number; headers?: Record<string, string> }): Promise<Response>
  ask(key: string, options?: { token?: string; wait?: number }): Promise<Response>
  /** The next process on the same store, with its endpoint at the same address. */
  reopen(): Promise<void>
  close(): Promise<void>
}

export async function outside({ effect = 'once' as EffectClass, id = 'job' } = {}): Promise<Outside> {
  const script = new Script()
  const replies: ((reply: Reply) => void)[] = []
  const other = await OtherAgent.listen(() => new Promise<Reply>((resolve) => replies.push(resolve)))
  let handler: Handler = async () => new Response(null, { status: 503 })
  const listen = (port?: number) => serve((request) => handler(request), port === undefined ? {} : { port })
  const server = await listen()
  const book = script.tool('book', 'once', { input: z.strictObject({ town: z.string() }) as never })
  const look = script.tool('look', 'read')
  const ask = script.tool('ask', 'once', { approval: 'always' })
  const tools = exposeTools({ tools: [book, look, ask], url: `${server.url}/calls`, secret })
  const away = httpAgent({ name: 'away', url: other.url, input: z.any(), output: z.any(), effect, tools })
  const it = agent({
    name: 'it',
    input: z.any(),
    output: z.any(),
    tools: [away],
    plan: (graph, input) => graph.call('trip', away, input),
  })
  const store = memoryStore()
  const it_: Outside = {
    ...{ script, server, calls: tools.agent, url: tools.url, other, clock: new SimulatedClock(), problems: [] },
    runtime: undefined as unknown as Runtime,
    job: undefined as unknown as JobHandle,
    token: '',
    answer: (reply) => replies.shift()?.(reply),
    call: (body, { token = it_.token, wait = 0, headers = {} } = {}) =>
      fetch(`${tools.url}?wait=${wait}`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    ask: (key, { token = it_.token, wait = 0 } = {}) =>
      fetch(`${tools.url}/${key}?wait=${wait}`, { headers: { Authorization: `Bearer ${token}` } }),
    async reopen() {
      await it_.runtime.close()
      await open()
      it_.job = await it_.runtime.job(id)
    },
    async close() {
      await it_.runtime.close()
      await server.close()
      await other.close()
    },
  }
  async function open(): Promise<void> {
    it_.runtime = await openRuntime({ store, agents: [it, tools.agent] })
    const { runtime, clock, problems } = it_
    handler = await callEndpoint({ runtime, tools, clock, onProblem: (error) => problems.push(error) })
  }
  await open()
  it_.job = (await it_.runtime.spawn(it, null, { id })) as unknown as JobHandle
  await other.until(1)
  it_.token = (other.received[0] as Received).body.calls.token
  return it_
}
