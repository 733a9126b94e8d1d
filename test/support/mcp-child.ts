import type { McpServerOptions } from '../../src/mcp/mcp.ts'
import { type Kill, Points } from './crash-points.ts'
import { live } from './mcp-life.ts'
import { researching } from './mcp-research.ts'

export interface Life {
  directory: string
  kill?: Kill | undefined
  /** Of a life that has a task done. */
  server?: McpServerOptions
}

/** Child process: lives until it is killed, at a point or by a server, or to its end. */
process.once('message', async ({ directory, kill, server }: Life) => {
  const points = new Points(kill)
  if (server === undefined) await live(directory, { points })
  else await researching({ directory, server, points }, async (job) => void (await job.result()))
  process.disconnect()
})
