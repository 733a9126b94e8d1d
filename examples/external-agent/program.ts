/** Asks somebody's agent, which books through the ledger. */
// #region program
import { agent, openRuntime, tool } from 'aetheris'
import { callEndpoint, exposeTools, httpAgent, serve } from 'aetheris/http'
import { levelStore } from 'aetheris/level'
import { z } from 'zod'

const { CONCIERGE_URL = 'http://127.0.0.1:4811', CALLS_PORT = '4810', CALLS_SECRET } = process.env

const book = tool({
  name: 'book',
  input: z.object({ town: z.string() }),
  output: z.object({ room: z.int() }),
  run: async () => ({ room: 7 }),
})

/** What the agent may call, and where. */
const tools = exposeTools({
  tools: [book],
  url: `http://127.0.0.1:${CALLS_PORT}/calls`,
  ...(CALLS_SECRET === undefined ? {} : { secret: CALLS_SECRET }),
})

const concierge = httpAgent({
  name: 'concierge',
  url: CONCIERGE_URL,
  input: z.object({ town: z.string() }),
  output: z.string(),
  effect: 'idempotent', // it changes things only through `tools`, under the same keys each time
  timeoutMs: 60_000,
  tools,
})

const trip = agent({
  name: 'trip',
  input: z.object({ town: z.string() }),
  output: z.string(),
  tools: [concierge],
  plan: (graph, { town }) => graph.call('arrange', concierge, { town }),
})

await using runtime = await openRuntime({ store: levelStore('data'), agents: [trip, tools.agent] })
await using _server = await serve(await callEndpoint({ runtime, tools }), { port: Number(CALLS_PORT) })

const job = await runtime.spawn(trip, { town: 'Oslo' }, { id: 'oslo' })
console.log(await job.result()) // Room 7 in Oslo is yours.
// #endregion
